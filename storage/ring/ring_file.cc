#include "storage/ring/ring_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {

RingFile::RingFile(FileSystem* fs, std::string path, const RingHeader& header)
    : fs_(fs),
      path_(std::move(path)),
      header_(header),
      name_(RingFileName(header)),
      identity_(header.Identity()),
      has_data_(std::make_unique<std::atomic<bool>[]>(header.stripes)),
      slots_(header.slots),
      known_blocks_(header.slot_blocks(), true) {}

absl::StatusOr<std::unique_ptr<RingFile>> RingFile::Create(FileSystem* fs, const std::string& dir,
                                                           const RingHeader& header) {
  const std::string path = JoinPath(dir, RingFileName(header));
  if (const absl::Status status = CheckRingGeometry(header); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  }
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (exists) return absl::AlreadyExistsError(absl::StrCat(path, ": exists"));
  std::unique_ptr<RingFile> ring(new RingFile(fs, path, header));
  std::string bytes = EncodeRingHeader(header);
  for (uint32_t block = 0; block < header.slot_blocks(); ++block) {
    const size_t first = size_t{block} * kSlotsPerBlock;
    const size_t count = std::min<size_t>(kSlotsPerBlock, header.slots - first);
    bytes +=
        EncodeSlotBlock(header, block, absl::MakeConstSpan(ring->slots_).subspan(first, count));
  }
  // Under a temporary name until it is whole, so that a crash leaves no half-made ring file.
  const std::string temporary = path + ".tmp";
  SHOAL_ASSIGN_OR_RETURN(const bool left_over, fs->Exists(temporary));
  if (left_over) SHOAL_RETURN_IF_ERROR(fs->Remove(temporary));
  {
    SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                           fs->Open(temporary, OpenMode::kCreateExclusive));
    SHOAL_RETURN_IF_ERROR(file->WriteAt(0, bytes));
    SHOAL_RETURN_IF_ERROR(file->Truncate(header.file_bytes()));
    SHOAL_RETURN_IF_ERROR(file->Sync());
  }
  SHOAL_RETURN_IF_ERROR(fs->Rename(temporary, path));
  SHOAL_RETURN_IF_ERROR(fs->SyncDir(dir));
  SHOAL_RETURN_IF_ERROR(ring->Reopen());
  return ring;
}

absl::StatusOr<std::unique_ptr<RingFile>> RingFile::Open(FileSystem* fs, const std::string& dir,
                                                         const std::string& name) {
  const std::string path = JoinPath(dir, name);
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<File> file, fs->Open(path, OpenMode::kReadWrite));
  std::string block(kRingBlockBytes, '\0');
  SHOAL_ASSIGN_OR_RETURN(const size_t got, file->ReadAt(0, block.size(), block.data()));
  block.resize(got);
  RingHeader header;
  if (absl::Status status = DecodeRingHeader(block, &header); !status.ok())
    return Annotate(status, path);
  if (RingFileName(header) != name) {
    return absl::DataLossError(
        absl::StrCat(path, ": is the file ", RingFileName(header), " under another name"));
  }
  std::unique_ptr<RingFile> ring(new RingFile(fs, path, header));
  {
    MutexLock lock(&ring->file_mu_);
    ring->file_ = std::move(file);
  }
  SHOAL_RETURN_IF_ERROR(ring->LoadSlots());
  SHOAL_RETURN_IF_ERROR(ring->FindData());
  return ring;
}

absl::Status RingFile::LoadSlots() {
  std::string table(size_t{header_.slot_blocks()} * kRingBlockBytes, '\0');
  SHOAL_ASSIGN_OR_RETURN(const size_t got,
                         file()->ReadAt(header_.SlotBlockOffset(0), table.size(), table.data()));
  table.resize(got);
  bad_blocks_.clear();
  for (uint32_t block = 0; block < header_.slot_blocks(); ++block) {
    const size_t first = size_t{block} * kSlotsPerBlock;
    const absl::Span<SlotEntry> entries = absl::MakeSpan(slots_).subspan(first, kSlotsPerBlock);
    const size_t at = std::min(table.size(), size_t{block} * kRingBlockBytes);
    const absl::Status status = DecodeSlotBlock(
        header_, block, absl::string_view(table).substr(at, kRingBlockBytes), entries);
    known_blocks_[block] = status.ok();
    if (!status.ok()) {
      std::fill(entries.begin(), entries.end(), SlotEntry());
      bad_blocks_.push_back(absl::StrCat(name_, ": ", status.message()));
    }
  }
  return absl::OkStatus();
}

absl::Status RingFile::FindData() {
  const std::shared_ptr<File> open = file();
  const uint64_t begin = header_.PageOffset(0, 0);
  for (uint64_t index = 0; index < header_.stripes; ++index) {
    const uint64_t offset = begin + index * header_.stripe_bytes();
    SHOAL_ASSIGN_OR_RETURN(const uint64_t data, open->NextData(offset));
    if (data >= header_.file_bytes()) break;
    index = (std::max(data, offset) - begin) / header_.stripe_bytes();
    has_data_[index].store(true, std::memory_order_release);
  }
  return absl::OkStatus();
}

std::shared_ptr<File> RingFile::file() const {
  MutexLock lock(&file_mu_);
  return file_;
}

absl::Status RingFile::ReadPages(uint32_t index, uint32_t slot, uint32_t count, char* to) const {
  const size_t size = size_t{count} * header_.page_bytes;
  SHOAL_ASSIGN_OR_RETURN(const size_t got,
                         file()->ReadAt(header_.PageOffset(index, slot), size, to));
  std::memset(to + got, 0, size - got);
  return absl::OkStatus();
}

absl::Status RingFile::CheckedPage(uint32_t index, uint32_t slot, char* page,
                                   PageHeader* header) const {
  const PageShape shape = header_.shape();
  const uint64_t seed = PageSeedOf(identity_, slot);
  const absl::string_view bytes(page, shape.page_bytes);
  if (CheckPage(shape, seed, bytes, header).ok()) return absl::OkStatus();
  MutexLock lock(&write_mu_);
  SHOAL_RETURN_IF_ERROR(ReadPages(index, slot, 1, page));
  return CheckPage(shape, seed, bytes, header);
}

absl::Status RingFile::Write(uint64_t offset, absl::string_view bytes) {
  const uint64_t end = header_.file_bytes();
  if (offset < header_.SlotBlockOffset(0) || offset > end || bytes.size() > end - offset) {
    return absl::OutOfRangeError(absl::StrCat(name_, ": image of ", bytes.size(), " bytes at ",
                                              offset, " is outside of the file"));
  }
  // Before the bytes come: who reads without seeing the mark reads the stripe as it was.
  const uint64_t data = header_.PageOffset(0, 0);
  if (!bytes.empty() && offset + bytes.size() > data) {
    const uint64_t last = (offset + bytes.size() - 1 - data) / header_.stripe_bytes();
    for (uint64_t i = (std::max(offset, data) - data) / header_.stripe_bytes(); i <= last; ++i)
      has_data_[i].store(true, std::memory_order_release);
  }
  MutexLock lock(&write_mu_);
  return file()->WriteAt(offset, bytes);
}

absl::Status RingFile::Sync() { return file()->Sync(); }

absl::Status RingFile::Reopen() {
  SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<File> fresh, fs_->Open(path_, OpenMode::kReadWrite));
  MutexLock lock(&file_mu_);
  file_ = std::move(fresh);
  return absl::OkStatus();
}

absl::StatusOr<uint64_t> RingFile::AllocatedBytes() const { return file()->AllocatedBytes(); }

}  // namespace shoal
