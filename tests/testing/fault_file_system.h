// A file system in memory that crashes, loses power and fails on demand.
//
// What is durable: the contents of a file as of its last Sync; the names in a folder as of its last
// SyncDir (folders themselves at once). Everything else is at the mercy of PowerLoss.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "storage/fs/file_system.h"

namespace shoal {

// Thread safe. Open files keep the file system's state alive, but must not be used after it is
// gone.
class FaultFileSystem : public FileSystem {
 public:
  enum class Unsynced {
    kDrop,  // nothing that was not synced survives
    kKeep,  // all of it does: kill -9, the machine goes on
    kTear,  // of each 512-byte sector, also in holes, and each file size the old or the new state,
            // at random, some sectors mixed; of a folder's changes a random number of the first
            // ones
  };
  enum class Fault { kNone, kWrite, kSync, kRead };

  FaultFileSystem();
  ~FaultFileSystem() override;

  // Operations that change something so far: writes, syncs, truncations, holes, creations, renames,
  // removals, folder syncs.
  int64_t mutations() const;

  // The machine stops after `mutations` more of them: that one and every later one fails (Aborted)
  // and changes nothing, until PowerLoss. Negative: never.
  void CrashAfter(int64_t mutations);
  bool crashed() const;
  // Before each mutation whose number (from 0, as mutations() counts) is first, first + step, ...:
  // `visit` gets a copy of everything, which is what a machine leaves that stops there. It runs on
  // the thread of the mutation, under the lock: it must not touch this file system.
  void VisitStates(
      int64_t first, int64_t step,
      std::function<void(int64_t mutation, std::unique_ptr<FaultFileSystem> state)> visit);
  // The same files, synced and not; nothing is open or locked, no fault is set.
  std::unique_ptr<FaultFileSystem> Copy() const;
  // Loses what was not synced, ends the crash, releases the locks. Files that are open stay dead
  // for ever.
  void PowerLoss(Unsynced unsynced, uint64_t seed);

  // Every k-th operation of the kind fails with `error`; a failed Sync drops what it should have
  // made durable, as Linux may; a failed read leaves the file as it is. k = 0 or kNone: no more
  // failures. `path_part`: only files whose path contains it.
  void FailEvery(Fault fault, int64_t k, absl::Status error, std::string path_part = "");
  // Failures injected since the last FailEvery, and the operations that were tried on a file object
  // after a write or sync of it had failed: they fail, too, but a caller should know better.
  int64_t injected() const;
  int64_t syncs_after_failure() const;
  // What FreeBytes says; writes do not count against it.
  void SetFreeBytes(uint64_t bytes);

  // Whether contents or names of files whose path contains `path_part` would be lost now.
  bool HasUnsynced(const std::string& path_part) const;

  // Flips bits of the durable and the current contents. False when the file has no such byte.
  bool FlipBits(const std::string& path, uint64_t offset, uint8_t mask);
  // Paths of all files, sorted.
  std::vector<std::string> Files() const;

  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  absl::StatusOr<bool> Exists(const std::string& path) override;
  absl::StatusOr<std::vector<std::string>> List(const std::string& dir) override;
  absl::Status CreateDirs(const std::string& dir) override;
  absl::Status Rename(const std::string& from, const std::string& to) override;
  absl::Status Remove(const std::string& path) override;
  absl::Status SyncDir(const std::string& dir) override;
  absl::StatusOr<uint64_t> FreeBytes(const std::string& dir) override;
  absl::StatusOr<std::unique_ptr<File>> Lock(const std::string& path) override;

 private:
  class Handle;
  struct Inode;
  // One change of a folder that is not durable yet: the name now stands for the inode, or for
  // nothing.
  struct NameChange {
    std::string path;
    std::shared_ptr<Inode> inode;
  };
  using Names = std::map<std::string, std::shared_ptr<Inode>>;

  std::unique_ptr<FaultFileSystem> CopyLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status CountMutation() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status Inject(Fault fault, const std::string& path) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void ChangeName(const std::string& path, std::shared_ptr<Inode> inode)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  mutable Mutex mu_;
  Names names_ ABSL_GUARDED_BY(mu_);
  Names durable_names_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, std::vector<NameChange>> pending_ ABSL_GUARDED_BY(mu_);  // by folder
  std::set<std::string> dirs_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> locks_ ABSL_GUARDED_BY(mu_);
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) =
      0;  // power losses so far; a handle of an older one is dead
  int64_t mutations_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t crash_at_ ABSL_GUARDED_BY(mu_) = -1;
  bool crashed_ ABSL_GUARDED_BY(mu_) = false;
  int64_t visit_next_ ABSL_GUARDED_BY(mu_) = -1;
  int64_t visit_step_ ABSL_GUARDED_BY(mu_) = 0;
  std::function<void(int64_t, std::unique_ptr<FaultFileSystem>)> visit_ ABSL_GUARDED_BY(mu_);
  Fault fault_ ABSL_GUARDED_BY(mu_) = Fault::kNone;
  int64_t fault_every_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t fault_count_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t injected_ ABSL_GUARDED_BY(mu_) = 0;
  int64_t syncs_after_failure_ ABSL_GUARDED_BY(mu_) = 0;
  absl::Status fault_error_ ABSL_GUARDED_BY(mu_);
  std::string fault_path_ ABSL_GUARDED_BY(mu_);
  uint64_t free_bytes_ ABSL_GUARDED_BY(mu_) = uint64_t{1} << 40;
};

}  // namespace shoal
