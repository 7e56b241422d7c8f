// Which slots the series of one archive have, in which files.
//
// A series has a chain of leases: each covers the stripes [from, until) in one slot, one after the
// other. The first one begins at 0; there is more than one after a promotion to a larger size
// class, until the smaller pages have expired.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
#include "storage/ring/ring_file.h"
#include "storage/series_schema.h"

namespace shoal {

struct SlotRef {
  RingFile* file = nullptr;
  uint32_t slot = 0;
  // Orders slots of one archive as their bytes lie: by class, file and slot.
  uint64_t place() const {
    const RingHeader& header = file->header();
    static_assert(kRingSlotsMax <= 1 << 20);
    return uint64_t{header.size_class} << 52 | uint64_t{header.number} << 20 | slot;
  }
  friend bool operator==(const SlotRef&, const SlotRef&) = default;
};

struct Lease {
  SlotRef at;
  SlotEntry entry;
  bool Covers(uint32_t stripe) const {
    return entry.from_stripe <= stripe && stripe < entry.until_stripe;
  }
};
using Leases = absl::InlinedVector<Lease, 2>;  // ascending by from_stripe, not overlapping

// The lease that covers the stripe; null when none does.
const Lease* LeaseFor(const Leases& leases, uint32_t stripe);

// Externally synchronised: RingStore's lock. The files themselves stay for the life of the catalog.
class ArchiveRings {
 public:
  // `future_sec`: beside the retention, for the finest archive.
  ArchiveRings(ArchiveKey key, const SeriesSchema& schema, uint32_t stripe_steps,
               int64_t future_sec);

  const ArchiveKey& key() const { return key_; }
  uint32_t step_sec() const { return step_sec_; }
  uint32_t stripe_steps() const { return stripe_steps_; }
  uint32_t stripes() const { return stripes_; }
  uint8_t columns() const { return static_cast<uint8_t>(column_codes_.size()); }
  int64_t retention_sec() const { return static_cast<int64_t>(points_) * step_sec_; }
  // How far ahead of the clock its points may be.
  int64_t future_sec() const { return future_sec_; }
  // Seconds that a stripe covers.
  int64_t stripe_sec() const { return int64_t{step_sec_} * stripe_steps_; }

  // Whether the file belongs here: the same grid and columns. The first file decides the stripe's
  // steps, so that a changed setting does not orphan what is there. `why` is set when it does not
  // belong.
  bool Accepts(const RingHeader& header, std::string* why) const;
  // Takes a file that is accepted, with the leases in its slot table. Leases that contradict
  // earlier ones are left out and described in `problems`.
  void Attach(std::unique_ptr<RingFile> file, std::vector<std::string>* problems);

  // A file or a part of a slot table cannot be read: who has slots there is not known.
  void NoteLostSlots() { lost_slots_ = true; }
  bool lost_slots() const { return lost_slots_; }

  // Empty when the series has none.
  Leases Find(SeriesId series) const;
  // The slot of the last lease alone; a null file when the series has none.
  SlotRef Newest(SeriesId series) const;
  // Whether there are leases before that one.
  bool HasOlder(SeriesId series) const { return !older_.empty() && older_.contains(series); }
  // Whether its newest slot has all stripes of the series.
  bool IsPlain(SeriesId series, SlotRef newest) const {
    return !HasOlder(series) &&
           newest.file->slots().Get(newest.slot) ==
               SlotEntry{series, 0, kNoStripe, newest.file->slots().generation(newest.slot)};
  }
  // Replaces the chain of a series; empty removes it. Does not touch the slot tables.
  void Set(SeriesId series, const Leases& leases);
  std::vector<SeriesId> Series() const;

  // A free slot of the class, now taken; a null file when all are taken: make a file with
  // HeaderForNewFile and attach it.
  SlotRef TakeSlot(uint8_t size_class);
  // Gives back what TakeSlot gave, or what a lease left.
  void ReturnSlot(SlotRef ref);
  // The first files of a class are small: a small node has few series in each.
  RingHeader HeaderForNewFile(uint8_t size_class, int64_t stripe_bytes_max,
                              int64_t created_us) const;

  const std::vector<std::unique_ptr<RingFile>>& files() const { return files_; }
  // What the catalog takes, slot tables included.
  size_t MemoryBytes() const;

 private:
  // 8 bytes for a series; the rest of the lease is in the file's slot table.
  struct PackedRef {
    uint32_t file = kNoFile;  // in files_
    uint32_t slot = 0;
  };
  static constexpr uint32_t kNoFile = 0xffffffff;
  static constexpr uint32_t kChunkSeries = 4096;
  using Chunk = std::vector<PackedRef>;

  PackedRef Pack(SlotRef ref) const;
  Lease Unpack(PackedRef ref) const;
  PackedRef& NewestOf(SeriesId series);

  const ArchiveKey key_;
  const uint32_t step_sec_;
  const uint64_t points_;
  const AggregationRule rule_;
  const std::vector<uint32_t> column_codes_;
  const int64_t future_sec_;
  uint32_t stripe_steps_;
  uint32_t stripes_;

  std::vector<std::unique_ptr<RingFile>> files_;
  absl::flat_hash_map<const RingFile*, uint32_t> file_numbers_;  // position in files_
  std::vector<std::unique_ptr<Chunk>>
      newest_;  // the last lease of each series, by id / kChunkSeries; null: none
  bool lost_slots_ = false;
  absl::flat_hash_map<SeriesId, std::vector<PackedRef>> older_;  // the leases before it
  // Per class: its files by age; those before `first_free` have no free slot.
  struct OfClass {
    std::vector<RingFile*> files;
    size_t first_free = 0;
  };
  absl::flat_hash_map<uint8_t, OfClass> classes_;
};

}  // namespace shoal
