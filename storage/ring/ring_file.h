// One ring file on disk. What belongs where is decided above (ring_catalog, ring_writer): this
// class reads, checks and writes bytes.
#pragma once

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
#include "storage/ring/ring_format.h"

namespace shoal {

// Reads from any thread; Write, Sync and Reopen from one. The slot entries belong to the caller's
// lock.
class RingFile {
 public:
  // Makes the file with an empty slot table, durable under its name; AlreadyExists when there is
  // one.
  static absl::StatusOr<std::unique_ptr<RingFile>> Create(FileSystem* fs, const std::string& dir,
                                                          const RingHeader& header);
  // DataLoss: the header is bad or says another name. FailedPrecondition: a newer version.
  static absl::StatusOr<std::unique_ptr<RingFile>> Open(FileSystem* fs, const std::string& dir,
                                                        const std::string& name);

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

  // An image of the journal. OutOfRange when it does not lie within the slot table and the pages.
  absl::Status Write(uint64_t offset, absl::string_view bytes);
  absl::Status Sync();
  // A new descriptor, after a failed write or sync. Nothing that was written through the old one
  // since its last good Sync may be relied on.
  absl::Status Reopen();
  absl::StatusOr<uint64_t> AllocatedBytes() const;

  // Reads the slot table again: after a replay.
  absl::Status LoadSlots();
  std::vector<SlotEntry>& slots() { return slots_; }
  const std::vector<SlotEntry>& slots() const { return slots_; }
  // False for the slots of a table block that failed its check: who has them is not known, so they
  // are not leased.
  bool SlotIsKnown(uint32_t slot) const { return known_blocks_[slot / kSlotsPerBlock]; }
  // One line per table block that failed.
  const std::vector<std::string>& bad_blocks() const { return bad_blocks_; }

 private:
  RingFile(FileSystem* fs, std::string path, const RingHeader& header);
  std::shared_ptr<File> file() const;
  absl::Status FindData();

  FileSystem* const fs_;
  const std::string path_;
  const RingHeader header_;
  const std::string name_;
  const uint64_t identity_;

  const std::unique_ptr<std::atomic<bool>[]> has_data_;  // for each stripe of the ring
  std::vector<SlotEntry> slots_;
  std::vector<bool> known_blocks_;
  std::vector<std::string> bad_blocks_;

  // Held over each write in place (that is I/O under a mutex, on purpose): a reader that found a
  // bad page takes it to read the page at rest.
  mutable Mutex write_mu_ ABSL_ACQUIRED_BEFORE(file_mu_);
  mutable Mutex file_mu_;
  std::shared_ptr<File> file_ ABSL_GUARDED_BY(file_mu_);
};

}  // namespace shoal
