// DIR/IDENTITY: whose data folder this is, and of which format.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "storage/fs/file_system.h"

namespace shoal {

inline constexpr int kDataFormatVersion = 2;  // of the folder as a whole; frozen in each IDENTITY

// OK when `dir` is absent, empty, or belongs to this node of this cluster in a format that this
// program knows. FailedPrecondition otherwise, with a text that says which. Changes nothing.
absl::Status CheckIdentity(FileSystem* fs, const std::string& dir, const std::string& cluster,
                           const std::string& node);

// Writes the file when it is not there yet. Durable when OK.
absl::Status EnsureIdentity(FileSystem* fs, const std::string& dir, const std::string& cluster,
                            const std::string& node);

}  // namespace shoal
