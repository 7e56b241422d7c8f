#include "tests/testing/fault_file_system.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr uint64_t kBlockBytes = 4096;
constexpr uint64_t kSectorBytes = 512;

using Block = std::array<char, kBlockBytes>;

std::string FolderOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

std::string Trimmed(const std::string& dir) {
  return dir.size() > 1 && dir.back() == '/' ? dir.substr(0, dir.size() - 1) : dir;
}

// Sparse contents in blocks that are shared until written.
struct Contents {
  uint64_t size = 0;
  std::map<uint64_t, std::shared_ptr<const Block>> blocks;

  void Read(uint64_t offset, size_t count, char* to) const {
    while (count > 0) {
      const uint64_t in_block = offset % kBlockBytes;
      const size_t n = std::min<size_t>(count, kBlockBytes - in_block);
      if (const auto it = blocks.find(offset / kBlockBytes); it != blocks.end()) {
        std::memcpy(to, it->second->data() + in_block, n);
      } else {
        std::memset(to, 0, n);
      }
      offset += n;
      to += n;
      count -= n;
    }
  }
  void Write(uint64_t offset, absl::string_view bytes) {
    size = std::max(size, offset + bytes.size());
    while (!bytes.empty()) {
      const uint64_t in_block = offset % kBlockBytes;
      const size_t n = std::min<size_t>(bytes.size(), kBlockBytes - in_block);
      std::shared_ptr<const Block>& slot = blocks[offset / kBlockBytes];
      auto block = std::make_shared<Block>();
      if (slot != nullptr) *block = *slot;
      std::memcpy(block->data() + in_block, bytes.data(), n);
      slot = std::move(block);
      offset += n;
      bytes.remove_prefix(n);
    }
  }
  void Zero(uint64_t offset, uint64_t count) {
    const uint64_t end = std::min(offset + count, size);
    const uint64_t old_size = size;
    while (offset < end) {
      const uint64_t n = std::min(end - offset, kBlockBytes - offset % kBlockBytes);
      if (n == kBlockBytes) {
        blocks.erase(offset / kBlockBytes);
      } else if (blocks.count(offset / kBlockBytes) > 0) {
        Write(offset, std::string(n, '\0'));
      }
      offset += n;
    }
    size = old_size;
  }
  void Truncate(uint64_t new_size) {
    if (new_size < size) Zero(new_size, size - new_size);
    size = new_size;
  }
};

}  // namespace

struct FaultFileSystem::Inode {
  Contents live;
  Contents durable;
  std::set<uint64_t> dirty;  // blocks that may differ

  void MakeDurable() {
    for (const uint64_t number : dirty) {
      if (const auto it = live.blocks.find(number); it != live.blocks.end()) {
        durable.blocks[number] = it->second;
      } else {
        durable.blocks.erase(number);
      }
    }
    durable.size = live.size;
    dirty.clear();
  }

  void Lose(Unsynced unsynced, std::mt19937_64* random) {
    switch (unsynced) {
      case Unsynced::kKeep:
        break;
      case Unsynced::kDrop:
        live = durable;
        break;
      case Unsynced::kTear:
        Tear(random);
        break;
    }
    durable = live;
    dirty.clear();
  }

  void Tear(std::mt19937_64* random) {
    const Contents fresh = live;
    live = durable;
    if ((*random)() % 2 == 0) live.size = fresh.size;
    for (const uint64_t number : dirty) {
      for (uint64_t at = 0; at < kBlockBytes; at += kSectorBytes) {
        const uint64_t offset = number * kBlockBytes + at;
        const uint64_t choice = (*random)() % 8;
        if (choice >= 5 || offset >= live.size) continue;  // the old sector
        std::string sector(kSectorBytes, '\0');
        fresh.Read(offset, sector.size(), sector.data());
        if (choice == 4)
          sector.resize((*random)() % kSectorBytes);  // new up to a point, old behind it
        sector.resize(std::min<uint64_t>(sector.size(), live.size - offset));
        if (!sector.empty()) live.Write(offset, sector);
      }
    }
  }
};

class FaultFileSystem::Handle : public File {
 public:
  Handle(FaultFileSystem* fs, std::string path, std::shared_ptr<Inode> inode, bool writable,
         uint64_t epoch, bool lock)
      : fs_(fs),
        path_(std::move(path)),
        inode_(std::move(inode)),
        writable_(writable),
        epoch_(epoch),
        lock_(lock) {}

  ~Handle() override {
    if (!lock_) return;
    MutexLock lock(&fs_->mu_);
    if (epoch_ == fs_->epoch_) fs_->locks_.erase(path_);
  }

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(Alive());
    SHOAL_RETURN_IF_ERROR(fs_->Inject(Fault::kRead, path_));
    const uint64_t end = inode_->live.size;
    const size_t n = offset >= end ? 0 : std::min<size_t>(size, end - offset);
    inode_->live.Read(offset, n, to);
    return n;
  }

  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(StartMutation(Fault::kWrite));
    if (bytes.empty()) return absl::OkStatus();
    inode_->live.Write(offset, bytes);
    MarkDirty(offset, bytes.size());
    return absl::OkStatus();
  }

  absl::Status Sync() override {
    MutexLock lock(&fs_->mu_);
    if (absl::Status status = StartMutation(Fault::kSync); !status.ok()) {
      // As Linux may: the dirty pages are called clean and never written; readers see them until
      // they are evicted.
      if (fs_->fault_ == Fault::kSync && !fs_->crashed_) inode_->dirty.clear();
      return status;
    }
    inode_->MakeDurable();
    return absl::OkStatus();
  }

  absl::Status Truncate(uint64_t size) override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(StartMutation(Fault::kWrite));
    const uint64_t old_size = inode_->live.size;
    inode_->live.Truncate(size);
    if (size < old_size) MarkDirty(size, old_size - size);
    return absl::OkStatus();
  }

  absl::Status PunchHole(uint64_t offset, uint64_t size) override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(StartMutation(Fault::kWrite));
    const uint64_t end = inode_->live.size;
    if (offset >= end) return absl::OkStatus();
    size = std::min(size, end - offset);
    inode_->live.Zero(offset, size);
    MarkDirty(offset, size);
    return absl::OkStatus();
  }

  absl::StatusOr<uint64_t> NextData(uint64_t offset) const override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(Alive());
    const auto it = inode_->live.blocks.lower_bound(offset / kBlockBytes);
    if (it == inode_->live.blocks.end()) return UINT64_MAX;
    return std::max(offset, it->first * kBlockBytes);
  }

  absl::StatusOr<uint64_t> Size() const override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(Alive());
    return inode_->live.size;
  }

  absl::StatusOr<uint64_t> AllocatedBytes() const override {
    MutexLock lock(&fs_->mu_);
    SHOAL_RETURN_IF_ERROR(Alive());
    return inode_->live.blocks.size() * kBlockBytes;
  }

  const std::string& path() const override { return path_; }

 private:
  absl::Status Alive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_->mu_) {
    if (epoch_ == fs_->epoch_) return absl::OkStatus();
    return absl::AbortedError(absl::StrCat(path_, ": open since before the power loss"));
  }
  absl::Status StartMutation(Fault fault) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_->mu_) {
    SHOAL_RETURN_IF_ERROR(Alive());
    if (!failure_.ok() && fault == Fault::kSync) ++fs_->syncs_after_failure_;
    SHOAL_RETURN_IF_ERROR(failure_);
    if (!writable_) return absl::PermissionDeniedError(absl::StrCat(path_, ": read only"));
    SHOAL_RETURN_IF_ERROR(fs_->CountMutation());
    failure_ = fs_->Inject(fault, path_);
    return failure_;
  }
  void MarkDirty(uint64_t offset, uint64_t size) ABSL_EXCLUSIVE_LOCKS_REQUIRED(fs_->mu_) {
    for (uint64_t n = offset / kBlockBytes; n <= (offset + size - 1) / kBlockBytes; ++n) {
      inode_->dirty.insert(n);
    }
  }

  FaultFileSystem* const fs_;
  const std::string path_;
  const std::shared_ptr<Inode> inode_;
  const bool writable_;
  const uint64_t epoch_;
  const bool lock_;
  absl::Status failure_;  // sticky; under fs_->mu_
};

FaultFileSystem::FaultFileSystem() { dirs_ = {".", "/"}; }
FaultFileSystem::~FaultFileSystem() = default;

int64_t FaultFileSystem::mutations() const {
  MutexLock lock(&mu_);
  return mutations_;
}

void FaultFileSystem::CrashAfter(int64_t mutations) {
  MutexLock lock(&mu_);
  crash_at_ = mutations < 0 ? -1 : mutations_ + mutations;
}

void FaultFileSystem::VisitStates(
    int64_t first, int64_t step,
    std::function<void(int64_t mutation, std::unique_ptr<FaultFileSystem> state)> visit) {
  MutexLock lock(&mu_);
  visit_next_ = first;
  visit_step_ = step;
  visit_ = std::move(visit);
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::Copy() const {
  MutexLock lock(&mu_);
  return CopyLocked();
}

std::unique_ptr<FaultFileSystem> FaultFileSystem::CopyLocked() const {
  auto copy = std::make_unique<FaultFileSystem>();
  MutexLock lock(&copy->mu_);
  // Several names, durable and not, may stand for one inode.
  std::map<const Inode*, std::shared_ptr<Inode>> inodes;
  const auto copied = [&](const std::shared_ptr<Inode>& inode) -> std::shared_ptr<Inode> {
    if (inode == nullptr) return nullptr;
    std::shared_ptr<Inode>& other = inodes[inode.get()];
    if (other == nullptr) other = std::make_shared<Inode>(*inode);
    return other;
  };
  for (const auto& [path, inode] : names_) copy->names_[path] = copied(inode);
  for (const auto& [path, inode] : durable_names_) copy->durable_names_[path] = copied(inode);
  for (const auto& [dir, changes] : pending_) {
    std::vector<NameChange>& to = copy->pending_[dir];
    for (const NameChange& change : changes) to.push_back({change.path, copied(change.inode)});
  }
  copy->dirs_ = dirs_;
  copy->free_bytes_ = free_bytes_;
  return copy;
}

bool FaultFileSystem::crashed() const {
  MutexLock lock(&mu_);
  return crashed_;
}

void FaultFileSystem::PowerLoss(Unsynced unsynced, uint64_t seed) {
  MutexLock lock(&mu_);
  std::mt19937_64 random(seed);
  if (unsynced != Unsynced::kKeep) {
    if (unsynced == Unsynced::kTear) {
      for (const auto& [dir, changes] : pending_) {
        const size_t kept = random() % (changes.size() + 1);
        for (size_t i = 0; i < kept; ++i) {
          if (changes[i].inode != nullptr) {
            durable_names_[changes[i].path] = changes[i].inode;
          } else {
            durable_names_.erase(changes[i].path);
          }
        }
      }
    }
    names_ = durable_names_;
  }
  durable_names_ = names_;
  pending_.clear();
  std::set<Inode*> seen;
  for (const auto& [path, inode] : names_) {
    if (seen.insert(inode.get()).second) inode->Lose(unsynced, &random);
  }
  locks_.clear();
  ++epoch_;
  crashed_ = false;
  crash_at_ = -1;
}

void FaultFileSystem::FailEvery(Fault fault, int64_t k, absl::Status error, std::string path_part) {
  MutexLock lock(&mu_);
  fault_ = k > 0 ? fault : Fault::kNone;
  fault_every_ = k;
  fault_count_ = 0;
  injected_ = 0;
  fault_error_ = std::move(error);
  fault_path_ = std::move(path_part);
}

int64_t FaultFileSystem::injected() const {
  MutexLock lock(&mu_);
  return injected_;
}

int64_t FaultFileSystem::syncs_after_failure() const {
  MutexLock lock(&mu_);
  return syncs_after_failure_;
}

void FaultFileSystem::SetFreeBytes(uint64_t bytes) {
  MutexLock lock(&mu_);
  free_bytes_ = bytes;
}

bool FaultFileSystem::HasUnsynced(const std::string& path_part) const {
  MutexLock lock(&mu_);
  for (const auto& [path, inode] : names_) {
    if (path.find(path_part) != std::string::npos && !inode->dirty.empty()) return true;
  }
  for (const auto& [dir, changes] : pending_) {
    for (const NameChange& change : changes) {
      if (change.path.find(path_part) != std::string::npos) return true;
    }
  }
  return false;
}

bool FaultFileSystem::FlipBits(const std::string& path, uint64_t offset, uint8_t mask) {
  MutexLock lock(&mu_);
  const auto it = names_.find(path);
  if (it == names_.end() || offset >= it->second->live.size) return false;
  for (Contents* contents : {&it->second->live, &it->second->durable}) {
    if (offset >= contents->size) continue;
    char byte = 0;
    contents->Read(offset, 1, &byte);
    byte = static_cast<char>(byte ^ mask);
    contents->Write(offset, absl::string_view(&byte, 1));
  }
  return true;
}

std::vector<std::string> FaultFileSystem::Files() const {
  MutexLock lock(&mu_);
  std::vector<std::string> paths;
  for (const auto& [path, inode] : names_) paths.push_back(path);
  return paths;
}

absl::Status FaultFileSystem::CountMutation() {
  if (crashed_ || (crash_at_ >= 0 && mutations_ >= crash_at_)) {
    crashed_ = true;
    return absl::AbortedError("the machine has stopped");
  }
  if (mutations_ == visit_next_) {
    visit_next_ += visit_step_;
    visit_(mutations_, CopyLocked());
  }
  ++mutations_;
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Inject(Fault fault, const std::string& path) {
  if (fault != fault_ || fault_every_ <= 0 || path.find(fault_path_) == std::string::npos) {
    return absl::OkStatus();
  }
  if (++fault_count_ % fault_every_ != 0) return absl::OkStatus();
  ++injected_;
  return Annotate(fault_error_, path);
}

void FaultFileSystem::ChangeName(const std::string& path, std::shared_ptr<Inode> inode) {
  if (inode != nullptr) {
    names_[path] = inode;
  } else {
    names_.erase(path);
  }
  pending_[FolderOf(path)].push_back({path, std::move(inode)});
}

absl::StatusOr<std::unique_ptr<File>> FaultFileSystem::Open(const std::string& path,
                                                            OpenMode mode) {
  MutexLock lock(&mu_);
  const auto it = names_.find(path);
  const bool creates = mode == OpenMode::kCreate || mode == OpenMode::kCreateExclusive;
  if (it != names_.end()) {
    if (mode == OpenMode::kCreateExclusive) return absl::AlreadyExistsError(path);
    return std::make_unique<Handle>(this, path, it->second, mode != OpenMode::kReadOnly, epoch_,
                                    false);
  }
  if (!creates || dirs_.count(FolderOf(path)) == 0) {
    return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  }
  SHOAL_RETURN_IF_ERROR(CountMutation());
  auto inode = std::make_shared<Inode>();
  ChangeName(path, inode);
  return std::make_unique<Handle>(this, path, std::move(inode), true, epoch_, false);
}

absl::StatusOr<bool> FaultFileSystem::Exists(const std::string& path) {
  MutexLock lock(&mu_);
  return names_.count(path) > 0 || dirs_.count(Trimmed(path)) > 0;
}

absl::StatusOr<std::vector<std::string>> FaultFileSystem::List(const std::string& dir) {
  MutexLock lock(&mu_);
  const std::string folder = Trimmed(dir);
  if (dirs_.count(folder) == 0) return absl::NotFoundError(absl::StrCat(dir, ": no such folder"));
  std::vector<std::string> found;
  for (const auto& [path, inode] : names_) {
    if (FolderOf(path) == folder) found.push_back(path.substr(path.rfind('/') + 1));
  }
  for (const std::string& other : dirs_) {
    if (other != folder && FolderOf(other) == folder)
      found.push_back(other.substr(other.rfind('/') + 1));
  }
  std::sort(found.begin(), found.end());
  return found;
}

absl::Status FaultFileSystem::CreateDirs(const std::string& dir) {
  MutexLock lock(&mu_);
  if (dirs_.count(Trimmed(dir)) > 0) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(CountMutation());
  for (std::string path = Trimmed(dir); dirs_.insert(path).second;) path = FolderOf(path);
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Rename(const std::string& from, const std::string& to) {
  MutexLock lock(&mu_);
  const auto it = names_.find(from);
  if (it == names_.end()) return absl::NotFoundError(absl::StrCat(from, ": no such file"));
  SHOAL_RETURN_IF_ERROR(CountMutation());
  const std::shared_ptr<Inode> inode = it->second;
  ChangeName(to, inode);
  ChangeName(from, nullptr);
  return absl::OkStatus();
}

absl::Status FaultFileSystem::Remove(const std::string& path) {
  MutexLock lock(&mu_);
  if (names_.count(path) > 0) {
    SHOAL_RETURN_IF_ERROR(CountMutation());
    ChangeName(path, nullptr);
    return absl::OkStatus();
  }
  const std::string dir = Trimmed(path);
  if (dirs_.count(dir) == 0) return absl::NotFoundError(absl::StrCat(path, ": no such file"));
  for (const auto& [file, inode] : names_) {
    if (FolderOf(file) == dir)
      return absl::FailedPreconditionError(absl::StrCat(path, ": not empty"));
  }
  SHOAL_RETURN_IF_ERROR(CountMutation());
  dirs_.erase(dir);
  return absl::OkStatus();
}

absl::Status FaultFileSystem::SyncDir(const std::string& dir) {
  MutexLock lock(&mu_);
  SHOAL_RETURN_IF_ERROR(CountMutation());
  const auto it = pending_.find(Trimmed(dir));
  if (it == pending_.end()) return absl::OkStatus();
  for (const NameChange& change : it->second) {
    if (change.inode != nullptr) {
      durable_names_[change.path] = change.inode;
    } else {
      durable_names_.erase(change.path);
    }
  }
  pending_.erase(it);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> FaultFileSystem::FreeBytes(const std::string& /*dir*/) {
  MutexLock lock(&mu_);
  return free_bytes_;
}

absl::StatusOr<std::unique_ptr<File>> FaultFileSystem::Lock(const std::string& path) {
  SHOAL_RETURN_IF_ERROR(Open(path, OpenMode::kCreate).status());
  MutexLock lock(&mu_);
  if (!locks_.insert(path).second) {
    return absl::FailedPreconditionError(absl::StrCat(path, ": held by another process"));
  }
  return std::make_unique<Handle>(this, path, names_[path], true, epoch_, true);
}

}  // namespace shoal
