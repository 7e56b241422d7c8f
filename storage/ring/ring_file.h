// One ring file on disk. What belongs where is decided above (ring_catalog, ring_writer): this
// class reads, checks and writes bytes.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "storage/fs/file_system.h"
#include "storage/ring/ring_file_pool.h"
#include "storage/ring/ring_format.h"
#include "storage/ring/slot_table.h"

namespace shoal {

// Reads from any thread; Write, Punch, Sync, Reopen and the newest stripe from one. The slot
// table belongs to the caller's lock.
class RingFile {
 public:
  // Makes the file with an empty slot table, durable under its name; AlreadyExists when there is
  // one.
  static absl::StatusOr<std::unique_ptr<RingFile>> Create(RingFilePool* pool,
                                                          const std::string& dir,
                                                          const RingHeader& header);
  // DataLoss: the header is bad or says another name. FailedPrecondition: another version.
  static absl::StatusOr<std::unique_ptr<RingFile>> Open(RingFilePool* pool, const std::string& dir,
                                                        const std::string& name);
  ~RingFile();

  const RingHeader& header() const { return header_; }
  const std::string& name() const { return name_; }
  uint64_t identity() const { return identity_; }

  // `count` raw pages from `slot` on of the stripe at `index`, unchecked; zeros beyond the file's
  // end.
  absl::Status ReadPages(uint32_t index, uint32_t slot, uint32_t count, char* to) const;
  // False: every byte of the stripe is zero, it need not be read.
  bool MayHaveData(uint32_t index) const {
    return has_data_[index].load(std::memory_order_acquire);
  }
  // Checks a page that was read; reads it again while no write is under way before it is called
  // bad, because a read that overlaps a write may see half of each. `page` is replaced by what was
  // checked.
  absl::Status CheckedPage(uint32_t index, uint32_t slot, char* page, PageHeader* header) const;

  // No page in the file is of a later stripe; kNoStripe: not known, as after Open. Kept up by
  // NoteStripe and LearnNewestStripe, which looks at `count` stripes from `first` on and trusts
  // that none is later than those.
  uint32_t newest_stripe() const { return newest_stripe_; }
  void NoteStripe(uint32_t stripe) { newest_stripe_ = std::max(newest_stripe_, stripe); }
  absl::Status LearnNewestStripe(uint32_t first, uint32_t count);

  // Bytes of images of the journal. OutOfRange when they do not lie within the slot table and the
  // pages.
  absl::Status Write(uint64_t offset, absl::string_view bytes);
  // A hole of the journal: gives the disk blocks back. The same bounds.
  absl::Status Punch(uint64_t offset, uint64_t size);
  // Of all writes and holes since the last one, which went through the same descriptor.
  absl::Status Sync();
  // After a failed write or sync: the next access takes a new descriptor. Nothing that was written
  // since the last good Sync may be relied on.
  void Reopen();
  absl::StatusOr<uint64_t> AllocatedBytes() const;

  // For the pool: lets go of the descriptor unless it has been used since the last call.
  bool CloseIdle(bool even_if_used);

  // Reads the slot table again: after a replay.
  absl::Status LoadSlots();
  SlotTable& slots() { return slots_; }
  const SlotTable& slots() const { return slots_; }
  // False for the slots of a table block that failed its check: who has them is not known, so they
  // are not leased.
  bool SlotIsKnown(uint32_t slot) const { return known_blocks_[slot / kSlotsPerBlock]; }
  // One line per table block that failed.
  const std::vector<std::string>& bad_blocks() const { return bad_blocks_; }

 private:
  RingFile(RingFilePool* pool, std::string path, const RingHeader& header);
  absl::StatusOr<std::shared_ptr<File>> file() const;
  absl::Status FindData();
  absl::Status CheckImage(uint64_t offset, uint64_t size) const;

  RingFilePool* const pool_;
  const std::string path_;
  const RingHeader header_;
  const std::string name_;
  const uint64_t identity_;

  const std::unique_ptr<std::atomic<bool>[]> has_data_;  // for each stripe of the ring
  SlotTable slots_;
  std::vector<bool> known_blocks_;
  std::vector<std::string> bad_blocks_;

  // The writer's: the descriptor between a write and its sync, so that no error is missed.
  std::shared_ptr<File> writing_;
  uint32_t newest_stripe_ = kNoStripe;

  // Held over each write in place (that is I/O under a mutex, on purpose): a reader that found a
  // bad page takes it to read the page at rest.
  mutable Mutex write_mu_ ABSL_ACQUIRED_BEFORE(file_mu_);
  mutable Mutex file_mu_;
  mutable std::shared_ptr<File> file_ ABSL_GUARDED_BY(file_mu_);  // null: closed
  mutable bool in_pool_ ABSL_GUARDED_BY(file_mu_) = false;
  mutable bool used_ ABSL_GUARDED_BY(file_mu_) = false;
};

}  // namespace shoal
