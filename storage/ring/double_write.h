// The double-write journal: one batch of images of pages and slot-table blocks, synced before any
// of them goes in place. docs/format/double_write.md has the bytes.
//
// The journal holds one batch at a time, from offset 0. A batch is overwritten only after its
// images are in place and synced, so at any moment the file holds either a whole batch, which may
// be applied (again) at will, or a torn one, of which nothing has gone in place.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"

namespace shoal {

inline constexpr char kJournalMagic[8] = {'S', 'H', 'O', 'A', 'L', 'D', 'W', 'J'};
inline constexpr uint32_t kJournalVersion = 1;
inline constexpr size_t kJournalHeaderBytes = 40;
inline constexpr uint64_t kJournalBytesMax = uint64_t{1} << 30;
inline constexpr char kJournalName[] = "journal.dw";

// One contiguous run of bytes of one ring file.
struct JournalImage {
  absl::string_view file;  // its name in the folder
  uint64_t file_identity =
      0;  // RingHeader::Identity: a file that was made anew under the name is left alone
  uint64_t offset = 0;
  absl::string_view bytes;
};

// A batch in its serialised form, built image by image. Not thread safe.
class JournalBatch {
 public:
  JournalBatch() { Clear(); }

  void Add(absl::string_view file, uint64_t file_identity, uint64_t offset,
           absl::string_view bytes);
  bool empty() const { return images_ == 0; }
  size_t size_bytes() const { return bytes_.size(); }
  void Clear();

  // Completes the header; the bytes to write at offset 0. Valid until the next Add or Clear.
  absl::string_view Seal(uint64_t sequence);
  // What was added, joined where one continued the other; views, valid as long as what Seal
  // returns.
  std::vector<JournalImage> Images() const;

 private:
  std::string bytes_;
  uint32_t images_ = 0;
  // Of the last image, which grows when the next one continues it.
  size_t last_at_ = 0;
  uint64_t last_end_ = 0;
  std::string last_file_;
};

struct ParsedJournal {
  uint64_t sequence = 0;
  std::vector<JournalImage> images;  // views into what was parsed
};
// DataLoss: no whole batch. FailedPrecondition: a newer version.
absl::StatusOr<ParsedJournal> ParseJournal(absl::string_view bytes);

// The file. Not thread safe.
class DoubleWrite {
 public:
  DoubleWrite(FileSystem* fs, std::string dir);

  // The bytes of the batch in the file, for ParseJournal; empty when there is no file.
  absl::StatusOr<std::string> Load() const;

  // Writes and syncs a sealed batch. After an error the file object is given up: the next Commit
  // opens the file anew and writes a whole batch again, so that no failed sync is ever repeated on
  // a descriptor.
  absl::Status Commit(absl::string_view sealed);

  // Makes the file hold no batch. For a clean close, and after a replay.
  absl::Status Reset();

 private:
  absl::Status WriteAndSync(absl::string_view bytes);

  FileSystem* const fs_;
  const std::string dir_;
  const std::string path_;
  std::unique_ptr<File> file_;  // null before first use and after an error
};

}  // namespace shoal
