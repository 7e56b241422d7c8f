#include "router/ingest/name_table.h"

#include <random>

#include "base/checksum.h"
#include "base/cluster/hash.h"

namespace shoal {
namespace {

constexpr size_t kFirstSlots = 1024;
// Guesses are made while at most so many of the last have been wrong; below the minimum only
// counted.
constexpr int kConfidenceMax = 16;
constexpr int kConfidenceMin = 8;

uint64_t RandomSeed() {
  std::random_device device;
  return static_cast<uint64_t>(device()) << 32 | device();
}

}  // namespace

NameTable::NameTable(const Options& options) : options_(options), seed_(RandomSeed()) {
  BeginGeneration();
}

uint64_t NameTable::HashOf(absl::string_view raw) const { return Hash64(raw, seed_); }

NameError NameTable::Find(absl::string_view raw, uint32_t* ref) {
  // Senders name their series in the same order again and again. The name that came after the last
  // one before lies beside it in memory, most often; the slot of its hash lies anywhere.
  const uint32_t guess = last_ref_ < successors_.size() ? successors_[last_ref_] : 0;
  if (confidence_ >= kConfidenceMin && guess < book_->size()) {
    if (book_->raw(guess) == raw) {
      confidence_ = kConfidenceMax;
      *ref = last_ref_ = guess;
      return NameError::kNone;
    }
    --confidence_;
  }
  if (const NameError error = FindHashed(raw, ref); error != NameError::kNone) return error;
  // A guess costs a look at the name; without one it can still be told whether it would have been
  // right.
  if (*ref == guess && confidence_ < kConfidenceMax) ++confidence_;
  // Not across generations: BeginGeneration has emptied successors_.
  if (last_ref_ < successors_.size()) successors_[last_ref_] = *ref;
  if (*ref == successors_.size()) successors_.push_back(*ref + 1);
  last_ref_ = *ref;
  return NameError::kNone;
}

NameError NameTable::FindHashed(absl::string_view raw, uint32_t* ref) {
  const uint64_t hash = HashOf(raw);
  const uint32_t tag = static_cast<uint32_t>(hash >> 32);
  const size_t mask = slots_.size() - 1;
  for (size_t i = hash & mask;; i = (i + 1) & mask) {
    const Slot& slot = slots_[i];
    if (slot.ref_plus_one == 0) return Insert(raw, hash, ref);
    if (slot.tag == tag && book_->raw(slot.ref_plus_one - 1) == raw) {
      *ref = slot.ref_plus_one - 1;
      return NameError::kNone;
    }
  }
}

NameError NameTable::Insert(absl::string_view raw, uint64_t hash, uint32_t* ref) {
  if (const NameError error = ValidateName(raw); error != NameError::kNone) return error;
  const std::string canonical = CanonicalName(raw);
  if (!book_->HasRoom(raw.size(), canonical.size())) BeginGeneration();
  if ((book_->size() + 1) * 4 > slots_.size() * 3) Grow();
  *ref = book_->Add(raw, canonical, PartitionOf(canonical, options_.partition_count));
  Place(hash, *ref);
  return NameError::kNone;
}

void NameTable::Place(uint64_t hash, uint32_t ref) {
  const size_t mask = slots_.size() - 1;
  size_t i = hash & mask;
  while (slots_[i].ref_plus_one != 0) i = (i + 1) & mask;
  slots_[i] = {static_cast<uint32_t>(hash >> 32), ref + 1};
}

void NameTable::Grow() {
  slots_.assign(slots_.size() * 2, Slot());
  for (uint32_t ref = 0; ref < book_->size(); ++ref) Place(HashOf(book_->raw(ref)), ref);
}

void NameTable::BeginGeneration() {
  ++generations_;
  book_ = std::make_shared<NameBook>(options_.names_max, options_.bytes_max);
  slots_.assign(kFirstSlots, Slot());
  successors_.clear();
  last_ref_ = 0;
}

}  // namespace shoal
