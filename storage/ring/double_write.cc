#include "storage/ring/double_write.h"

#include <algorithm>
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
// all other bytes: the header before it, seeded with the hash of what follows it). Then the number
// of files u32, the images, the files.
constexpr size_t kVersionAt = 8;
constexpr size_t kImagesAt = 12;
constexpr size_t kSequenceAt = 16;
constexpr size_t kTotalAt = 24;
constexpr size_t kChecksumAt = 32;
static_assert(kChecksumAt + 8 == kJournalHeaderBytes);
constexpr size_t kFilesAt = kJournalHeaderBytes;
constexpr size_t kBodyAt = kFilesAt + 4;

// Image: file u32, stored bytes u32, size u32, offset u64, the stored bytes.
constexpr size_t kImageFixedBytes = 20;
// File: identity u64, name length u8, name.
constexpr size_t kFileFixedBytes = 9;
constexpr size_t kNameBytesMax = 255;

uint64_t BatchChecksum(absl::string_view batch) {
  const uint64_t body = Hash64(batch.substr(kJournalHeaderBytes));
  return Hash64(batch.substr(0, kChecksumAt), body);
}

size_t WithoutTrailingZeros(absl::string_view bytes) {
  size_t size = bytes.size();
  while (size >= 8 && LoadLE<uint64_t>(bytes.data() + size - 8) == 0) size -= 8;
  while (size > 0 && bytes[size - 1] == '\0') --size;
  return size;
}

struct RawImage {
  uint32_t file = 0;
  JournalImage image;
};

absl::Status ParseImages(ByteReader* in, uint32_t count, std::vector<RawImage>* images) {
  for (uint32_t i = 0; i < count; ++i) {
    RawImage raw;
    uint32_t stored = 0;
    if (!in->Get(&raw.file) || !in->Get(&stored) || !in->Get(&raw.image.size) ||
        !in->Get(&raw.image.offset) || !in->GetBytes(stored, &raw.image.bytes)) {
      return absl::DataLossError(absl::StrCat("journal image ", i, " leaves its batch"));
    }
    if (stored > raw.image.size || raw.image.size > kJournalImageMax) {
      return absl::DataLossError(
          absl::StrCat("journal image ", i, " stores ", stored, " bytes of ", raw.image.size));
    }
    images->push_back(raw);
  }
  return absl::OkStatus();
}

absl::Status ParseFiles(ByteReader* in, uint32_t count, std::vector<RawImage>* images) {
  std::vector<std::pair<absl::string_view, uint64_t>> files;
  for (uint32_t i = 0; i < count; ++i) {
    uint64_t identity = 0;
    uint8_t name_size = 0;
    absl::string_view name;
    if (!in->Get(&identity) || !in->Get(&name_size) || !in->GetBytes(name_size, &name))
      return absl::DataLossError(absl::StrCat("journal file ", i, " leaves its batch"));
    files.emplace_back(name, identity);
  }
  for (RawImage& raw : *images) {
    if (raw.file >= files.size())
      return absl::DataLossError(absl::StrCat("journal image of file ", raw.file, " of ", count));
    raw.image.file = files[raw.file].first;
    raw.image.file_identity = files[raw.file].second;
  }
  if (!in->empty()) return absl::DataLossError("journal batch has bytes after its last file");
  return absl::OkStatus();
}

}  // namespace

void JournalBatch::Clear() {
  bytes_.assign(kBodyAt, '\0');
  images_.clear();
  files_.clear();
  file_numbers_.clear();
}

void JournalBatch::Add(absl::string_view file, uint64_t file_identity, uint64_t offset,
                       absl::string_view bytes) {
  AddImage(file, file_identity, offset, bytes.substr(0, WithoutTrailingZeros(bytes)),
           static_cast<uint32_t>(bytes.size()));
}

void JournalBatch::AddHole(absl::string_view file, uint64_t file_identity, uint64_t offset,
                           uint64_t size) {
  for (uint64_t at = 0; at < size; at += kJournalImageMax) {
    AddImage(file, file_identity, offset + at, absl::string_view(),
             static_cast<uint32_t>(std::min<uint64_t>(size - at, kJournalImageMax)));
  }
}

void JournalBatch::AddImage(absl::string_view file, uint64_t file_identity, uint64_t offset,
                            absl::string_view stored, uint32_t size) {
  SHOAL_CHECK(!file.empty() && file.size() <= kNameBytesMax && size <= kJournalImageMax);
  if (files_.empty() || images_.empty() || files_[images_.back().file].second != file_identity) {
    if (file_numbers_.emplace(file_identity, files_.size()).second)
      files_.emplace_back(std::string(file), file_identity);
  }
  ImageRef ref;
  ref.file = !images_.empty() && files_[images_.back().file].second == file_identity
                 ? images_.back().file
                 : file_numbers_.at(file_identity);
  ref.stored = static_cast<uint32_t>(stored.size());
  ref.size = size;
  ref.offset = offset;
  SHOAL_CHECK(bytes_.size() + ref.stored + kImageFixedBytes +
                  files_.size() * (kFileFixedBytes + kNameBytesMax) <=
              kJournalBytesMax);
  AppendLE<uint32_t>(&bytes_, ref.file);
  AppendLE<uint32_t>(&bytes_, ref.stored);
  AppendLE<uint32_t>(&bytes_, ref.size);
  AppendLE<uint64_t>(&bytes_, ref.offset);
  ref.at = bytes_.size();
  bytes_.append(stored.data(), stored.size());
  images_.push_back(ref);
}

absl::string_view JournalBatch::Seal(uint64_t sequence) {
  for (const auto& [name, identity] : files_) {
    AppendLE<uint64_t>(&bytes_, identity);
    AppendLE<uint8_t>(&bytes_, static_cast<uint8_t>(name.size()));
    bytes_.append(name);
  }
  char* const header = bytes_.data();
  std::memcpy(header, kJournalMagic, sizeof(kJournalMagic));
  StoreLE<uint32_t>(header + kVersionAt, kJournalVersion);
  StoreLE<uint32_t>(header + kImagesAt, static_cast<uint32_t>(images_.size()));
  StoreLE<uint64_t>(header + kSequenceAt, sequence);
  StoreLE<uint64_t>(header + kTotalAt, bytes_.size());
  StoreLE<uint32_t>(header + kFilesAt, static_cast<uint32_t>(files_.size()));
  StoreLE<uint64_t>(header + kChecksumAt, BatchChecksum(bytes_));
  return bytes_;
}

std::vector<JournalImage> JournalBatch::Images() const {
  std::vector<ImageRef> refs = images_;
  std::stable_sort(refs.begin(), refs.end(), [](const ImageRef& a, const ImageRef& b) {
    return a.file != b.file ? a.file < b.file : a.offset < b.offset;
  });
  std::vector<JournalImage> images;
  images.reserve(refs.size());
  for (const ImageRef& ref : refs) {
    images.push_back({files_[ref.file].first, files_[ref.file].second, ref.offset,
                      absl::string_view(bytes_).substr(ref.at, ref.stored), ref.size});
  }
  return images;
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
  if (version != kJournalVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("format version ", version, " is not this program's ", kJournalVersion));
  }
  ParsedJournal parsed;
  parsed.sequence = LoadLE<uint64_t>(batch.data() + kSequenceAt);
  std::vector<RawImage> images;
  ByteReader in(batch.substr(kJournalHeaderBytes));
  uint32_t files = 0;
  if (!in.Get(&files)) return absl::DataLossError("journal batch has no file table");
  SHOAL_RETURN_IF_ERROR(ParseImages(&in, LoadLE<uint32_t>(batch.data() + kImagesAt), &images));
  SHOAL_RETURN_IF_ERROR(ParseFiles(&in, files, &images));
  parsed.images.reserve(images.size());
  for (const RawImage& raw : images) parsed.images.push_back(raw.image);
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
