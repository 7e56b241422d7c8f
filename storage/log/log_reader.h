// Reads the records of one segment file, past damage.
//
// Damage: a fragment that fails its check. The reader looks for the next fragment that passes (its
// checksum is bound to segment and offset, so stray bytes do not). When there is one, records in
// the middle were lost: counted as damage, and never given out as data. When there is none, it is
// the torn tail of an append that a crash cut short.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"

namespace shoal {

struct LogReport {
  uint64_t records = 0;
  uint64_t damaged_regions = 0;  // runs of bytes in the middle that did not read
  uint64_t damaged_bytes = 0;
  uint64_t torn_bytes = 0;  // at the end
};

// One thread at a time.
class LogReader {
 public:
  // Reads from `offset`, the start of a record (0: the first one). `file` is borrowed.
  LogReader(const File* file, uint64_t segment, uint64_t offset, uint64_t record_bytes_max);

  // Reads records that end at or before `limit`, which may grow from call to call. False at the
  // end.
  absl::StatusOr<bool> Next(uint64_t limit, std::string* record);

  // Where the next record begins; at the end, the end of the last whole record: a torn tail is cut
  // from here.
  uint64_t position() const { return position_; }
  const LogReport& report() const { return report_; }

 private:
  struct Fragment {
    uint8_t kind = 0;
    absl::string_view payload;
    uint64_t end = 0;
  };

  // Has the block that holds `offset` in block_, up to limit_.
  absl::Status LoadBlock(uint64_t offset);
  bool ParseFragment(uint64_t offset, Fragment* fragment) const;
  // The first offset >= `from` where a fragment passes its check; limit_ when there is none.
  absl::StatusOr<uint64_t> FindFragment(uint64_t from);
  void CountDamage(uint64_t from, uint64_t to);

  const File* const file_;
  const uint64_t segment_;
  const uint64_t record_bytes_max_;
  uint64_t position_;
  uint64_t limit_ = 0;
  uint64_t torn_at_limit_ = 0;  // the limit for which the tail has been counted
  uint64_t block_start_ = 0;
  std::string block_;
  LogReport report_;
};

// Checks the header of a segment. FailedPrecondition: a newer version; DataLoss: not a header of
// that segment.
absl::Status CheckLogSegmentHeader(const File& file, uint64_t segment);

}  // namespace shoal
