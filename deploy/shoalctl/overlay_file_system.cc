#include "deploy/shoalctl/overlay_file_system.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {

// One file: the one below, and the blocks that were written since.
struct OverlayFileSystem::Contents {
  static constexpr uint64_t kBlockBytes = 4096;

  Mutex mu;
  std::unique_ptr<File> base;  // null: the file is only here
  uint64_t base_bytes = 0;     // of `base` that still count
  uint64_t size ABSL_GUARDED_BY(mu) = 0;
  std::map<uint64_t, std::string> blocks ABSL_GUARDED_BY(mu);  // by number, each whole

  absl::StatusOr<std::string*> BlockAt(uint64_t number) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu) {
    const auto [it, is_new] = blocks.try_emplace(number);
    if (is_new) {
      it->second.assign(kBlockBytes, '\0');
      const uint64_t offset = number * kBlockBytes;
      if (offset < base_bytes) {
        const size_t wanted = std::min(kBlockBytes, base_bytes - offset);
        SHOAL_RETURN_IF_ERROR(base->ReadAt(offset, wanted, it->second.data()).status());
      }
    }
    return &it->second;
  }
};

namespace {

using Contents = OverlayFileSystem::Contents;

class OverlayFile : public File {
 public:
  OverlayFile(std::string path, std::shared_ptr<Contents> contents)
      : path_(std::move(path)), contents_(std::move(contents)) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    MutexLock lock(&contents_->mu);
    if (offset >= contents_->size) return 0;
    size = static_cast<size_t>(std::min<uint64_t>(size, contents_->size - offset));
    std::memset(to, 0, size);
    if (offset < contents_->base_bytes) {
      const size_t wanted =
          static_cast<size_t>(std::min<uint64_t>(size, contents_->base_bytes - offset));
      SHOAL_RETURN_IF_ERROR(contents_->base->ReadAt(offset, wanted, to).status());
    }
    for (auto it = contents_->blocks.lower_bound(offset / Contents::kBlockBytes);
         it != contents_->blocks.end() && it->first * Contents::kBlockBytes < offset + size; ++it) {
      const uint64_t block_start = it->first * Contents::kBlockBytes;
      const uint64_t from = std::max(offset, block_start);
      const uint64_t to_end = std::min(offset + size, block_start + Contents::kBlockBytes);
      std::memcpy(to + (from - offset), it->second.data() + (from - block_start), to_end - from);
    }
    return size;
  }
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    MutexLock lock(&contents_->mu);
    contents_->size = std::max<uint64_t>(contents_->size, offset + bytes.size());
    while (!bytes.empty()) {
      SHOAL_ASSIGN_OR_RETURN(std::string * block,
                             contents_->BlockAt(offset / Contents::kBlockBytes));
      const size_t at = offset % Contents::kBlockBytes;
      const size_t count = std::min<size_t>(bytes.size(), Contents::kBlockBytes - at);
      std::memcpy(block->data() + at, bytes.data(), count);
      bytes.remove_prefix(count);
      offset += count;
    }
    return absl::OkStatus();
  }
  absl::Status Sync() override { return absl::OkStatus(); }
  absl::Status Truncate(uint64_t size) override {
    MutexLock lock(&contents_->mu);
    // Bytes past the new end must read as zeros should the file grow again.
    if (size < contents_->size && size % Contents::kBlockBytes != 0) {
      SHOAL_ASSIGN_OR_RETURN(std::string * block, contents_->BlockAt(size / Contents::kBlockBytes));
      std::fill(block->begin() + static_cast<ptrdiff_t>(size % Contents::kBlockBytes), block->end(),
                '\0');
    }
    contents_->blocks.erase(
        contents_->blocks.lower_bound((size + Contents::kBlockBytes - 1) / Contents::kBlockBytes),
        contents_->blocks.end());
    contents_->base_bytes = std::min(contents_->base_bytes, size);
    contents_->size = size;
    return absl::OkStatus();
  }
  absl::Status PunchHole(uint64_t offset, uint64_t size) override {
    return WriteAt(offset, std::string(size, '\0'));
  }
  absl::StatusOr<uint64_t> NextData(uint64_t offset) const override {
    MutexLock lock(&contents_->mu);
    uint64_t next = UINT64_MAX;
    if (const auto it = contents_->blocks.lower_bound(offset / Contents::kBlockBytes);
        it != contents_->blocks.end()) {
      next = std::max(offset, it->first * Contents::kBlockBytes);
    }
    if (contents_->base == nullptr || offset >= contents_->base_bytes) return next;
    SHOAL_ASSIGN_OR_RETURN(const uint64_t below, contents_->base->NextData(offset));
    return std::min(next, below);
  }
  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(&contents_->mu);
    return contents_->size;
  }
  absl::StatusOr<uint64_t> AllocatedBytes() const override {
    return contents_->base == nullptr ? Size() : contents_->base->AllocatedBytes();
  }
  const std::string& path() const override { return path_; }

 private:
  const std::string path_;
  const std::shared_ptr<Contents> contents_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<File>> OverlayFileSystem::Open(const std::string& path,
                                                              OpenMode mode) {
  const bool may_create = mode == OpenMode::kCreate || mode == OpenMode::kCreateExclusive;
  MutexLock lock(&mu_);
  std::shared_ptr<Contents>& contents = files_[path];
  if (contents == nullptr && removed_.count(path) == 0) {
    absl::StatusOr<std::unique_ptr<File>> base = base_->Open(path, OpenMode::kReadOnly);
    if (base.ok()) {
      SHOAL_ASSIGN_OR_RETURN(const uint64_t size, (*base)->Size());
      contents = std::make_shared<Contents>();
      MutexLock contents_lock(&contents->mu);
      contents->base = *std::move(base);
      contents->base_bytes = size;
      contents->size = size;
    } else if (!absl::IsNotFound(base.status()) || !may_create) {
      files_.erase(path);
      return base.status();
    }
  }
  if (contents == nullptr) {
    if (!may_create) {
      files_.erase(path);
      return absl::NotFoundError(absl::StrCat(path, ": removed"));
    }
    contents = std::make_shared<Contents>();
    removed_.erase(path);
  } else if (mode == OpenMode::kCreateExclusive) {
    return absl::AlreadyExistsError(path);
  }
  return std::make_unique<OverlayFile>(path, contents);
}

absl::StatusOr<bool> OverlayFileSystem::Exists(const std::string& path) {
  MutexLock lock(&mu_);
  if (files_.count(path) > 0) return true;
  if (removed_.count(path) > 0) return false;
  return base_->Exists(path);
}

absl::StatusOr<std::vector<std::string>> OverlayFileSystem::List(const std::string& dir) {
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> base, base_->List(dir));
  std::set<std::string> names(base.begin(), base.end());
  MutexLock lock(&mu_);
  for (const std::string& path : removed_) {
    for (const std::string& name : base) {
      if (JoinPath(dir, name) == path) names.erase(name);
    }
  }
  const std::string prefix = JoinPath(dir, "");
  for (const auto& [path, contents] : files_) {
    if (path.compare(0, prefix.size(), prefix) != 0) continue;
    const std::string name = path.substr(prefix.size());
    if (!name.empty() && name.find('/') == std::string::npos) names.insert(name);
  }
  return std::vector<std::string>(names.begin(), names.end());
}

absl::Status OverlayFileSystem::CreateDirs(const std::string& dir) {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, base_->Exists(dir));
  return exists ? absl::OkStatus() : absl::NotFoundError(absl::StrCat(dir, ": no such folder"));
}

absl::Status OverlayFileSystem::Rename(const std::string& from, const std::string&) {
  return absl::UnimplementedError(absl::StrCat(from, ": not renamed: nothing is changed here"));
}

absl::Status OverlayFileSystem::Remove(const std::string& path) {
  MutexLock lock(&mu_);
  files_.erase(path);
  removed_.insert(path);
  return absl::OkStatus();
}

absl::Status OverlayFileSystem::SyncDir(const std::string&) { return absl::OkStatus(); }

absl::StatusOr<uint64_t> OverlayFileSystem::FreeBytes(const std::string& dir) {
  return base_->FreeBytes(dir);
}

absl::StatusOr<std::unique_ptr<File>> OverlayFileSystem::Lock(const std::string& path) {
  return base_->Lock(path);
}

}  // namespace shoal
