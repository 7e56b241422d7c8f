#include "storage/ring/ring_file_pool.h"

#include <sys/resource.h>

#include <algorithm>
#include <utility>

#include "storage/ring/ring_file.h"

namespace shoal {

namespace {

// Connections, the log and the index need descriptors as well.
size_t ShareOfLimit(size_t wanted) {
  struct rlimit limit;
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::min<size_t>(wanted, std::max<size_t>(limit.rlim_cur / 4, 1));
}

}  // namespace

RingFilePool::RingFilePool(FileSystem* fs, size_t open_max)
    : fs_(fs), open_max_(ShareOfLimit(open_max)) {}

absl::StatusOr<std::unique_ptr<File>> RingFilePool::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<File>> file = fs_->Open(path, OpenMode::kReadWrite);
  if (!absl::IsResourceExhausted(file.status())) return file;
  {
    MutexLock lock(&mu_);
    CloseDownTo(open_.size() / 2);
  }
  return fs_->Open(path, OpenMode::kReadWrite);
}

void RingFilePool::Add(RingFile* file) {
  MutexLock lock(&mu_);
  open_.push_back(file);
  CloseDownTo(open_max_);
}

void RingFilePool::Remove(RingFile* file) {
  MutexLock lock(&mu_);
  open_.erase(std::remove(open_.begin(), open_.end(), file), open_.end());
}

// A file that was used since it was last looked at gets a second chance; after two rounds even
// those have to go.
void RingFilePool::CloseDownTo(size_t open_max) {
  for (size_t looks = 2 * open_.size(); looks > 0 && open_.size() > open_max; --looks) {
    RingFile* const file = open_.front();
    open_.pop_front();
    if (!file->CloseIdle(/*even_if_used=*/looks <= open_.size())) open_.push_back(file);
  }
}

}  // namespace shoal
