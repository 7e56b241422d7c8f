// LevelDB's files through our FileSystem, so that its crashes can be tested like ours.
#pragma once

#include <memory>

#include "absl/status/status.h"
#include "leveldb/env.h"
#include "leveldb/status.h"
#include "storage/fs/file_system.h"

namespace shoal {

// Files go to `fs` (borrowed); threads and time are LevelDB's own. Unlike LevelDB's POSIX
// environment it syncs the folder after a rename, which is how CURRENT changes.
std::unique_ptr<leveldb::Env> NewLevelDbEnv(FileSystem* fs);

// DataLoss for corruption; otherwise as near as it gets. The message names `context`.
absl::Status FromLevelDb(const leveldb::Status& status, absl::string_view context);

}  // namespace shoal
