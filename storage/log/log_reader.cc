#include "storage/log/log_reader.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/coding.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/log/log_format.h"

namespace shoal {
namespace {

constexpr uint64_t kDamageLinesMax = 16;  // per reading of a segment

}  // namespace

LogReader::LogReader(const File* file, uint64_t segment, uint64_t offset, uint64_t record_bytes_max)
    : file_(file),
      segment_(segment),
      // One fragment always fits, so that a start is never refused for its size.
      record_bytes_max_(std::max(record_bytes_max, kLogBlockBytes)),
      position_(std::max<uint64_t>(offset, kLogSegmentHeaderBytes)) {}

absl::Status LogReader::LoadBlock(uint64_t offset) {
  const uint64_t start = offset - offset % kLogBlockBytes;
  const uint64_t size = std::min(kLogBlockBytes, limit_ - start);
  if (start == block_start_ && block_.size() == size) return absl::OkStatus();
  block_.resize(size);
  block_start_ = start;
  absl::StatusOr<size_t> read = file_->ReadAt(start, size, block_.data());
  if (!read.ok()) {
    block_.clear();
    return read.status();
  }
  // Shorter than it should be: what is missing reads as zeros, which is no valid fragment.
  std::fill(block_.begin() + static_cast<std::ptrdiff_t>(*read), block_.end(), '\0');
  return absl::OkStatus();
}

bool LogReader::ParseFragment(uint64_t offset, Fragment* fragment) const {
  absl::string_view rest = absl::string_view(block_).substr(offset - block_start_);
  if (rest.size() < kLogFragmentHeaderBytes) return false;
  const uint16_t length = LoadLE<uint16_t>(rest.data() + kLogChecksumBytes);
  const uint8_t kind = static_cast<uint8_t>(rest[kLogFragmentHeaderBytes - 1]);
  if (kind < static_cast<uint8_t>(FragmentKind::kFull) ||
      kind > static_cast<uint8_t>(FragmentKind::kLast) ||
      rest.size() - kLogFragmentHeaderBytes < length) {
    return false;
  }
  rest = rest.substr(0, kLogFragmentHeaderBytes + length);
  if (LoadLE<uint32_t>(rest.data()) !=
      LogFragmentChecksum(rest.substr(kLogChecksumBytes), segment_, offset)) {
    return false;
  }
  fragment->kind = kind;
  fragment->payload = rest.substr(kLogFragmentHeaderBytes);
  fragment->end = offset + rest.size();
  return true;
}

absl::StatusOr<uint64_t> LogReader::FindFragment(uint64_t from) {
  // Byte by byte is affordable: only one offset in 64 has a plausible kind, and damage is rare.
  for (uint64_t offset = from; offset < limit_;) {
    SHOAL_RETURN_IF_ERROR(LoadBlock(offset));
    const uint64_t block_end = block_start_ + block_.size();
    for (; offset < block_end; ++offset) {
      Fragment fragment;
      if (ParseFragment(offset, &fragment)) return offset;
    }
  }
  return limit_;
}

void LogReader::CountDamage(uint64_t from, uint64_t to) {
  ++report_.damaged_regions;
  report_.damaged_bytes += to - from;
  if (report_.damaged_regions <= kDamageLinesMax) {
    LogError("log", file_->path(), ": damaged from offset ", from, " to ", to, ", left out");
  }
}

absl::StatusOr<bool> LogReader::Next(uint64_t limit, std::string* record) {
  limit_ = limit;
  // Reading position; position_ stays at the start of the record until it is whole.
  uint64_t offset = position_;
  bool assembling = false;
  record->clear();
  while (offset < limit_) {
    if (const uint64_t left = kLogBlockBytes - offset % kLogBlockBytes;
        left < kLogFragmentHeaderBytes) {
      offset += left;
      continue;
    }
    SHOAL_RETURN_IF_ERROR(LoadBlock(offset));
    Fragment fragment;
    const bool valid = ParseFragment(offset, &fragment);
    const FragmentKind kind = static_cast<FragmentKind>(fragment.kind);
    const bool starts = kind == FragmentKind::kFull || kind == FragmentKind::kFirst;
    if (valid && starts == !assembling &&
        record->size() + fragment.payload.size() <= record_bytes_max_) {
      record->append(fragment.payload.data(), fragment.payload.size());
      offset = fragment.end;
      if (kind == FragmentKind::kFull || kind == FragmentKind::kLast) {
        position_ = offset;
        ++report_.records;
        return true;
      }
      assembling = true;
      continue;
    }
    // Not what belongs here: look for the start of the next record.
    uint64_t next = !valid ? offset + 1 : starts ? offset : fragment.end;
    for (;;) {
      SHOAL_ASSIGN_OR_RETURN(next, FindFragment(next));
      if (next >= limit_) break;
      Fragment found;
      SHOAL_RETURN_IF_ERROR(LoadBlock(next));
      if (ParseFragment(next, &found) &&
          (found.kind == static_cast<uint8_t>(FragmentKind::kFull) ||
           found.kind == static_cast<uint8_t>(FragmentKind::kFirst))) {
        break;
      }
      next = found.end > next ? found.end : next + 1;
    }
    if (next >= limit_) break;
    CountDamage(position_, next);
    position_ = offset = next;
    assembling = false;
    record->clear();
  }
  record->clear();
  // Padding at the very end of a block is no tear.
  if (assembling || offset < limit_) {
    if (torn_at_limit_ != limit_) report_.torn_bytes += limit_ - position_;
    torn_at_limit_ = limit_;
  }
  return false;
}

absl::Status CheckLogSegmentHeader(const File& file, uint64_t segment) {
  std::string header(kLogSegmentHeaderBytes, '\0');
  SHOAL_ASSIGN_OR_RETURN(const size_t size, file.ReadAt(0, header.size(), header.data()));
  const uint32_t stored = LoadLE<uint32_t>(header.data() + 12);
  StoreLE<uint32_t>(header.data() + 12, 0);
  if (size != header.size() || absl::string_view(header).substr(0, 8) != kLogMagic ||
      Checksum32(header) != stored || LoadLE<uint64_t>(header.data() + 16) != segment) {
    return absl::DataLossError(
        absl::StrCat(file.path(), ": not the header of log segment ", segment));
  }
  if (const uint32_t version = LoadLE<uint32_t>(header.data() + 8); version != kLogVersion) {
    return absl::FailedPreconditionError(absl::StrCat(file.path(), ": log format version ", version,
                                                      ", this program knows ", kLogVersion));
  }
  return absl::OkStatus();
}

}  // namespace shoal
