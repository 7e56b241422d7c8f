#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "storage/fs/file_system.h"

namespace shoal {
namespace {

absl::Status ErrnoStatus(int error, absl::string_view what, absl::string_view path) {
  const std::string text =
      absl::StrCat(path, ": ", what, ": ", std::generic_category().message(error));
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(text);
    case EEXIST:
      return absl::AlreadyExistsError(text);
    case ENOSPC:
    case EDQUOT:
    case EMFILE:
    case ENFILE:
      return absl::ResourceExhaustedError(text);
    case EACCES:
    case EPERM:
    case EROFS:
      return absl::PermissionDeniedError(text);
    default:
      return absl::UnavailableError(text);
  }
}

// The call again for as long as a signal interrupts it. Never for close (the descriptor is gone)
// and fsync (below).
template <typename Call>
auto RetryOnSignal(Call call) {
  decltype(call()) result;
  do {
    result = call();
  } while (result == -1 && errno == EINTR);
  return result;
}

class PosixFile : public File {
 public:
  PosixFile(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}
  ~PosixFile() override {
    if (::close(fd_) != 0 && errno != EINTR) {
      LogError("fs", ErrnoStatus(errno, "close", path_).message());
    }
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    size_t done = 0;
    while (done < size) {
      const ssize_t n = RetryOnSignal(
          [&] { return ::pread(fd_, to + done, size - done, static_cast<off_t>(offset + done)); });
      if (n < 0) return ErrnoStatus(errno, absl::StrCat("read at ", offset + done), path_);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    SHOAL_RETURN_IF_ERROR(Failure());
    while (!bytes.empty()) {
      const ssize_t n = RetryOnSignal(
          [&] { return ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
      if (n <= 0) {
        return Fail(ErrnoStatus(n == 0 ? EIO : errno, absl::StrCat("write at ", offset), path_));
      }
      offset += static_cast<uint64_t>(n);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    SHOAL_RETURN_IF_ERROR(Failure());
    // Not retried, whatever the error: after a failed sync the kernel may call dirty pages clean.
    if (::fdatasync(fd_) != 0) return Fail(ErrnoStatus(errno, "fdatasync", path_));
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    SHOAL_RETURN_IF_ERROR(Failure());
    if (RetryOnSignal([&] { return ::ftruncate(fd_, static_cast<off_t>(size)); }) != 0) {
      return Fail(ErrnoStatus(errno, absl::StrCat("truncate to ", size), path_));
    }
    return absl::OkStatus();
  }

  absl::Status PunchHole(uint64_t offset, uint64_t size) override {
    SHOAL_RETURN_IF_ERROR(Failure());
    const int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
    if (RetryOnSignal([&] {
          return ::fallocate(fd_, mode, static_cast<off_t>(offset), static_cast<off_t>(size));
        }) != 0 &&
        errno != EOPNOTSUPP && errno != ENOSYS) {
      return Fail(ErrnoStatus(errno, absl::StrCat("punch hole at ", offset), path_));
    }
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> NextData(uint64_t offset) const override {
    // All other access names its offset, so the descriptor's own position is nobody's.
    const off_t at = ::lseek(fd_, static_cast<off_t>(offset), SEEK_DATA);
    if (at >= 0) return static_cast<uint64_t>(at);
    if (errno == ENXIO) return UINT64_MAX;
    if (errno == EINVAL) return offset;
    return ErrnoStatus(errno, absl::StrCat("seek data at ", offset), path_);
  }

  absl::StatusOr<uint64_t> Size() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return ErrnoStatus(errno, "stat", path_);
    return static_cast<uint64_t>(info.st_size);
  }

  absl::StatusOr<uint64_t> AllocatedBytes() const override {
    struct stat info;
    if (::fstat(fd_, &info) != 0) return ErrnoStatus(errno, "stat", path_);
    return static_cast<uint64_t>(info.st_blocks) * 512;  // POSIX: st_blocks counts 512 bytes
  }

  const std::string& path() const override { return path_; }

 private:
  absl::Status Failure() const {
    MutexLock lock(&mu_);
    return failure_;
  }
  absl::Status Fail(absl::Status status) {
    MutexLock lock(&mu_);
    failure_ = status;
    return status;
  }

  const int fd_;
  const std::string path_;
  mutable Mutex mu_;
  absl::Status failure_ ABSL_GUARDED_BY(mu_);  // the first failed write or sync
};

class PosixFileSystem : public FileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    int flags = O_CLOEXEC;
    switch (mode) {
      case OpenMode::kReadOnly:
        flags |= O_RDONLY;
        break;
      case OpenMode::kReadWrite:
        flags |= O_RDWR;
        break;
      case OpenMode::kCreate:
        flags |= O_RDWR | O_CREAT;
        break;
      case OpenMode::kCreateExclusive:
        flags |= O_RDWR | O_CREAT | O_EXCL;
        break;
    }
    const int fd = RetryOnSignal([&] { return ::open(path.c_str(), flags, 0644); });
    if (fd < 0) return ErrnoStatus(errno, "open", path);
    return std::make_unique<PosixFile>(fd, path);
  }

  absl::StatusOr<bool> Exists(const std::string& path) override {
    struct stat info;
    if (::stat(path.c_str(), &info) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return ErrnoStatus(errno, "stat", path);
  }

  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override {
    DIR* const handle = ::opendir(dir.c_str());
    if (handle == nullptr) return ErrnoStatus(errno, "list", dir);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(handle)) {
      const absl::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    const int error = errno;
    ::closedir(handle);
    if (error != 0) return ErrnoStatus(error, "list", dir);
    std::sort(names.begin(), names.end());
    return names;
  }

  absl::Status CreateDirs(const std::string& dir) override {
    std::string path = absl::StartsWith(dir, "/") ? "/" : "";
    for (const absl::string_view part : absl::StrSplit(dir, '/', absl::SkipEmpty())) {
      const std::string parent = path.empty() ? "." : path;
      path = JoinPath(path, part);
      if (::mkdir(path.c_str(), 0755) == 0) {
        SHOAL_RETURN_IF_ERROR(SyncDir(parent));
      } else if (const int error = errno; error != EEXIST) {
        // A folder above ours may forbid the attempt though what we want is there.
        struct stat info;
        if (::stat(path.c_str(), &info) != 0) return ErrnoStatus(error, "create folder", path);
      }
    }
    struct stat info;
    if (::stat(dir.c_str(), &info) != 0) return ErrnoStatus(errno, "create folder", dir);
    if (!S_ISDIR(info.st_mode)) return ErrnoStatus(ENOTDIR, "create folder", dir);
    return absl::OkStatus();
  }

  absl::Status Rename(const std::string& from, const std::string& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      return ErrnoStatus(errno, absl::StrCat("rename to ", to), from);
    }
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    if (::remove(path.c_str()) != 0) return ErrnoStatus(errno, "remove", path);
    return absl::OkStatus();
  }

  absl::Status SyncDir(const std::string& dir) override {
    const int fd =
        RetryOnSignal([&] { return ::open(dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC); });
    if (fd < 0) return ErrnoStatus(errno, "open folder", dir);
    const int result = ::fsync(fd);
    const int error = errno;
    ::close(fd);
    if (result != 0) return ErrnoStatus(error, "fsync folder", dir);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override {
    struct statvfs info;
    if (::statvfs(dir.c_str(), &info) != 0) return ErrnoStatus(errno, "statvfs", dir);
    return static_cast<uint64_t>(info.f_bavail) * info.f_frsize;
  }

  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& path) override {
    const int fd =
        RetryOnSignal([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644); });
    if (fd < 0) return ErrnoStatus(errno, "open", path);
    auto file = std::make_unique<PosixFile>(fd, path);
    // flock belongs to the open file, so that a second engine in this process is refused as well.
    if (RetryOnSignal([&] { return ::flock(fd, LOCK_EX | LOCK_NB); }) != 0) {
      if (errno != EWOULDBLOCK) return ErrnoStatus(errno, "lock", path);
      return absl::FailedPreconditionError(absl::StrCat(path, ": held by another process"));
    }
    return file;
  }
};

}  // namespace

FileSystem* FileSystem::Posix() {
  static PosixFileSystem* const kPosix = new PosixFileSystem;
  return kPosix;
}

}  // namespace shoal
