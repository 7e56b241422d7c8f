#include "storage/ring/ring_catalog.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metric/aggregate_columns.h"
#include "storage/page/size_class.h"

namespace shoal {
namespace {

// Of the first file of a class; each next one has so many times more, up to the setting.
constexpr int64_t kFirstStripeBytes = 64 << 10;
constexpr int64_t kStripeGrowth = 4;

// Raw values in the finest archive.
std::vector<uint32_t> ColumnCodesOf(ArchiveKey key, const AggregationRule& rule) {
  if (key.archive == 0) return {0};
  std::vector<uint32_t> codes;
  const AggregateColumns columns(rule);
  for (const AggregateSpec& spec : columns.specs()) codes.push_back(AggregateCode(spec));
  return codes;
}

// Coarser archives hold what has been rolled up, so nothing from the future.
uint64_t FutureSteps(ArchiveKey key, uint32_t step_sec, int64_t future_sec) {
  if (key.archive > 0 || future_sec <= 0) return 0;
  return (static_cast<uint64_t>(future_sec) + step_sec - 1) / step_sec;
}

}  // namespace

const Lease* LeaseFor(const Leases& leases, uint32_t stripe) {
  for (auto it = leases.rbegin(); it != leases.rend(); ++it) {
    if (it->Covers(stripe)) return &*it;
  }
  return nullptr;
}

ArchiveRings::ArchiveRings(ArchiveKey key, const SeriesSchema& schema, uint32_t stripe_steps,
                           int64_t future_sec)
    : key_(key),
      step_sec_(static_cast<uint32_t>(schema.archives[key.archive].step_sec)),
      points_(static_cast<uint64_t>(schema.archives[key.archive].points)),
      rule_(schema.aggregation),
      column_codes_(ColumnCodesOf(key, schema.aggregation)),
      future_sec_(key.archive > 0 ? 0 : std::max<int64_t>(future_sec, 0)),
      stripe_steps_(stripe_steps),
      // One more, so that a stripe has been given back to the file system when its turn comes.
      stripes_(StripesFor(points_ + FutureSteps(key, step_sec_, future_sec), stripe_steps) + 1) {}

bool ArchiveRings::Accepts(const RingHeader& header, std::string* why) const {
  SHOAL_CHECK(header.archive == key_);
  if (header.step_sec != step_sec_ || header.points != points_ || header.columns != columns() ||
      header.method != rule_.method || header.percentile != rule_.percentile ||
      !std::equal(column_codes_.begin(), column_codes_.end(), header.column_codes.begin())) {
    *why = absl::StrCat("has step ", header.step_sec, ", ", header.points, " points, ",
                        header.columns, " columns; its schema says step ", step_sec_, ", ", points_,
                        " points, ", columns(), " columns of its own kinds");
    return false;
  }
  if (!files_.empty() && (header.stripe_steps != stripe_steps_ || header.stripes != stripes_)) {
    *why = absl::StrCat("has ", header.stripes, " stripes of ", header.stripe_steps,
                        " steps; others have ", stripes_, " of ", stripe_steps_);
    return false;
  }
  return true;
}

void ArchiveRings::Attach(std::unique_ptr<RingFile> file, std::vector<std::string>* problems) {
  RingFile* const ring = file.get();
  stripe_steps_ = ring->header().stripe_steps;
  stripes_ = ring->header().stripes;
  file_numbers_[ring] = static_cast<uint32_t>(files_.size());
  files_.push_back(std::move(file));
  const uint32_t slots = ring->header().slots;
  for (uint32_t slot = 0; slot < slots; ++slot) {
    const SlotEntry entry = ring->slots().Get(slot);
    if (!entry.used()) continue;
    Leases leases = Find(entry.series);
    const bool overlaps = std::any_of(leases.begin(), leases.end(), [&entry](const Lease& other) {
      return entry.from_stripe < other.entry.until_stripe &&
             other.entry.from_stripe < entry.until_stripe;
    });
    if (overlaps) {
      problems->push_back(absl::StrCat(ring->name(), " slot ", slot, ": series ", entry.series,
                                       " has another slot for the same stripes"));
      continue;
    }
    leases.push_back({{ring, slot}, entry});
    std::sort(leases.begin(), leases.end(), [](const Lease& a, const Lease& b) {
      return a.entry.from_stripe < b.entry.from_stripe;
    });
    Set(entry.series, leases);
  }
  for (uint32_t slot = 0; slot < slots; ++slot) {
    if (ring->slots().series(slot) == kNoSeries && ring->SlotIsKnown(slot))
      ring->slots().Return(slot);
  }
  OfClass& of_class = classes_[ring->header().size_class];
  of_class.first_free = std::min(of_class.first_free, of_class.files.size());
  of_class.files.push_back(ring);
}

ArchiveRings::PackedRef ArchiveRings::Pack(SlotRef ref) const {
  return {file_numbers_.at(ref.file), ref.slot};
}

Lease ArchiveRings::Unpack(PackedRef ref) const {
  RingFile* const file = files_[ref.file].get();
  return {{file, ref.slot}, file->slots().Get(ref.slot)};
}

ArchiveRings::PackedRef& ArchiveRings::NewestOf(SeriesId series) {
  const size_t chunk = series / kChunkSeries;
  if (chunk >= newest_.size()) newest_.resize(chunk + 1);
  if (newest_[chunk] == nullptr) newest_[chunk] = std::make_unique<Chunk>(kChunkSeries);
  return (*newest_[chunk])[series % kChunkSeries];
}

SlotRef ArchiveRings::Newest(SeriesId series) const {
  const size_t chunk = series / kChunkSeries;
  if (chunk >= newest_.size() || newest_[chunk] == nullptr) return {};
  const PackedRef newest = (*newest_[chunk])[series % kChunkSeries];
  if (newest.file == kNoFile) return {};
  return {files_[newest.file].get(), newest.slot};
}

Leases ArchiveRings::Find(SeriesId series) const {
  Leases leases;
  const size_t chunk = series / kChunkSeries;
  if (chunk >= newest_.size() || newest_[chunk] == nullptr) return leases;
  const PackedRef newest = (*newest_[chunk])[series % kChunkSeries];
  if (newest.file == kNoFile) return leases;
  if (!older_.empty()) {
    if (const auto it = older_.find(series); it != older_.end()) {
      for (const PackedRef ref : it->second) leases.push_back(Unpack(ref));
    }
  }
  leases.push_back(Unpack(newest));
  return leases;
}

void ArchiveRings::Set(SeriesId series, const Leases& leases) {
  older_.erase(series);
  if (leases.empty()) {
    NewestOf(series) = PackedRef();
    return;
  }
  NewestOf(series) = Pack(leases.back().at);
  if (leases.size() == 1) return;
  std::vector<PackedRef>& older = older_[series];
  for (size_t i = 0; i + 1 < leases.size(); ++i) older.push_back(Pack(leases[i].at));
}

std::vector<SeriesId> ArchiveRings::Series() const {
  std::vector<SeriesId> all;
  for (size_t chunk = 0; chunk < newest_.size(); ++chunk) {
    if (newest_[chunk] == nullptr) continue;
    for (uint32_t i = 0; i < kChunkSeries; ++i) {
      if ((*newest_[chunk])[i].file != kNoFile)
        all.push_back(static_cast<SeriesId>(chunk * kChunkSeries + i));
    }
  }
  return all;
}

SlotRef ArchiveRings::TakeSlot(uint8_t size_class) {
  OfClass& of_class = classes_[size_class];
  for (; of_class.first_free < of_class.files.size(); ++of_class.first_free) {
    RingFile* const file = of_class.files[of_class.first_free];
    if (file->slots().free_slots() > 0) return {file, file->slots().Take()};
  }
  return {};
}

void ArchiveRings::ReturnSlot(SlotRef ref) {
  ref.file->slots().Return(ref.slot);
  OfClass& of_class = classes_[ref.file->header().size_class];
  const auto it = std::find(of_class.files.begin(), of_class.files.end(), ref.file);
  of_class.first_free =
      std::min(of_class.first_free, static_cast<size_t>(it - of_class.files.begin()));
}

size_t ArchiveRings::MemoryBytes() const {
  size_t bytes = older_.capacity() * (sizeof(*older_.begin()) + 1);
  for (const auto& [series, refs] : older_) bytes += refs.capacity() * sizeof(refs[0]);
  for (const auto& chunk : newest_) {
    if (chunk != nullptr) bytes += chunk->capacity() * sizeof(PackedRef);
  }
  for (const auto& file : files_) bytes += sizeof(RingFile) + file->slots().MemoryBytes();
  return bytes;
}

RingHeader ArchiveRings::HeaderForNewFile(uint8_t size_class, int64_t stripe_bytes_max,
                                          int64_t created_us) const {
  RingHeader header;
  header.archive = key_;
  header.size_class = size_class;
  header.columns = columns();
  header.method = rule_.method;
  header.percentile = rule_.percentile;
  std::copy(column_codes_.begin(), column_codes_.end(), header.column_codes.begin());
  header.x_files_factor = rule_.x_files_factor;
  header.step_sec = step_sec_;
  header.points = points_;
  header.stripe_steps = stripe_steps_;
  header.stripes = stripes_;
  header.page_bytes = PageBytesFor(size_class, stripe_steps_, columns());
  int64_t stripe_bytes = kFirstStripeBytes;
  if (const auto it = classes_.find(size_class); it != classes_.end()) {
    for (const RingFile* const file : it->second.files) {
      header.number = std::max(header.number, file->header().number + 1);
      stripe_bytes = std::min(stripe_bytes_max, stripe_bytes * kStripeGrowth);
    }
  }
  header.slots = static_cast<uint32_t>(std::clamp<int64_t>(
      std::min(stripe_bytes, stripe_bytes_max) / header.page_bytes, 1, int64_t{kRingSlotsMax}));
  header.created_us = created_us;
  return header;
}

}  // namespace shoal
