// A record log in a folder of numbered segments ("0000000001.log"): the WAL of a node and the spool
// of a router.
//
// Append writes a record, Sync makes everything appended so far durable with one fdatasync. A
// segment whose write or sync failed is sealed for ever: it is never written or synced again, and
// the next Append opens a new segment. Records appended since the last OK of Sync (durable_end())
// must then be taken as not durable; the caller that still needs them appends them again. A log
// that is opened again never appends to an old segment either. See docs/format/log.md.
//
// Threads: every method is safe from any thread; appends and syncs are ordered by the log's lock,
// the sync itself runs outside of it. A cursor belongs to one thread at a time and must not outlive
// the log.
#pragma once

#include <compare>
#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "storage/fs/file_system.h"
#include "storage/log/log_reader.h"

namespace shoal {

class LogWriter;

// Where a record begins. {n, 0} stands for the first record of segment n. Persist it as two
// integers.
struct LogPosition {
  uint64_t segment = 0;
  uint64_t offset = 0;
  friend auto operator<=>(const LogPosition&, const LogPosition&) = default;
};

struct SegmentedLogOptions {
  FileSystem* fs = nullptr;  // FileSystem::Posix() when null
  std::string dir;           // created when absent
  // New segments get at least this number. A caller that persists positions passes the segment of
  // the last one: numbers then never fall behind it, whatever a power loss took away.
  uint64_t next_segment_min = 1;
  int64_t segment_bytes = 64 << 20;  // a segment is closed at the first record that ends past this
  int64_t bytes_max = 0;             // quota of all segments together; 0: none
  int64_t record_bytes_max = 64 << 20;  // longer records are refused, and damage when read
};

class SegmentedLog {
 public:
  class Cursor;

  // Lists the segments and cuts the torn tail of the last one. FailedPrecondition, nothing touched,
  // when a segment is of a newer format version.
  static absl::StatusOr<std::unique_ptr<SegmentedLog>> Open(SegmentedLogOptions options);
  ~SegmentedLog();
  SegmentedLog(const SegmentedLog&) = delete;
  SegmentedLog& operator=(const SegmentedLog&) = delete;

  // The position of the record; not durable before Sync. ResourceExhausted: over the quota, nothing
  // has changed. InvalidArgument: longer than record_bytes_max. Any other error: the segment is
  // sealed, see above.
  absl::StatusOr<LogPosition> Append(absl::string_view record);
  // Everything appended before the call is durable when OK. Records that were lost because another
  // call's write or sync failed make the next Sync fail, once.
  absl::Status Sync();
  // Closes the current segment (synced first); the next append opens a new one.
  absl::Status Roll();

  // The oldest record that is still there (or end()).
  LogPosition begin() const;
  // Where the next record goes, at the earliest.
  LogPosition end() const;
  // Everything before this is durable, but for what durable segments lost to damage.
  LogPosition durable_end() const;
  // Deletes the segments that lie wholly before `position`; at end() the current one too.
  absl::Status TruncateBefore(LogPosition position);
  // On disk, headers included.
  uint64_t bytes() const;
  uint64_t segment_count() const;

  // Reads from `position`, a value of Cursor::position(), Append, begin() or end(), also of an
  // earlier life of the log. When that has been truncated away the cursor starts at begin().
  std::unique_ptr<Cursor> NewCursor(LogPosition position) const;

  // What Open cut off the tail of the last segment.
  const LogReport& open_report() const { return open_report_; }

 private:
  struct Segment {
    uint64_t end = 0;      // readable end: written and not failed
    uint64_t durable = 0;  // <= end
  };

  explicit SegmentedLog(SegmentedLogOptions options);
  absl::Status Recover();
  absl::Status OpenSegment() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The current segment ends at what is durable of it; nothing is ever added.
  void SealCurrent(const absl::Status& why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status SyncLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::string SegmentPath(uint64_t number) const;

  const SegmentedLogOptions options_;
  LogReport open_report_;

  Mutex sync_mu_ ABSL_ACQUIRED_BEFORE(mu_);  // one sync at a time; held during the fdatasync
  mutable Mutex mu_;
  std::map<uint64_t, Segment> segments_ ABSL_GUARDED_BY(mu_);
  std::shared_ptr<LogWriter> writer_
      ABSL_GUARDED_BY(mu_);                      // of the current segment; null: none is open
  bool dir_synced_ ABSL_GUARDED_BY(mu_) = true;  // whether the current segment's name is durable
  absl::Status lost_ ABSL_GUARDED_BY(mu_);       // records were lost that no Sync has told of yet
  uint64_t next_segment_ ABSL_GUARDED_BY(mu_) = 1;
  uint64_t bytes_ ABSL_GUARDED_BY(mu_) = 0;
};

// Reads records in order, also while the log is being appended to.
class SegmentedLog::Cursor {
 public:
  // False at the end of what has been appended so far; call again later. An error is one of
  // reading; damaged records are skipped and counted in report().
  absl::StatusOr<bool> Next(std::string* record);
  // Where the next record begins, at the earliest: persist it to resume after the record that Next
  // gave last.
  LogPosition position() const { return position_; }
  // Damage and torn tails met so far.
  const LogReport& report() const { return report_; }

 private:
  friend class SegmentedLog;
  Cursor(const SegmentedLog* log, LogPosition position) : log_(log), position_(position) {}
  void CloseSegment();

  const SegmentedLog* const log_;
  LogPosition position_;
  uint64_t open_segment_ = 0;
  std::unique_ptr<File> file_;
  std::unique_ptr<LogReader> reader_;
  LogReport report_;          // of the segments that were left
  LogReport segment_report_;  // of the open one, as last added to report_
};

}  // namespace shoal
