// The data directory of a node that is stopped, or a copy of one: opened to be looked at.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "deploy/shoalctl/overlay_file_system.h"
#include "storage/ring/ring_store.h"
#include "storage/series_schema.h"

namespace shoal {

// Changes nothing: what the double-write journal holds is put in place in memory only, so that one
// sees what a start would see. Holds the node's lock; FailedPrecondition while a node does.
class DataDir {
 public:
  static absl::StatusOr<std::unique_ptr<DataDir>> Open(const std::string& path);

  const RingStore& rings() const { return *rings_; }
  size_t schema_count() const { return schema_count_; }
  // One line for each damaged region of a log and each small file that does not read.
  const std::vector<std::string>& problems() const { return problems_; }
  uint64_t series() const;
  void VisitNames(absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const;

 private:
  DataDir();
  void CheckSmallFiles(const std::string& path);
  absl::Status ReadLogs(const std::string& path, std::vector<SeriesSchema>* schemas);

  std::unique_ptr<File> lock_;
  OverlayFileSystem overlay_;
  std::vector<std::string> names_;  // by series; empty: none, or deleted
  std::vector<std::string> problems_;
  size_t schema_count_ = 0;
  std::unique_ptr<RingStore> rings_;  // borrows from overlay_
};

}  // namespace shoal
