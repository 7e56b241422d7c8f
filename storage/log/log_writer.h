// Appends records to one segment file.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"

namespace shoal {

// Owns the file. One appender at a time; Sync may run beside an Append.
class LogWriter {
 public:
  // `file` is new and empty. Call WriteHeader before the first Append.
  LogWriter(std::unique_ptr<File> file, uint64_t segment);

  absl::Status WriteHeader();
  // One write for the whole record. After an error the file must not be appended to any more.
  absl::Status Append(absl::string_view record);
  absl::Status Sync() { return file_->Sync(); }

  uint64_t segment() const { return segment_; }
  // Where the next record begins, but for the padding at a block's end.
  uint64_t end() const { return end_; }
  // Bytes that Append would add for a record of this size.
  uint64_t AppendedBytes(uint64_t record_bytes) const;

 private:
  const std::unique_ptr<File> file_;
  const uint64_t segment_;
  uint64_t end_ = 0;
  std::string buffer_;  // the record cut into fragments
};

}  // namespace shoal
