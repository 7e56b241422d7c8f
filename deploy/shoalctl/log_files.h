// Reads a record log in place, without the repairs that opening it for writing makes.
#pragma once

#include <string>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/log/log_reader.h"

namespace shoal {

// NotFound when there is no such folder. Every record of every segment in `dir`, in order. `visit`
// returns false to end. Damage is counted in *report and skipped.
absl::Status VisitLog(
    FileSystem* fs, const std::string& dir, LogReport* report,
    absl::FunctionRef<bool(uint64_t segment, uint64_t offset, absl::string_view record)> visit);

// Holds the lock file `path` until the result dies, so that no node uses the data meanwhile; null
// when there is no lock file (a copy of the data). FailedPrecondition when a node holds it.
absl::StatusOr<std::unique_ptr<File>> LockData(FileSystem* fs, const std::string& path);

}  // namespace shoal
