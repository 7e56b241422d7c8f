#include "storage/ring/ring_file.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {

RingFile::RingFile(RingFilePool* pool, std::string path, const RingHeader& header)
    : pool_(pool),
      path_(std::move(path)),
      header_(header),
      name_(RingFileName(header)),
      identity_(header.Identity()),
      has_data_(std::make_unique<std::atomic<bool>[]>(header.stripes)),
      slots_(header.slots),
      known_blocks_(header.slot_blocks(), true) {}

RingFile::~RingFile() { pool_->Remove(this); }

absl::StatusOr<std::unique_ptr<RingFile>> RingFile::Create(RingFilePool* pool,
                                                           const std::string& dir,
                                                           const RingHeader& header) {
  FileSystem* const fs = pool->fs();
  const std::string path = JoinPath(dir, RingFileName(header));
  if (const absl::Status status = CheckRingGeometry(header); !status.ok()) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", status.message()));
  }
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (exists) return absl::AlreadyExistsError(absl::StrCat(path, ": exists"));
  std::unique_ptr<RingFile> ring(new RingFile(pool, path, header));
  std::string bytes = EncodeRingHeader(header);
  const std::vector<SlotEntry> empty(kSlotsPerBlock);
  for (uint32_t block = 0; block < header.slot_blocks(); ++block) {
    const uint32_t count = std::min(kSlotsPerBlock, header.slots - block * kSlotsPerBlock);
    bytes += EncodeSlotBlock(header, block, absl::MakeConstSpan(empty).first(count));
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
  ring->newest_stripe_ = 0;
  return ring;
}

absl::StatusOr<std::unique_ptr<RingFile>> RingFile::Open(RingFilePool* pool, const std::string& dir,
                                                         const std::string& name) {
  const std::string path = JoinPath(dir, name);
  SHOAL_ASSIGN_OR_RETURN(std::unique_ptr<File> file, pool->Open(path));
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
  std::unique_ptr<RingFile> ring(new RingFile(pool, path, header));
  {
    MutexLock lock(&ring->file_mu_);
    ring->file_ = std::move(file);
    ring->in_pool_ = true;
  }
  pool->Add(ring.get());
  SHOAL_RETURN_IF_ERROR(ring->LoadSlots());
  SHOAL_RETURN_IF_ERROR(ring->FindData());
  return ring;
}

absl::Status RingFile::LoadSlots() {
  SHOAL_ASSIGN_OR_RETURN(const std::shared_ptr<File> open, file());
  std::string table(size_t{header_.slot_blocks()} * kRingBlockBytes, '\0');
  SHOAL_ASSIGN_OR_RETURN(const size_t got,
                         open->ReadAt(header_.SlotBlockOffset(0), table.size(), table.data()));
  table.resize(got);
  bad_blocks_.clear();
  std::vector<SlotEntry> entries;
  for (uint32_t block = 0; block < header_.slot_blocks(); ++block) {
    const uint32_t first = block * kSlotsPerBlock;
    entries.assign(std::min(kSlotsPerBlock, header_.slots - first), SlotEntry());
    const size_t at = std::min(table.size(), size_t{block} * kRingBlockBytes);
    const absl::Status status =
        DecodeSlotBlock(header_, block, absl::string_view(table).substr(at, kRingBlockBytes),
                        absl::MakeSpan(entries));
    known_blocks_[block] = status.ok();
    if (!status.ok()) {
      std::fill(entries.begin(), entries.end(), SlotEntry());
      bad_blocks_.push_back(absl::StrCat(name_, ": ", status.message()));
    }
    for (uint32_t i = 0; i < entries.size(); ++i) slots_.Set(first + i, entries[i]);
  }
  return absl::OkStatus();
}

absl::Status RingFile::FindData() {
  SHOAL_ASSIGN_OR_RETURN(const std::shared_ptr<File> open, file());
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

absl::StatusOr<std::shared_ptr<File>> RingFile::file() const {
  {
    MutexLock lock(&file_mu_);
    used_ = true;
    if (file_ != nullptr) return file_;
  }
  SHOAL_ASSIGN_OR_RETURN(std::shared_ptr<File> fresh, pool_->Open(path_));
  bool joins_pool = false;
  {
    MutexLock lock(&file_mu_);
    if (file_ != nullptr) return file_;  // another thread was faster
    file_ = fresh;
    joins_pool = !in_pool_;
    in_pool_ = true;
  }
  // Without the file's lock: the pool takes those of the files that it closes.
  if (joins_pool) pool_->Add(const_cast<RingFile*>(this));
  return fresh;
}

bool RingFile::CloseIdle(bool even_if_used) {
  std::shared_ptr<File> closed;  // outlives the lock
  MutexLock lock(&file_mu_);
  if (used_ && !even_if_used) {
    used_ = false;
    return false;
  }
  closed = std::move(file_);
  file_ = nullptr;
  in_pool_ = false;
  return true;
}

absl::Status RingFile::ReadPages(uint32_t index, uint32_t slot, uint32_t count, char* to) const {
  const size_t size = size_t{count} * header_.page_bytes;
  SHOAL_ASSIGN_OR_RETURN(const std::shared_ptr<File> open, file());
  SHOAL_ASSIGN_OR_RETURN(const size_t got, open->ReadAt(header_.PageOffset(index, slot), size, to));
  std::memset(to + got, 0, size - got);
  return absl::OkStatus();
}

absl::Status RingFile::LearnNewestStripe(uint32_t first, uint32_t count) {
  // Headers as they are: a damaged one can only make the answer later than it is, and then more is
  // read elsewhere.
  const uint32_t at_once = std::max<uint32_t>(1, (256 << 10) / header_.page_bytes);
  std::vector<char> pages(size_t{at_once} * header_.page_bytes);
  uint32_t newest = first - std::min<uint32_t>(first, 1);
  for (uint32_t i = 0; i < std::min(count, header_.stripes); ++i) {
    const uint32_t index = static_cast<uint32_t>((uint64_t{first} + i) % header_.stripes);
    if (!MayHaveData(index)) continue;
    for (uint32_t slot = 0; slot < header_.slots; slot += at_once) {
      const uint32_t run = std::min(at_once, header_.slots - slot);
      SHOAL_RETURN_IF_ERROR(ReadPages(index, slot, run, pages.data()));
      for (uint32_t k = 0; k < run; ++k)
        newest = std::max(newest, PageStripe(pages.data() + size_t{k} * header_.page_bytes));
    }
  }
  newest_stripe_ = newest;
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

absl::Status RingFile::CheckImage(uint64_t offset, uint64_t size) const {
  const uint64_t end = header_.file_bytes();
  if (offset < header_.SlotBlockOffset(0) || offset > end || size > end - offset) {
    return absl::OutOfRangeError(
        absl::StrCat(name_, ": image of ", size, " bytes at ", offset, " is outside of the file"));
  }
  return absl::OkStatus();
}

absl::Status RingFile::Write(uint64_t offset, absl::string_view bytes) {
  SHOAL_RETURN_IF_ERROR(CheckImage(offset, bytes.size()));
  // Before the bytes come: who reads without seeing the mark reads the stripe as it was.
  const uint64_t data = header_.PageOffset(0, 0);
  if (!bytes.empty() && offset + bytes.size() > data) {
    const uint64_t last = (offset + bytes.size() - 1 - data) / header_.stripe_bytes();
    for (uint64_t i = (std::max(offset, data) - data) / header_.stripe_bytes(); i <= last; ++i)
      has_data_[i].store(true, std::memory_order_release);
  }
  if (writing_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(writing_, file());
  }
  MutexLock lock(&write_mu_);
  return writing_->WriteAt(offset, bytes);
}

absl::Status RingFile::Punch(uint64_t offset, uint64_t size) {
  SHOAL_RETURN_IF_ERROR(CheckImage(offset, size));
  if (writing_ == nullptr) {
    SHOAL_ASSIGN_OR_RETURN(writing_, file());
  }
  MutexLock lock(&write_mu_);
  SHOAL_RETURN_IF_ERROR(writing_->PunchHole(offset, size));
  const uint64_t data = header_.PageOffset(0, 0);
  if (offset + size <= data) return absl::OkStatus();
  // The stripes that lie wholly within.
  const uint64_t stripe_bytes = header_.stripe_bytes();
  const uint64_t end = (offset + size - data) / stripe_bytes;
  for (uint64_t i = (std::max(offset, data) - data + stripe_bytes - 1) / stripe_bytes; i < end; ++i)
    has_data_[i].store(false, std::memory_order_release);
  return absl::OkStatus();
}

absl::Status RingFile::Sync() {
  if (writing_ == nullptr) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(writing_->Sync());
  writing_.reset();
  return absl::OkStatus();
}

void RingFile::Reopen() {
  writing_.reset();
  std::shared_ptr<File> closed;
  MutexLock lock(&file_mu_);
  closed = std::move(file_);
  file_ = nullptr;
}

absl::StatusOr<uint64_t> RingFile::AllocatedBytes() const {
  SHOAL_ASSIGN_OR_RETURN(const std::shared_ptr<File> open, file());
  return open->AllocatedBytes();
}

}  // namespace shoal
