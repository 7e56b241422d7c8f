#include "storage/log/segmented_log.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/log/log_format.h"
#include "storage/log/log_writer.h"

namespace shoal {
namespace {

constexpr size_t kNameDigits = 10;
constexpr absl::string_view kNameSuffix = ".log";

// 0 when it is not the name of a segment.
uint64_t SegmentNumber(absl::string_view name) {
  uint64_t number = 0;
  if (name.size() != kNameDigits + kNameSuffix.size() || name.substr(kNameDigits) != kNameSuffix ||
      !absl::SimpleAtoi(name.substr(0, kNameDigits), &number)) {
    return 0;
  }
  return number;
}

}  // namespace

SegmentedLog::SegmentedLog(SegmentedLogOptions options) : options_(std::move(options)) {}
SegmentedLog::~SegmentedLog() = default;

std::string SegmentedLog::SegmentPath(uint64_t number) const {
  return JoinPath(options_.dir, absl::StrFormat("%010d.log", number));
}

absl::StatusOr<std::unique_ptr<SegmentedLog>> SegmentedLog::Open(SegmentedLogOptions options) {
  if (options.fs == nullptr) options.fs = FileSystem::Posix();
  std::unique_ptr<SegmentedLog> log(new SegmentedLog(std::move(options)));
  SHOAL_RETURN_IF_ERROR(log->Recover());
  return log;
}

absl::Status SegmentedLog::Recover() {
  FileSystem* const fs = options_.fs;
  SHOAL_RETURN_IF_ERROR(fs->CreateDirs(options_.dir));
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs->List(options_.dir));
  MutexLock lock(&mu_);
  for (const std::string& name : names) {
    const uint64_t number = SegmentNumber(name);
    if (number == 0) continue;
    SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                           fs->Open(SegmentPath(number), OpenMode::kReadOnly));
    const absl::Status header = CheckLogSegmentHeader(*file, number);
    if (absl::IsFailedPrecondition(header)) return header;
    // A broken header costs nothing: fragments are bound to the number in the name.
    SHOAL_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    segments_[number] = Segment{size, size};
    bytes_ += size;
  }
  next_segment_ = std::max<uint64_t>(options_.next_segment_min, 1);
  if (segments_.empty()) return absl::OkStatus();
  const uint64_t last = segments_.rbegin()->first;
  next_segment_ = std::max(next_segment_, last + 1);

  // Only the last segment can have a tail that nobody has cut yet, or be without a single record.
  Segment& segment = segments_[last];
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                         fs->Open(SegmentPath(last), OpenMode::kReadWrite));
  LogReader reader(file.get(), last, 0, static_cast<uint64_t>(options_.record_bytes_max));
  std::string record;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, reader.Next(segment.end, &record));
    if (!found) break;
  }
  open_report_ = reader.report();
  if (open_report_.torn_bytes > 0) {
    LogWarning("log", SegmentPath(last), ": cut a torn tail of ", open_report_.torn_bytes,
               " bytes at offset ", reader.position());
    SHOAL_RETURN_IF_ERROR(file->Truncate(reader.position()));
  }
  // What was written but not synced before the last crash must stay where it is once it has been
  // read.
  SHOAL_RETURN_IF_ERROR(file->Sync());
  SHOAL_RETURN_IF_ERROR(fs->SyncDir(options_.dir));
  if (open_report_.torn_bytes > 0) {
    bytes_ -= segment.end - reader.position();
    segment.end = segment.durable = reader.position();
  }
  return absl::OkStatus();
}

absl::Status SegmentedLog::OpenSegment() {
  const uint64_t number = next_segment_;
  // The number is used up even when this fails: a half-made file is never touched again.
  ++next_segment_;
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                         options_.fs->Open(SegmentPath(number), OpenMode::kCreateExclusive));
  auto writer = std::make_shared<LogWriter>(std::move(file), number);
  if (absl::Status status = writer->WriteHeader(); !status.ok()) {
    options_.fs->Remove(SegmentPath(number)).IgnoreError();
    return status;
  }
  segments_[number] = Segment{writer->end(), 0};
  bytes_ += writer->end();
  writer_ = std::move(writer);
  dir_synced_ = false;
  return absl::OkStatus();
}

void SegmentedLog::SealCurrent(const absl::Status& why) {
  if (writer_ == nullptr) return;
  Segment& segment = segments_[writer_->segment()];
  if (segment.durable < segment.end) {
    lost_ = absl::UnavailableError(absl::StrCat(SegmentPath(writer_->segment()),
                                                ": sealed, records were lost: ", why.message()));
  }
  segment.end = segment.durable;
  writer_ = nullptr;
}

absl::StatusOr<LogPosition> SegmentedLog::Append(absl::string_view record) {
  if (record.size() > static_cast<uint64_t>(options_.record_bytes_max)) {
    return absl::InvalidArgumentError(absl::StrCat(options_.dir, ": a record of ", record.size(),
                                                   " bytes, at most ", options_.record_bytes_max));
  }
  MutexLock lock(&mu_);
  if (writer_ != nullptr && writer_->end() >= static_cast<uint64_t>(options_.segment_bytes)) {
    // Syncing here (rare) keeps Sync to one file.
    SHOAL_RETURN_IF_ERROR(SyncLocked());
    writer_ = nullptr;
  }
  const uint64_t more = record.size() +
                        (record.size() / kLogBlockBytes + 2) * kLogFragmentHeaderBytes +
                        (writer_ == nullptr ? kLogSegmentHeaderBytes : 0);
  if (options_.bytes_max > 0 && bytes_ + more > static_cast<uint64_t>(options_.bytes_max)) {
    return absl::ResourceExhaustedError(absl::StrCat(options_.dir, ": the log holds ", bytes_,
                                                     " bytes, at most ", options_.bytes_max));
  }
  if (writer_ == nullptr) SHOAL_RETURN_IF_ERROR(OpenSegment());
  const uint64_t start = writer_->end();
  if (absl::Status status = writer_->Append(record); !status.ok()) {
    SealCurrent(status);
    return status;
  }
  segments_[writer_->segment()].end = writer_->end();
  bytes_ += writer_->end() - start;
  return LogPosition{writer_->segment(), start};
}

absl::Status SegmentedLog::SyncLocked() {
  if (writer_ == nullptr) return absl::OkStatus();
  absl::Status status = writer_->Sync();
  if (status.ok() && !dir_synced_) status = options_.fs->SyncDir(options_.dir);
  if (!status.ok()) {
    SealCurrent(status);
    return status;
  }
  dir_synced_ = true;
  segments_[writer_->segment()].durable = writer_->end();
  return absl::OkStatus();
}

absl::Status SegmentedLog::Sync() {
  MutexLock sync_lock(&sync_mu_);
  std::shared_ptr<LogWriter> writer;
  uint64_t end = 0;
  bool dir_synced = false;
  {
    MutexLock lock(&mu_);
    if (!lost_.ok()) return std::exchange(lost_, absl::OkStatus());
    if (writer_ == nullptr) return absl::OkStatus();
    writer = writer_;
    end = writer->end();
    dir_synced = dir_synced_;
    if (segments_[writer->segment()].durable == end) return absl::OkStatus();
  }
  // I/O outside of mu_: appends and readers go on meanwhile.
  absl::Status status = writer->Sync();
  if (status.ok() && !dir_synced) status = options_.fs->SyncDir(options_.dir);
  MutexLock lock(&mu_);
  // Rolled over meanwhile (which syncs) or failed (which is remembered): then our own result adds
  // nothing.
  if (!lost_.ok()) return std::exchange(lost_, absl::OkStatus());
  if (writer_ != writer) return absl::OkStatus();
  if (!status.ok()) {
    SealCurrent(status);
    lost_ = absl::OkStatus();  // this caller is told
    return status;
  }
  dir_synced_ = true;
  Segment& segment = segments_[writer_->segment()];
  segment.durable = std::max(segment.durable, end);
  return absl::OkStatus();
}

absl::Status SegmentedLog::Roll() {
  MutexLock lock(&mu_);
  if (!lost_.ok()) return std::exchange(lost_, absl::OkStatus());
  SHOAL_RETURN_IF_ERROR(SyncLocked());
  writer_ = nullptr;
  return absl::OkStatus();
}

LogPosition SegmentedLog::begin() const {
  MutexLock lock(&mu_);
  return {segments_.empty() ? next_segment_ : segments_.begin()->first, 0};
}

LogPosition SegmentedLog::end() const {
  MutexLock lock(&mu_);
  if (writer_ == nullptr) return {next_segment_, 0};
  return {writer_->segment(), writer_->end()};
}

LogPosition SegmentedLog::durable_end() const {
  MutexLock lock(&mu_);
  if (writer_ == nullptr) return {next_segment_, 0};
  return {writer_->segment(), segments_.at(writer_->segment()).durable};
}

absl::Status SegmentedLog::TruncateBefore(LogPosition position) {
  std::vector<uint64_t> doomed;
  {
    MutexLock lock(&mu_);
    if (writer_ != nullptr && position.segment == writer_->segment() &&
        position.offset >= writer_->end() && writer_->end() > kLogSegmentHeaderBytes) {
      SHOAL_RETURN_IF_ERROR(SyncLocked());
      writer_ = nullptr;
      position = {position.segment + 1, 0};
    }
    if (segments_.empty() || segments_.begin()->first >= position.segment) return absl::OkStatus();
    if (writer_ == nullptr && segments_.rbegin()->first < position.segment) {
      // Nothing would be left to tell how far the numbers have come; positions that were handed out
      // must stay behind.
      next_segment_ = std::max(next_segment_, position.segment);
      SHOAL_RETURN_IF_ERROR(OpenSegment());
      SHOAL_RETURN_IF_ERROR(SyncLocked());
    }
    for (auto it = segments_.begin(); it != segments_.end() && it->first < position.segment;) {
      if (writer_ != nullptr && it->first == writer_->segment()) break;
      doomed.push_back(it->first);
      it = segments_.erase(it);
    }
  }
  absl::Status result;
  for (const uint64_t number : doomed) {
    const std::string path = SegmentPath(number);
    uint64_t size = 0;
    if (auto file = options_.fs->Open(path, OpenMode::kReadOnly); file.ok()) {
      size = (*file)->Size().value_or(0);
    }
    const absl::Status status = options_.fs->Remove(path);
    MutexLock lock(&mu_);
    if (status.ok() || absl::IsNotFound(status)) {
      bytes_ -= std::min(bytes_, size);
    } else {
      // Still there: it is read again after a restart, and removed by a later truncation.
      segments_[number] = Segment{size, size};
      result = status;
    }
  }
  // The removals need no SyncDir: a segment that comes back after a power loss is only read once
  // more.
  return result;
}

uint64_t SegmentedLog::bytes() const {
  MutexLock lock(&mu_);
  return bytes_;
}

uint64_t SegmentedLog::segment_count() const {
  MutexLock lock(&mu_);
  return segments_.size();
}

std::unique_ptr<SegmentedLog::Cursor> SegmentedLog::NewCursor(LogPosition position) const {
  return std::unique_ptr<Cursor>(new Cursor(this, position));
}

void SegmentedLog::Cursor::CloseSegment() {
  reader_ = nullptr;
  file_ = nullptr;
  segment_report_ = LogReport();
}

absl::StatusOr<bool> SegmentedLog::Cursor::Next(std::string* record) {
  for (;;) {
    uint64_t number = 0;
    uint64_t limit = 0;
    bool last = true;
    {
      MutexLock lock(&log_->mu_);
      const auto it = log_->segments_.lower_bound(position_.segment);
      if (it == log_->segments_.end()) return false;
      number = it->first;
      limit = it->second.end;
      last = std::next(it) == log_->segments_.end() &&
             (log_->writer_ != nullptr && log_->writer_->segment() == number);
    }
    if (number != position_.segment) position_ = {number, 0};
    if (reader_ == nullptr || open_segment_ != number) {
      CloseSegment();
      auto file = log_->options_.fs->Open(log_->SegmentPath(number), OpenMode::kReadOnly);
      if (absl::IsNotFound(file.status())) {
        // Truncated away between the look-up and the opening.
        position_ = {number + 1, 0};
        continue;
      }
      if (!file.ok()) return file.status();
      file_ = *std::move(file);
      open_segment_ = number;
      reader_ = std::make_unique<LogReader>(file_.get(), number, position_.offset,
                                            static_cast<uint64_t>(log_->options_.record_bytes_max));
    }
    absl::StatusOr<bool> found = reader_->Next(limit, record);
    const LogReport& now = reader_->report();
    report_.records += now.records - segment_report_.records;
    report_.damaged_regions += now.damaged_regions - segment_report_.damaged_regions;
    report_.damaged_bytes += now.damaged_bytes - segment_report_.damaged_bytes;
    report_.torn_bytes += now.torn_bytes - segment_report_.torn_bytes;
    segment_report_ = now;
    if (!found.ok()) return found.status();
    position_.offset = reader_->position();
    if (*found) return true;
    if (last) return false;
    // Never written again: go on with the next one.
    CloseSegment();
    position_ = {number + 1, 0};
  }
}

}  // namespace shoal
