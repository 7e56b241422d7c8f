// Keeps the number of open ring files bounded: a node has more of them than a process may have
// descriptors. A file that was not used for a while is closed and opened again on demand.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "base/mutex.h"
#include "storage/fs/file_system.h"

namespace shoal {

class RingFile;

// Thread safe. Outlives its files. Descriptors that a reader or the writer holds at the moment, and
// those of files between a write and its sync, come on top of the bound.
class RingFilePool {
 public:
  // At most a quarter of the process's limit.
  RingFilePool(FileSystem* fs, size_t open_max);

  FileSystem* fs() const { return fs_; }
  // Opens a file. When the process is out of descriptors, gives some of ours back and tries once
  // more.
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path);
  // `file` holds a descriptor from now on, and lets go of it when asked (RingFile::CloseIdle).
  void Add(RingFile* file);
  void Remove(RingFile* file);

 private:
  void CloseDownTo(size_t open_max) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  FileSystem* const fs_;
  const size_t open_max_;
  Mutex mu_;
  std::deque<RingFile*> open_ ABSL_GUARDED_BY(mu_);  // the next one to look at first
};

}  // namespace shoal
