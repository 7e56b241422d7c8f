#include "storage/ring/double_write.h"

#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Header: magic, version u32, images u32, sequence u64, total bytes u64, checksum u64 (XXH3-64 of
// all other bytes: the header before it, seeded with the hash of what follows it).
constexpr size_t kVersionAt = 8;
constexpr size_t kImagesAt = 12;
constexpr size_t kSequenceAt = 16;
constexpr size_t kTotalAt = 24;
constexpr size_t kChecksumAt = 32;
static_assert(kChecksumAt + 8 == kJournalHeaderBytes);

// Image: file identity u64, offset u64, byte count u32, name length u8, name, bytes.
constexpr size_t kImageLengthAt = 16;
constexpr size_t kImageFixedBytes = 21;
constexpr size_t kNameBytesMax = 255;

uint64_t BatchChecksum(absl::string_view batch) {
  const uint64_t body = Hash64(batch.substr(kJournalHeaderBytes));
  return Hash64(batch.substr(0, kChecksumAt), body);
}

absl::StatusOr<std::vector<JournalImage>> ParseImages(absl::string_view body, uint32_t count) {
  std::vector<JournalImage> images;
  ByteReader in(body);
  for (uint32_t i = 0; i < count; ++i) {
    JournalImage image;
    uint32_t size = 0;
    uint8_t name_size = 0;
    if (!in.Get(&image.file_identity) || !in.Get(&image.offset) || !in.Get(&size) ||
        !in.Get(&name_size) || !in.GetBytes(name_size, &image.file) ||
        !in.GetBytes(size, &image.bytes)) {
      return absl::DataLossError(absl::StrCat("journal image ", i, " leaves its batch"));
    }
    images.push_back(image);
  }
  if (!in.empty()) return absl::DataLossError("journal batch has bytes after its last image");
  return images;
}

}  // namespace

void JournalBatch::Clear() {
  bytes_.assign(kJournalHeaderBytes, '\0');
  images_ = 0;
  last_file_.clear();
}

void JournalBatch::Add(absl::string_view file, uint64_t file_identity, uint64_t offset,
                       absl::string_view bytes) {
  SHOAL_CHECK(!file.empty() && file.size() <= kNameBytesMax);
  SHOAL_CHECK(bytes_.size() + bytes.size() + kImageFixedBytes + file.size() <= kJournalBytesMax);
  if (images_ > 0 && offset == last_end_ && absl::string_view(last_file_) == file) {
    char* const length = bytes_.data() + last_at_ + kImageLengthAt;
    StoreLE<uint32_t>(length, static_cast<uint32_t>(LoadLE<uint32_t>(length) + bytes.size()));
  } else {
    last_at_ = bytes_.size();
    last_file_ = std::string(file);
    AppendLE<uint64_t>(&bytes_, file_identity);
    AppendLE<uint64_t>(&bytes_, offset);
    AppendLE<uint32_t>(&bytes_, static_cast<uint32_t>(bytes.size()));
    AppendLE<uint8_t>(&bytes_, static_cast<uint8_t>(file.size()));
    bytes_.append(file.data(), file.size());
    ++images_;
  }
  bytes_.append(bytes.data(), bytes.size());
  last_end_ = offset + bytes.size();
}

absl::string_view JournalBatch::Seal(uint64_t sequence) {
  char* const header = bytes_.data();
  std::memcpy(header, kJournalMagic, sizeof(kJournalMagic));
  StoreLE<uint32_t>(header + kVersionAt, kJournalVersion);
  StoreLE<uint32_t>(header + kImagesAt, images_);
  StoreLE<uint64_t>(header + kSequenceAt, sequence);
  StoreLE<uint64_t>(header + kTotalAt, bytes_.size());
  StoreLE<uint64_t>(header + kChecksumAt, BatchChecksum(bytes_));
  return bytes_;
}

std::vector<JournalImage> JournalBatch::Images() const {
  auto images = ParseImages(absl::string_view(bytes_).substr(kJournalHeaderBytes), images_);
  SHOAL_CHECK(images.ok());
  return *std::move(images);
}

absl::StatusOr<ParsedJournal> ParseJournal(absl::string_view bytes) {
  if (bytes.size() < kJournalHeaderBytes ||
      std::memcmp(bytes.data(), kJournalMagic, sizeof(kJournalMagic)) != 0) {
    return absl::DataLossError("no journal batch");
  }
  const uint64_t total = LoadLE<uint64_t>(bytes.data() + kTotalAt);
  if (total < kJournalHeaderBytes || total > bytes.size()) {
    return absl::DataLossError(
        absl::StrCat("journal batch of ", total, " bytes in a file of ", bytes.size()));
  }
  const absl::string_view batch = bytes.substr(0, total);
  if (LoadLE<uint64_t>(batch.data() + kChecksumAt) != BatchChecksum(batch)) {
    return absl::DataLossError("journal batch is torn");
  }
  const uint32_t version = LoadLE<uint32_t>(batch.data() + kVersionAt);
  if (version > kJournalVersion) {
    return absl::FailedPreconditionError(absl::StrCat(
        "journal version ", version, " is newer than this program's ", kJournalVersion));
  }
  ParsedJournal parsed;
  parsed.sequence = LoadLE<uint64_t>(batch.data() + kSequenceAt);
  const uint32_t images = LoadLE<uint32_t>(batch.data() + kImagesAt);
  SHOAL_ASSIGN_OR_RETURN(parsed.images, ParseImages(batch.substr(kJournalHeaderBytes), images));
  return parsed;
}

DoubleWrite::DoubleWrite(FileSystem* fs, std::string dir)
    : fs_(fs), dir_(std::move(dir)), path_(JoinPath(dir_, kJournalName)) {}

absl::StatusOr<std::string> DoubleWrite::Load() const {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs_->Exists(path_));
  if (!exists) return std::string();
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, fs_->Open(path_, OpenMode::kReadOnly));
  // Only the batch: the file may be longer, with the end of an earlier batch. The header is not
  // believed yet, so its total only bounds what is read.
  std::string bytes(kJournalHeaderBytes, '\0');
  SHOAL_ASSIGN_OR_RETURN(size_t got, file->ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(got);
  if (got < kJournalHeaderBytes) return bytes;
  SHOAL_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
  const uint64_t total = LoadLE<uint64_t>(bytes.data() + kTotalAt);
  if (total < kJournalHeaderBytes || total > size || total > kJournalBytesMax) return bytes;
  bytes.resize(total);
  SHOAL_ASSIGN_OR_RETURN(got, file->ReadAt(0, bytes.size(), bytes.data()));
  bytes.resize(got);
  return bytes;
}

absl::Status DoubleWrite::WriteAndSync(absl::string_view bytes) {
  if (file_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(file_, fs_->Open(path_, OpenMode::kCreate));
    // The name must last before the first batch relies on it.
    SHOAL_RETURN_IF_ERROR(fs_->SyncDir(dir_));
  }
  SHOAL_RETURN_IF_ERROR(file_->WriteAt(0, bytes));
  return file_->Sync();
}

absl::Status DoubleWrite::Commit(absl::string_view sealed) {
  const absl::Status status = WriteAndSync(sealed);
  if (!status.ok()) file_.reset();
  return status;
}

absl::Status DoubleWrite::Reset() {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs_->Exists(path_));
  if (!exists) return absl::OkStatus();
  return Commit(std::string(kJournalHeaderBytes, '\0'));
}

}  // namespace shoal
