#include "storage/ring/ring_commit.h"

#include <algorithm>
#include <map>

#include "base/check.h"
#include "base/logging.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// A batch goes to the journal when it has grown past one of these; they bound memory and journal
// (with one stripe).
constexpr size_t kBatchBytes = 16 << 20;
constexpr size_t kBatchLeases = 64 << 10;
// Images that lie together are written in one call of at most so much.
constexpr size_t kRunBytes = 1 << 20;

}  // namespace

RingCommit::RingCommit(FileSystem* fs, std::string dir, Mutex* mu, BadPages* bad_pages,
                       Counter* journal_bytes)
    : mu_(mu), bad_pages_(bad_pages), journal_bytes_(journal_bytes), journal_(fs, std::move(dir)) {}

RingCommit::~RingCommit() {
  if (pending_ || sequence_ == 0) return;
  if (const absl::Status status = journal_.Reset(); !status.ok()) {
    LogWarning("ring",
               "journal not reset at close; it is replayed at the next start: ", status.message());
  }
}

absl::Status RingCommit::Begin(ArchiveRings* rings) {
  SHOAL_RETURN_IF_ERROR(ApplyPending());
  rings_ = rings;
  return absl::OkStatus();
}

Leases RingCommit::Find(SeriesId series) const {
  if (!chains_.empty()) {
    if (const auto it = chains_.find(series); it != chains_.end()) return it->second;
  }
  MutexLock lock(mu_);
  return rings_->Find(series);
}

void RingCommit::FreeSlot(const Lease& lease) {
  SlotEntry freed;
  freed.generation = lease.entry.generation;
  SetLease(lease.at, freed);
  left_.push_back(lease.at);
}

void RingCommit::AddPage(RingFile* file, uint32_t stripe, uint32_t slot, absl::string_view image) {
  if (file != last_touched_) {
    touched_[file->name()] = file;
    last_touched_ = file;
  }
  file->NoteStripe(stripe);
  batch_.Add(file->name(), file->identity(),
             file->header().PageOffset(stripe % file->header().stripes, slot), image);
}

void RingCommit::AddHole(RingFile* file, uint32_t index) {
  touched_[file->name()] = file;
  batch_.AddHole(file->name(), file->identity(), file->header().PageOffset(index, 0),
                 file->header().stripe_bytes());
}

bool RingCommit::IsLarge() const {
  return batch_.size_bytes() >= kBatchBytes || staged_leases_ >= kBatchLeases;
}

// Each block that a lease of the batch is in, once, as the batch leaves it.
void RingCommit::AddSlotBlocks() {
  std::vector<SlotEntry> image;
  for (auto& [file, entries] : entries_) {
    touched_[file->name()] = file;
    // Of two changes of a slot the later one holds.
    std::stable_sort(entries.begin(), entries.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (size_t i = 0; i < entries.size();) {
      const uint32_t block = entries[i].first / kSlotsPerBlock;
      const uint32_t first = block * kSlotsPerBlock;
      image.resize(std::min(kSlotsPerBlock, file->header().slots - first));
      {
        MutexLock lock(mu_);
        for (uint32_t k = 0; k < image.size(); ++k) image[k] = file->slots().Get(first + k);
      }
      for (; i < entries.size() && entries[i].first / kSlotsPerBlock == block; ++i)
        image[entries[i].first - first] = entries[i].second;
      batch_.Add(file->name(), file->identity(), file->header().SlotBlockOffset(block),
                 EncodeSlotBlock(file->header(), block, image));
    }
  }
}

absl::Status RingCommit::Commit() {
  AddSlotBlocks();
  if (batch_.empty()) {
    RollBack();
    return absl::OkStatus();
  }
  const absl::string_view sealed = batch_.Seal(++sequence_);
  if (const absl::Status status = journal_.Commit(sealed); !status.ok()) {
    RollBack();
    return Annotate(status, "double-write journal");
  }
  if (journal_bytes_ != nullptr) journal_bytes_->Add(sealed.size());
  pending_ = true;
  return ApplyPending();
}

void RingCommit::RollBack() {
  if (pending_) return;
  if (!taken_.empty()) {
    MutexLock lock(mu_);
    for (const SlotRef ref : taken_) rings_->ReturnSlot(ref);
  }
  Clear();
}

absl::Status RingCommit::WriteInPlace() {
  RingFile* file = nullptr;
  uint64_t run_at = 0;
  uint64_t hole_bytes = 0;  // the run is a hole; run_ is empty then
  const auto write_run = [&]() -> absl::Status {
    absl::Status status;
    if (hole_bytes > 0) status = file->Punch(run_at, hole_bytes);
    if (!run_.empty()) status = file->Write(run_at, run_);
    hole_bytes = 0;
    run_.clear();
    return status;
  };
  for (const JournalImage& image : batch_.Images()) {
    const bool same_file = file != nullptr && file->identity() == image.file_identity;
    if (!same_file || image.offset != run_at + hole_bytes + run_.size() ||
        run_.size() >= kRunBytes || image.is_hole() != (hole_bytes > 0)) {
      SHOAL_RETURN_IF_ERROR(write_run());
      if (!same_file) file = touched_.at(image.file);
      run_at = image.offset;
    }
    if (image.is_hole()) {
      hole_bytes += image.size;
      continue;
    }
    run_.append(image.bytes.data(), image.bytes.size());
    run_.resize(run_.size() + image.size - image.bytes.size(), '\0');
  }
  return write_run();
}

absl::Status RingCommit::ApplyPending() {
  if (!pending_) return absl::OkStatus();
  if (reopen_) {
    // What went through the old descriptors since their last good sync may be gone: all of it is in
    // the batch, and the whole batch is written again through new ones.
    for (const auto& [name, file] : touched_) file->Reopen();
  }
  reopen_ = true;
  run_.clear();
  SHOAL_RETURN_IF_ERROR(WriteInPlace());
  for (const auto& [name, file] : touched_) SHOAL_RETURN_IF_ERROR(file->Sync());
  reopen_ = false;
  pending_ = false;
  Publish();
  return absl::OkStatus();
}

void RingCommit::Publish() {
  {
    MutexLock lock(mu_);
    for (const auto& [file, entries] : entries_) {
      for (const auto& [slot, entry] : entries) file->slots().Set(slot, entry);
    }
    for (const auto& [series, leases] : chains_) rings_->Set(series, leases);
    for (const SlotRef ref : left_) rings_->ReturnSlot(ref);
  }
  for (const Rewritten& page : rewritten_) bad_pages_->Forget(*page.file, page.index, page.slot);
  Clear();
}

void RingCommit::Clear() {
  batch_.Clear();
  touched_.clear();
  last_touched_ = nullptr;
  chains_.clear();
  entries_.clear();
  staged_leases_ = 0;
  taken_.clear();
  left_.clear();
  rewritten_.clear();
}

}  // namespace shoal
