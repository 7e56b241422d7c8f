#include "storage/log/log_writer.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/coding.h"
#include "base/status_macros.h"
#include "storage/log/log_format.h"

namespace shoal {

LogWriter::LogWriter(std::unique_ptr<File> file, uint64_t segment)
    : file_(std::move(file)), segment_(segment) {}

absl::Status LogWriter::WriteHeader() {
  SHOAL_CHECK(end_ == 0);
  std::string header(kLogMagic, 8);
  AppendLE<uint32_t>(&header, kLogVersion);
  AppendLE<uint32_t>(&header, 0);
  AppendLE<uint64_t>(&header, segment_);
  AppendLE<uint64_t>(&header, 0);
  StoreLE<uint32_t>(header.data() + 12, Checksum32(header));
  SHOAL_CHECK(header.size() == kLogSegmentHeaderBytes);
  SHOAL_RETURN_IF_ERROR(file_->WriteAt(0, header));
  end_ = header.size();
  return absl::OkStatus();
}

absl::Status LogWriter::Append(absl::string_view record) {
  SHOAL_CHECK(end_ >= kLogSegmentHeaderBytes);
  buffer_.clear();
  bool first = true;
  do {
    const uint64_t offset = end_ + buffer_.size();
    const uint64_t left = kLogBlockBytes - offset % kLogBlockBytes;
    if (left < kLogFragmentHeaderBytes) {
      buffer_.append(left, '\0');
      continue;
    }
    const size_t size = std::min<size_t>(record.size(), left - kLogFragmentHeaderBytes);
    const bool last = size == record.size();
    const FragmentKind kind = first  ? (last ? FragmentKind::kFull : FragmentKind::kFirst)
                              : last ? FragmentKind::kLast
                                     : FragmentKind::kMiddle;
    const size_t at = buffer_.size();
    AppendLE<uint32_t>(&buffer_, 0);
    AppendLE<uint16_t>(&buffer_, static_cast<uint16_t>(size));
    AppendLE<uint8_t>(&buffer_, static_cast<uint8_t>(kind));
    buffer_.append(record.data(), size);
    const absl::string_view covered = absl::string_view(buffer_).substr(at + kLogChecksumBytes);
    StoreLE<uint32_t>(buffer_.data() + at, LogFragmentChecksum(covered, segment_, offset));
    record.remove_prefix(size);
    first = false;
    if (last) break;
  } while (true);
  SHOAL_RETURN_IF_ERROR(file_->WriteAt(end_, buffer_));
  end_ += buffer_.size();
  // A giant record must not pin its memory for ever.
  if (buffer_.capacity() > (4u << 20)) buffer_ = std::string();
  return absl::OkStatus();
}

uint64_t LogWriter::AppendedBytes(uint64_t record_bytes) const {
  const uint64_t fragments = record_bytes / (kLogBlockBytes - kLogFragmentHeaderBytes) + 2;
  return record_bytes + (fragments + 1) * kLogFragmentHeaderBytes;
}

}  // namespace shoal
