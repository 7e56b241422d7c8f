// A batch of changes to the ring files, and how it happens as a whole: first in the journal, then
// in place, then in the sight of readers.
//
// Until a batch is committed readers see the old leases, and the old slots hold what they held.
// From the moment at which the journal is synced the batch will happen, also after a crash. Memory
// is bounded by the caller: it commits when `IsLarge`.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "storage/ring/bad_pages.h"
#include "storage/ring/double_write.h"
#include "storage/ring/ring_catalog.h"

namespace shoal {

// One thread at a time. `mu` guards the catalog; it is taken for each look-up and change.
class RingCommit {
 public:
  // `journal_bytes` may be null.
  RingCommit(FileSystem* fs, std::string dir, Mutex* mu, BadPages* bad_pages,
             Counter* journal_bytes);
  // Leaves no batch in the journal when all is in place.
  ~RingCommit();

  // A new batch for the archive; finishes first what an earlier error left in the journal.
  absl::Status Begin(ArchiveRings* rings);
  // The leases of a series as the batch will leave them.
  Leases Find(SeriesId series) const;

  // A slot that TakeSlot gave: free again should the batch not happen.
  void AddTaken(SlotRef ref) { taken_.push_back(ref); }
  void SetLease(SlotRef ref, const SlotEntry& entry) {
    entries_[ref.file].emplace_back(ref.slot, entry);
    ++staged_leases_;
  }
  // The slot belongs to nobody once the batch has happened.
  void FreeSlot(const Lease& lease);
  // The whole chain of a series.
  void SetChain(SeriesId series, const Leases& leases) { chains_[series] = leases; }
  void AddPage(RingFile* file, uint32_t stripe, uint32_t slot, absl::string_view image);
  // A stripe whose disk blocks go. A page in it is never read as half of it gone: the hole is whole
  // before anything that relies on it happens, also after a crash.
  void AddHole(RingFile* file, uint32_t index);
  // A bad page that the batch makes anew: should it fail again, it counts again.
  void AddRewritten(RingFile* file, uint32_t index, uint32_t slot) {
    rewritten_.push_back({file, index, slot});
  }

  bool IsLarge() const;
  absl::Status Commit();
  // Forgets the batch, unless it is in the journal already.
  void RollBack();

 private:
  struct Rewritten {
    RingFile* file;
    uint32_t index;
    uint32_t slot;
  };

  void AddSlotBlocks();
  absl::Status ApplyPending();
  absl::Status WriteInPlace();
  void Publish();
  void Clear();

  Mutex* const mu_;
  BadPages* const bad_pages_;
  Counter* const journal_bytes_;
  DoubleWrite journal_;
  uint64_t sequence_ = 0;

  ArchiveRings* rings_ = nullptr;
  JournalBatch batch_;
  absl::flat_hash_map<std::string, RingFile*> touched_;
  RingFile* last_touched_ = nullptr;
  absl::flat_hash_map<SeriesId, Leases> chains_;
  absl::flat_hash_map<RingFile*, std::vector<std::pair<uint32_t, SlotEntry>>> entries_;
  size_t staged_leases_ = 0;
  std::vector<SlotRef> taken_;
  std::vector<SlotRef> left_;
  std::vector<Rewritten> rewritten_;
  std::string run_;  // bytes that lie together, on their way to the file

  // The batch is in the journal but not known to be in place: nothing else is written before it is.
  bool pending_ = false;
  bool reopen_ = false;  // after a failed write or sync in place
};

}  // namespace shoal
