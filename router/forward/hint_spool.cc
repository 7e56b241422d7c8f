#include "router/forward/hint_spool.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/checksum.h"
#include "base/coding.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "router/forward/spool_record.h"

namespace shoal {
namespace {

// Frozen: the cursor file is magic u32, version u32, segment u64, offset u64, checksum u32 of what
// stands before it.
constexpr uint32_t kCursorMagic = 0x52435053;  // "SPCR"
constexpr uint32_t kCursorVersion = 1;
constexpr size_t kCursorBytes = 28;

// A name of 1 KiB in each of 16,384 points, which no chunk reaches, would still fit.
constexpr int64_t kRecordBytesMax = 64 << 20;

std::string EncodeCursor(LogPosition position) {
  std::string bytes;
  AppendLE<uint32_t>(&bytes, kCursorMagic);
  AppendLE<uint32_t>(&bytes, kCursorVersion);
  AppendLE<uint64_t>(&bytes, position.segment);
  AppendLE<uint64_t>(&bytes, position.offset);
  AppendLE<uint32_t>(&bytes, Checksum32(bytes));
  return bytes;
}

absl::StatusOr<LogPosition> DecodeCursor(absl::string_view bytes) {
  ByteReader reader(bytes);
  uint32_t magic = 0;
  uint32_t version = 0;
  uint32_t checksum = 0;
  LogPosition position;
  if (bytes.size() != kCursorBytes || !reader.Get(&magic) || magic != kCursorMagic ||
      !reader.Get(&version) || !reader.Get(&position.segment) || !reader.Get(&position.offset) ||
      !reader.Get(&checksum) || checksum != Checksum32(bytes.substr(0, bytes.size() - 4))) {
    return absl::DataLossError("not a spool cursor");
  }
  if (version != kCursorVersion) {
    return absl::FailedPreconditionError(absl::StrCat("cursor of version ", version));
  }
  return position;
}

}  // namespace

absl::StatusOr<std::unique_ptr<HintSpool>> HintSpool::Open(HintSpoolOptions options) {
  if (options.fs == nullptr) options.fs = FileSystem::Posix();
  std::unique_ptr<HintSpool> spool(new HintSpool(std::move(options)));
  SHOAL_RETURN_IF_ERROR(spool->Recover());
  return spool;
}

absl::Status HintSpool::Recover() {
  FileSystem* const fs = options_.fs;
  SHOAL_RETURN_IF_ERROR(fs->CreateDirs(options_.dir));
  const std::string cursor_path = JoinPath(options_.dir, "cursor");
  std::optional<LogPosition> persisted;
  SHOAL_ASSIGN_OR_RETURN(const bool has_cursor, fs->Exists(cursor_path));
  if (has_cursor) {
    SHOAL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(fs, cursor_path, 4096));
    absl::StatusOr<LogPosition> position = DecodeCursor(bytes);
    if (absl::IsFailedPrecondition(position.status())) {
      return Annotate(position.status(), cursor_path);
    }
    if (position.ok()) {
      persisted = *position;
    } else {
      LogWarning("spool", cursor_path, ": ", position.status().message(),
                 ": everything in the spool is sent again");
    }
  }

  SegmentedLogOptions log_options;
  log_options.fs = fs;
  log_options.dir = JoinPath(options_.dir, "log");
  log_options.segment_bytes = options_.segment_bytes;
  log_options.bytes_max = options_.bytes_max;
  log_options.record_bytes_max = kRecordBytesMax;
  // Records that are still to come must lie behind the cursor, also when every segment is gone.
  if (persisted.has_value()) log_options.next_segment_min = persisted->segment + 1;
  SHOAL_ASSIGN_OR_RETURN(log_, SegmentedLog::Open(std::move(log_options)));

  consumed_at_open_ = log_->begin();
  if (persisted.has_value() && *persisted > consumed_at_open_) consumed_at_open_ = *persisted;
  Reader reader = NewReader(consumed_at_open_);
  std::string record;
  SHOAL_ASSIGN_OR_RETURN(had_records_at_open_, reader.Next(&record));
  if (!had_records_at_open_) {
    SHOAL_RETURN_IF_ERROR(log_->TruncateBefore(log_->end()));
    consumed_at_open_ = log_->begin();
  }
  return absl::OkStatus();
}

absl::StatusOr<LogPosition> HintSpool::Append(absl::string_view record) {
  return log_->Append(record);
}

absl::Status HintSpool::Sync() { return log_->Sync(); }

absl::Status HintSpool::WriteCursor(LogPosition position) {
  return WriteFileAtomically(options_.fs, JoinPath(options_.dir, "cursor"), EncodeCursor(position));
}

absl::Status HintSpool::SetConsumed(LogPosition position) {
  SHOAL_RETURN_IF_ERROR(WriteCursor(position));
  return log_->TruncateBefore(position);
}

absl::Status HintSpool::SetAllConsumed() {
  // The position where the next record goes, whatever segment it will be in.
  SHOAL_RETURN_IF_ERROR(WriteCursor(log_->end()));
  return log_->TruncateBefore(log_->end());
}

absl::StatusOr<HintSpool::Dropped> HintSpool::DropOldest(LogPosition consumed) {
  if (log_->segment_count() < 2) {
    return absl::FailedPreconditionError(absl::StrCat(options_.dir, ": a single segment is left"));
  }
  Dropped dropped;
  const uint64_t oldest = log_->begin().segment;
  Reader reader = NewReader(consumed);
  std::string record;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, reader.Next(&record));
    if (!found || reader.position().segment != oldest) break;
    dropped.points += SpoolRecordPoints(record).value_or(0);
  }
  dropped.begin = {oldest + 1, 0};
  SHOAL_RETURN_IF_ERROR(SetConsumed(std::max(consumed, dropped.begin)));
  return dropped;
}

HintSpool::Reader HintSpool::NewReader(LogPosition position) const {
  Reader reader;
  reader.log_ = log_.get();
  reader.cursor_ = log_->NewCursor(position);
  return reader;
}

absl::StatusOr<bool> HintSpool::Reader::Next(std::string* record) {
  if (cursor_->position() >= log_->durable_end()) return false;
  return cursor_->Next(record);
}

uint64_t HintSpool::Reader::damaged() const { return cursor_->report().damaged_regions; }

}  // namespace shoal
