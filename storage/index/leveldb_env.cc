#include "storage/index/leveldb_env.h"

#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "leveldb/slice.h"

namespace shoal {
namespace {

leveldb::Status ToLevelDb(const absl::Status& status) {
  if (status.ok()) return leveldb::Status::OK();
  const std::string text(status.message());
  if (absl::IsNotFound(status)) return leveldb::Status::NotFound(text);
  return leveldb::Status::IOError(text);
}

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : slash == 0 ? "/" : path.substr(0, slash);
}

class SequentialFile : public leveldb::SequentialFile {
 public:
  explicit SequentialFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  leveldb::Status Read(size_t size, leveldb::Slice* result, char* scratch) override {
    const absl::StatusOr<size_t> read = file_->ReadAt(offset_, size, scratch);
    if (!read.ok()) return ToLevelDb(read.status());
    offset_ += *read;
    *result = leveldb::Slice(scratch, *read);
    return leveldb::Status::OK();
  }
  leveldb::Status Skip(uint64_t size) override {
    offset_ += size;
    return leveldb::Status::OK();
  }

 private:
  const std::unique_ptr<File> file_;
  uint64_t offset_ = 0;
};

class RandomAccessFile : public leveldb::RandomAccessFile {
 public:
  explicit RandomAccessFile(std::unique_ptr<File> file) : file_(std::move(file)) {}
  leveldb::Status Read(uint64_t offset, size_t size, leveldb::Slice* result,
                       char* scratch) const override {
    const absl::StatusOr<size_t> read = file_->ReadAt(offset, size, scratch);
    *result = leveldb::Slice(scratch, read.value_or(0));
    return ToLevelDb(read.status());
  }

 private:
  const std::unique_ptr<File> file_;
};

class WritableFile : public leveldb::WritableFile {
 public:
  WritableFile(FileSystem* fs, std::unique_ptr<File> file, uint64_t offset)
      : fs_(fs), file_(std::move(file)), offset_(offset) {}
  ~WritableFile() override { FlushBuffer().ok(); }

  leveldb::Status Append(const leveldb::Slice& bytes) override {
    buffer_.append(bytes.data(), bytes.size());
    return buffer_.size() < kBufferBytes ? leveldb::Status::OK() : FlushBuffer();
  }
  leveldb::Status Close() override { return FlushBuffer(); }
  leveldb::Status Flush() override { return FlushBuffer(); }
  leveldb::Status Sync() override {
    leveldb::Status status = FlushBuffer();
    if (status.ok()) status = ToLevelDb(file_->Sync());
    if (!status.ok() || name_synced_) return status;
    // The names of this file and of those that it refers to (a MANIFEST names tables made before
    // it).
    status = ToLevelDb(fs_->SyncDir(FolderOf(file_->path())));
    name_synced_ = file_->path().find("MANIFEST") == std::string::npos;
    return status;
  }

 private:
  static constexpr size_t kBufferBytes = 64 << 10;

  leveldb::Status FlushBuffer() {
    if (buffer_.empty()) return leveldb::Status::OK();
    const absl::Status status = file_->WriteAt(offset_, buffer_);
    offset_ += buffer_.size();
    buffer_.clear();
    return ToLevelDb(status);
  }

  FileSystem* const fs_;
  const std::unique_ptr<File> file_;
  uint64_t offset_;
  std::string buffer_;
  bool name_synced_ = false;
};

class FileLock : public leveldb::FileLock {
 public:
  explicit FileLock(std::unique_ptr<File> file) : file_(std::move(file)) {}

 private:
  const std::unique_ptr<File> file_;
};

// LevelDB's informational log is of no use to an operator of ours.
class NullLogger : public leveldb::Logger {
 public:
  void Logv(const char* /*format*/, std::va_list /*arguments*/) override {}
};

class Env : public leveldb::EnvWrapper {
 public:
  explicit Env(FileSystem* fs) : leveldb::EnvWrapper(leveldb::Env::Default()), fs_(fs) {}

  leveldb::Status NewSequentialFile(const std::string& path,
                                    leveldb::SequentialFile** result) override {
    auto file = fs_->Open(path, OpenMode::kReadOnly);
    *result = file.ok() ? new SequentialFile(*std::move(file)) : nullptr;
    return ToLevelDb(file.status());
  }
  leveldb::Status NewRandomAccessFile(const std::string& path,
                                      leveldb::RandomAccessFile** result) override {
    auto file = fs_->Open(path, OpenMode::kReadOnly);
    *result = file.ok() ? new RandomAccessFile(*std::move(file)) : nullptr;
    return ToLevelDb(file.status());
  }
  leveldb::Status NewWritableFile(const std::string& path,
                                  leveldb::WritableFile** result) override {
    *result = nullptr;
    auto file = fs_->Open(path, OpenMode::kCreate);
    if (!file.ok()) return ToLevelDb(file.status());
    if (absl::Status status = (*file)->Truncate(0); !status.ok()) return ToLevelDb(status);
    *result = new WritableFile(fs_, *std::move(file), 0);
    return leveldb::Status::OK();
  }
  leveldb::Status NewAppendableFile(const std::string& path,
                                    leveldb::WritableFile** result) override {
    *result = nullptr;
    auto file = fs_->Open(path, OpenMode::kCreate);
    if (!file.ok()) return ToLevelDb(file.status());
    const absl::StatusOr<uint64_t> size = (*file)->Size();
    if (!size.ok()) return ToLevelDb(size.status());
    *result = new WritableFile(fs_, *std::move(file), *size);
    return leveldb::Status::OK();
  }
  bool FileExists(const std::string& path) override { return fs_->Exists(path).value_or(false); }
  leveldb::Status GetChildren(const std::string& dir, std::vector<std::string>* names) override {
    auto found = fs_->List(dir);
    if (!found.ok()) return ToLevelDb(found.status());
    *names = *std::move(found);
    return leveldb::Status::OK();
  }
  leveldb::Status RemoveFile(const std::string& path) override {
    return ToLevelDb(fs_->Remove(path));
  }
  leveldb::Status CreateDir(const std::string& dir) override {
    return ToLevelDb(fs_->CreateDirs(dir));
  }
  leveldb::Status RemoveDir(const std::string& dir) override { return ToLevelDb(fs_->Remove(dir)); }
  leveldb::Status GetFileSize(const std::string& path, uint64_t* size) override {
    auto file = fs_->Open(path, OpenMode::kReadOnly);
    if (!file.ok()) return ToLevelDb(file.status());
    const absl::StatusOr<uint64_t> result = (*file)->Size();
    *size = result.value_or(0);
    return ToLevelDb(result.status());
  }
  leveldb::Status RenameFile(const std::string& from, const std::string& to) override {
    absl::Status status = fs_->Rename(from, to);
    if (status.ok()) status = fs_->SyncDir(FolderOf(to));
    return ToLevelDb(status);
  }
  leveldb::Status LockFile(const std::string& path, leveldb::FileLock** lock) override {
    auto file = fs_->Lock(path);
    *lock = file.ok() ? new FileLock(*std::move(file)) : nullptr;
    return ToLevelDb(file.status());
  }
  leveldb::Status UnlockFile(leveldb::FileLock* lock) override {
    delete lock;
    return leveldb::Status::OK();
  }
  leveldb::Status NewLogger(const std::string& /*path*/, leveldb::Logger** result) override {
    *result = new NullLogger;
    return leveldb::Status::OK();
  }

 private:
  FileSystem* const fs_;
};

}  // namespace

std::unique_ptr<leveldb::Env> NewLevelDbEnv(FileSystem* fs) { return std::make_unique<Env>(fs); }

absl::Status FromLevelDb(const leveldb::Status& status, absl::string_view context) {
  if (status.ok()) return absl::OkStatus();
  const std::string text = absl::StrCat(context, ": ", status.ToString());
  if (status.IsCorruption()) return absl::DataLossError(text);
  if (status.IsNotFound()) return absl::NotFoundError(text);
  if (status.IsInvalidArgument()) return absl::InvalidArgumentError(text);
  return absl::UnavailableError(text);
}

}  // namespace shoal
