// All file access of storage and log goes through this interface, so that tests can fail, tear and
// lose writes.
//
// Sticky failure: after a failed write or sync on a File, every later write or sync on that object
// fails with the same error. A failed fsync is never retried on the same file: the kernel may have
// dropped the dirty pages and report success.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Thread safe for reads at any time; writes to one File need the caller's order. Messages carry
// path and errno text.
class File {
 public:
  virtual ~File() = default;  // closes; errors at close are logged

  // Reads up to `size` bytes at `offset` into `to`; fewer only at the end of the file.
  virtual absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const = 0;
  virtual absl::Status WriteAt(uint64_t offset, absl::string_view bytes) = 0;
  // Makes the contents (and the size) durable: fdatasync.
  virtual absl::Status Sync() = 0;
  virtual absl::Status Truncate(uint64_t size) = 0;
  // Gives the range's disk blocks back; it reads as zeros. The size stays. OK where the file system
  // cannot.
  virtual absl::Status PunchHole(uint64_t offset, uint64_t size) = 0;
  // Where, from `offset` on, the next byte lies that may be other than zero; UINT64_MAX when there
  // is none. Says `offset` itself where the file system cannot tell.
  virtual absl::StatusOr<uint64_t> NextData(uint64_t offset) const { return offset; }
  virtual absl::StatusOr<uint64_t> Size() const = 0;
  // Bytes that the file occupies on disk (holes are free).
  virtual absl::StatusOr<uint64_t> AllocatedBytes() const = 0;
  virtual const std::string& path() const = 0;
};

enum class OpenMode {
  kReadOnly,
  kReadWrite,        // must exist
  kCreate,           // read-write; created when absent
  kCreateExclusive,  // read-write; AlreadyExists when present
};

// Thread safe.
class FileSystem {
 public:
  virtual ~FileSystem() = default;

  virtual absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) = 0;
  virtual absl::StatusOr<bool> Exists(const std::string& path) = 0;
  // Names (not paths) in a folder, sorted, without "." and "..".
  virtual absl::StatusOr<std::vector<std::string>> List(const std::string& dir) = 0;
  virtual absl::Status CreateDirs(const std::string& dir) = 0;
  virtual absl::Status Rename(const std::string& from, const std::string& to) = 0;
  virtual absl::Status Remove(const std::string& path) = 0;
  // Makes creations, renames and removals in the folder durable.
  virtual absl::Status SyncDir(const std::string& dir) = 0;
  // Bytes that an unprivileged writer may still use.
  virtual absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) = 0;
  // Takes an exclusive lock on `path` (created when absent), held until the returned object dies or
  // the process ends. FailedPrecondition when another process holds it.
  virtual absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& path) = 0;

  // The POSIX file system; lives for the whole process.
  static FileSystem* Posix();
};

// Whole small file; at most `size_max` bytes, ResourceExhausted past that.
absl::StatusOr<std::string> ReadFile(FileSystem* fs, const std::string& path, uint64_t size_max);
// Atomic and durable: writes PATH.tmp, syncs it, renames, syncs the folder.
absl::Status WriteFileAtomically(FileSystem* fs, const std::string& path, absl::string_view bytes);

std::string JoinPath(absl::string_view dir, absl::string_view name);

}  // namespace shoal
