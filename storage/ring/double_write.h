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

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/fs/file_system.h"

namespace shoal {

inline constexpr char kJournalMagic[8] = {'S', 'H', 'O', 'A', 'L', 'D', 'W', 'J'};
inline constexpr uint32_t kJournalVersion = 2;
inline constexpr size_t kJournalHeaderBytes = 40;
inline constexpr uint64_t kJournalBytesMax = uint64_t{1} << 30;
// What one image may stand for: the largest page, a slot-table block.
inline constexpr uint32_t kJournalImageMax = 1 << 22;
inline constexpr char kJournalName[] = "journal.dw";

// What belongs at an offset of a ring file: `bytes`, then zeros up to `size` in all. Most pages are
// young and end in zeros. No bytes at all: a hole, whose disk blocks may go.
struct JournalImage {
  absl::string_view file;  // its name in the folder
  uint64_t file_identity =
      0;  // RingHeader::Identity: a file that was made anew under the name is left alone
  uint64_t offset = 0;
  absl::string_view bytes;
  uint32_t size = 0;
  bool is_hole() const { return bytes.empty(); }
};

// A batch in its serialised form, built image by image. Not thread safe.
class JournalBatch {
 public:
  JournalBatch() { Clear(); }

  // Zeros at the end of `bytes` are left out. Of two images at one offset the later one wins.
  void Add(absl::string_view file, uint64_t file_identity, uint64_t offset,
           absl::string_view bytes);
  // A hole of any size, as one image or several.
  void AddHole(absl::string_view file, uint64_t file_identity, uint64_t offset, uint64_t size);
  bool empty() const { return images_.empty(); }
  size_t size_bytes() const { return bytes_.size(); }
  void Clear();

  // Completes the batch; the bytes to write at offset 0. Valid until Clear, and nothing is added
  // before that.
  absl::string_view Seal(uint64_t sequence);
  // What was added, file by file in the order of the bytes, images at one offset in the order they
  // came; views into what Seal returned.
  std::vector<JournalImage> Images() const;

 private:
  void AddImage(absl::string_view file, uint64_t file_identity, uint64_t offset,
                absl::string_view stored, uint32_t size);

  struct ImageRef {
    uint32_t file;
    uint32_t stored;
    uint32_t size;
    uint64_t offset;
    size_t at;  // of the stored bytes in bytes_
  };

  std::string bytes_;
  std::vector<ImageRef> images_;
  std::vector<std::pair<std::string, uint64_t>> files_;   // name, identity
  absl::flat_hash_map<uint64_t, uint32_t> file_numbers_;  // by identity
};

struct ParsedJournal {
  uint64_t sequence = 0;
  std::vector<JournalImage> images;  // views into what was parsed
};
// DataLoss: no whole batch. FailedPrecondition: another version.
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
