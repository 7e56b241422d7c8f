// The points that wait on this router's disk for one node: a record log, and how far the node has
// taken it.
//
// DIR/log/ holds the segments, DIR/cursor the position behind the last record that the node has
// acknowledged. The cursor may lag behind after a crash: then records are sent again, which is
// harmless. docs/format/spool.md.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "storage/fs/file_system.h"
#include "storage/log/segmented_log.h"

namespace shoal {

struct HintSpoolOptions {
  FileSystem* fs = nullptr;  // FileSystem::Posix() when null
  std::string dir;           // created when absent
  int64_t bytes_max = int64_t{4} << 30;
  int64_t segment_bytes = 16 << 20;
};

// Append, Sync, SetConsumed and DropOldest belong to one thread, a Reader to another; the rest is
// thread safe.
class HintSpool {
 public:
  static absl::StatusOr<std::unique_ptr<HintSpool>> Open(HintSpoolOptions options);

  // Not durable before Sync. The position of the record. ResourceExhausted: full. Any other error,
  // and any error of Sync: what was appended since the last good Sync is not durable and must be
  // appended again.
  absl::StatusOr<LogPosition> Append(absl::string_view record);
  absl::Status Sync();

  // Everything before `position` is on the node: remembers that durably and deletes the segments
  // wholly before it.
  absl::Status SetConsumed(LogPosition position);
  // The same for everything: nothing is kept.
  absl::Status SetAllConsumed();

  struct Dropped {
    uint64_t points = 0;
    LogPosition begin;  // what is left starts here
  };
  // Gives up the oldest segment from `consumed` on. FailedPrecondition when there is only one.
  absl::StatusOr<Dropped> DropOldest(LogPosition consumed);

  // Where to read from after Open.
  LogPosition consumed_at_open() const { return consumed_at_open_; }
  // Whether there was anything to read at Open.
  bool had_records_at_open() const { return had_records_at_open_; }
  uint64_t bytes() const { return log_->bytes(); }
  // Behind everything.
  LogPosition end() const { return log_->end(); }

  // Reads in order what is durable.
  class Reader {
   public:
    // False at the durable end; call again later.
    absl::StatusOr<bool> Next(std::string* record);
    // Behind the last record that Next gave.
    LogPosition position() const { return cursor_->position(); }
    // Damaged pieces that were skipped so far.
    uint64_t damaged() const;

   private:
    friend class HintSpool;
    const SegmentedLog* log_ = nullptr;
    std::unique_ptr<SegmentedLog::Cursor> cursor_;
  };
  Reader NewReader(LogPosition position) const;

 private:
  explicit HintSpool(HintSpoolOptions options) : options_(std::move(options)) {}
  absl::Status Recover();
  absl::Status WriteCursor(LogPosition position);

  HintSpoolOptions options_;
  std::unique_ptr<SegmentedLog> log_;
  LogPosition consumed_at_open_;
  bool had_records_at_open_ = false;
};

}  // namespace shoal
