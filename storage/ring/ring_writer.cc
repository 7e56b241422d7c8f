#include "storage/ring/ring_writer.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "storage/page/size_class.h"

namespace shoal {
namespace {

// A stripe is read as a whole when at least one in this many of its slots is wanted.
constexpr size_t kBulkReadShare = 4;
// Series are looked up this many at a time, so that readers get their turn.
constexpr size_t kWritesPerLock = 1024;

void Count(Counter* counter, uint64_t n = 1) {
  if (counter != nullptr) counter->Add(n);
}

}  // namespace

RingWriter::RingWriter(RingFilePool* pool, std::string dir, int64_t stripe_bytes_max, Mutex* mu,
                       BadPages* bad_pages, RingWriterCounters counters)
    : pool_(pool),
      dir_(dir),
      stripe_bytes_max_(stripe_bytes_max),
      mu_(mu),
      bad_pages_(bad_pages),
      counters_(counters),
      commit_(pool->fs(), std::move(dir), mu, bad_pages, counters.journal_bytes) {}

void RingWriter::CountWritten(const PageWrite& write) const {
  Count(counters_.points_written, write.points());
}

void RingWriter::CountExpired(const PageWrite& write) const {
  Count(counters_.points_expired, write.points());
}

absl::Status RingWriter::Write(ArchiveRings* rings, std::vector<PageWrite> writes) {
  SHOAL_RETURN_IF_ERROR(commit_.Begin(rings));
  rings_ = rings;
  {
    MutexLock lock(mu_);
    merge_.SetArchive(*rings);
    copy_.SetArchive(*rings);
  }
  deferred_.clear();
  std::vector<PageWrite> known;
  std::vector<PageWrite> fresh;
  Route(std::move(writes), &known, &fresh);
  absl::Status status = WriteKnown(absl::MakeSpan(known));
  if (status.ok()) status = WriteFresh(absl::MakeSpan(fresh));
  if (status.ok()) status = commit_.Commit();
  // What is left reads pages that were written just now; one write of a series per batch at a time.
  std::vector<PageWrite> deferred = std::move(deferred_);
  absl::flat_hash_set<SeriesId> in_batch;
  for (size_t i = 0; i < deferred.size() && status.ok(); ++i) {
    if (commit_.IsLarge() || !in_batch.insert(deferred[i].series).second) {
      status = commit_.Commit();
      in_batch = {deferred[i].series};
      if (!status.ok()) break;
    }
    status = WriteDeferred(std::move(deferred[i]));
  }
  if (status.ok()) status = commit_.Commit();
  if (!status.ok()) commit_.RollBack();
  SHOAL_CHECK(deferred_.empty());
  return status;
}

absl::Status RingWriter::Free(ArchiveRings* rings, absl::Span<const SeriesId> series) {
  SHOAL_RETURN_IF_ERROR(commit_.Begin(rings));
  rings_ = rings;
  for (const SeriesId id : series) {
    const Leases leases = commit_.Find(id);
    if (leases.empty()) continue;
    for (const Lease& lease : leases) commit_.FreeSlot(lease);
    commit_.SetChain(id, {});
    if (commit_.IsLarge()) SHOAL_RETURN_IF_ERROR(commit_.Commit());
  }
  return commit_.Commit();
}

bool RingWriter::RouteTo(const Leases& leases, PageWrite* write) const {
  const Lease* const lease = LeaseFor(leases, write->stripe);
  if (lease == nullptr) return false;
  write->at = lease->at;
  write->generation = lease->entry.generation;
  return true;
}

void RingWriter::Route(std::vector<PageWrite> writes, std::vector<PageWrite>* known,
                       std::vector<PageWrite>* fresh) {
  known->reserve(writes.size());
  std::vector<size_t> chained;
  for (size_t begin = 0; begin < writes.size(); begin += kWritesPerLock) {
    const size_t end = std::min(writes.size(), begin + kWritesPerLock);
    chained.clear();
    MutexLock lock(mu_);
    for (size_t i = begin; i < end; ++i) {
      PageWrite& write = writes[i];
      write.last = i + 1 == writes.size() || write.series < writes[i + 1].series;
      write.alone = write.last && (i == 0 || writes[i - 1].series < write.series);
      write.at = rings_->Newest(write.series);
      if (write.at.file == nullptr) {
        fresh->push_back(write);
      } else if (rings_->IsPlain(write.series, write.at)) {
        write.generation = write.at.file->slots().generation(write.at.slot);
        known->push_back(write);
      } else {
        chained.push_back(i);
      }
    }
    for (const size_t i : chained) {
      if (RouteTo(rings_->Find(writes[i].series), &writes[i])) {
        known->push_back(writes[i]);
      } else {
        CountExpired(writes[i]);
      }
    }
  }
  // File by file, stripe by stripe, in the order of the bytes on disk; writes to one page in the
  // order they came.
  std::stable_sort(known->begin(), known->end(), [](const PageWrite& a, const PageWrite& b) {
    if (a.at.file != b.at.file) return a.at.place() < b.at.place();
    return a.stripe != b.stripe ? a.stripe < b.stripe : a.at.slot < b.at.slot;
  });
}

absl::Status RingWriter::WriteKnown(absl::Span<PageWrite> writes) {
  for (size_t begin = 0, end = 0; begin < writes.size(); begin = end) {
    for (end = begin + 1; end < writes.size(); ++end) {
      if (writes[end].at.file != writes[begin].at.file ||
          writes[end].stripe != writes[begin].stripe)
        break;
    }
    SHOAL_RETURN_IF_ERROR(WriteGroup(writes.subspan(begin, end - begin)));
    if (commit_.IsLarge()) SHOAL_RETURN_IF_ERROR(commit_.Commit());
  }
  return absl::OkStatus();
}

absl::Status RingWriter::WriteGroup(absl::Span<PageWrite> group) {
  RingFile& file = *group.front().at.file;
  const size_t page_bytes = file.header().page_bytes;
  const uint32_t stripe = group.front().stripe;
  const uint32_t index = stripe % rings_->stripes();
  const uint32_t first = group.front().at.slot;
  const uint32_t span = group.back().at.slot - first + 1;
  const bool bulk = group.size() * kBulkReadShare >= span;
  const auto read = [&](uint32_t at_stripe, std::vector<char>* to) -> absl::Status {
    to->resize(span * page_bytes);
    if (bulk) return file.ReadPages(at_stripe % rings_->stripes(), first, span, to->data());
    for (const PageWrite& write : group) {
      SHOAL_RETURN_IF_ERROR(file.ReadPages(at_stripe % rings_->stripes(), write.at.slot, 1,
                                           to->data() + (write.at.slot - first) * page_bytes));
    }
    return absl::OkStatus();
  };
  SHOAL_RETURN_IF_ERROR(LearnNewest(&file, stripe));
  // Nothing is there yet of a stripe that begins in this file.
  const bool begins = stripe > file.newest_stripe();
  const bool may_change_class = stripe > 0 && stripe >= file.newest_stripe() &&
                                file.MayHaveData((stripe - 1) % rings_->stripes());
  const bool has_data = file.MayHaveData(index) && !begins;
  if (has_data) SHOAL_RETURN_IF_ERROR(read(stripe, &stripe_buffer_));
  if (may_change_class) {
    if (begins) {
      SHOAL_RETURN_IF_ERROR(read(stripe - 1, &last_stripe_buffer_));
    } else {
      last_stripe_buffer_.resize(page_bytes);
    }
  }

  for (size_t i = 0, next = 0; i < group.size(); i = next) {
    const PageWrite& write = group[i];
    for (next = i + 1; next < group.size() && group[next].at == write.at; ++next) {
    }
    const size_t place = (write.at.slot - first) * page_bytes;
    char* const page = stripe_buffer_.data() + place;
    Found found = Found::kNothing;
    if (!has_data) {
      merge_.Reset();
    } else {
      const absl::Status status =
          merge_.Load(write.at, write.series, write.generation, stripe, page, &found);
      if (absl::IsDataLoss(status)) {
        bad_pages_->Report(file, index, write.at.slot, status);
        Count(counters_.pages_lost);
        commit_.AddRewritten(&file, index, write.at.slot);
      } else {
        SHOAL_RETURN_IF_ERROR(status);
      }
    }
    if (found == Found::kLaterLap) {
      for (size_t k = i; k < next; ++k) CountExpired(group[k]);
      continue;
    }
    for (size_t k = i; k < next; ++k) merge_.Merge(group[k]);
    if (!merge_.AnyKnown()) continue;  // nothing was there and nothing came
    merge_.Encode(write.series, stripe);
    if (found == Found::kNothing && group[next - 1].last) {
      // What the stripe before has shows whether the class does. Earlier writes of the series in
      // this call go where they belong: the slot that it has so far keeps their stripes.
      Leases leases = commit_.Find(write.series);
      StageExpired(write, &leases);
      if (may_change_class && leases.back().at == write.at &&
          leases.back().entry.from_stripe < stripe) {
        const char* last_page = last_stripe_buffer_.data() + (begins ? place : 0);
        if (!begins) {
          SHOAL_RETURN_IF_ERROR(file.ReadPages((stripe - 1) % rings_->stripes(), write.at.slot, 1,
                                               last_stripe_buffer_.data()));
        }
        if (const std::optional<uint8_t> anew = ClassAnew(write, last_page); anew.has_value()) {
          SHOAL_RETURN_IF_ERROR(ChangeClass(write, *anew, std::move(leases)));
          for (size_t k = i; k < next; ++k) CountWritten(group[k]);
          continue;
        }
      }
    }
    if (!merge_.Fits(file)) {
      // What lies on disk is all that there is of a series with this write alone.
      const Leases leases = write.alone ? commit_.Find(write.series) : Leases();
      if (!leases.empty() && leases.back().at == write.at) {
        SHOAL_RETURN_IF_ERROR(Promote(write, leases));
      } else {
        for (size_t k = i; k < next; ++k) deferred_.push_back(group[k]);
      }
      continue;
    }
    for (size_t k = i; k < next; ++k) CountWritten(group[k]);
    const absl::string_view image = merge_.Seal(write.at, write.generation);
    // A replay of the log writes what is there already.
    if (has_data && std::memcmp(page, image.data(), page_bytes) == 0) continue;
    StagePage(write.at, stripe, image);
  }
  return absl::OkStatus();
}

absl::Status RingWriter::WriteFresh(absl::Span<PageWrite> writes) {
  for (size_t i = 0; i < writes.size(); ++i) {
    PageWrite& write = writes[i];
    Leases leases = commit_.Find(write.series);
    // A second write into a stripe may be in the batch only.
    if (!leases.empty() &&
        (i == 0 || writes[i - 1].series != write.series || writes[i - 1].stripe >= write.stripe)) {
      deferred_.push_back(write);
      continue;
    }
    merge_.Reset();
    merge_.Merge(write);
    if (!merge_.AnyKnown()) {
      CountExpired(write);
      continue;
    }
    const PageSize& size = merge_.Encode(write.series, write.stripe);
    if (leases.empty()) {
      Lease lease;
      SHOAL_RETURN_IF_ERROR(
          TakeSlot(PickSizeClass({rings_->stripe_steps(), rings_->columns(), 0}, size), &lease));
      lease.entry.series = write.series;
      leases.push_back(lease);
      commit_.SetLease(lease.at, lease.entry);
      commit_.SetChain(write.series, leases);
    }
    if (!RouteTo(leases, &write) || !merge_.Fits(*write.at.file)) {
      deferred_.push_back(write);
      continue;
    }
    CountWritten(write);
    StagePage(write.at, write.stripe, merge_.Seal(write.at, write.generation));
    if (commit_.IsLarge()) SHOAL_RETURN_IF_ERROR(commit_.Commit());
  }
  return absl::OkStatus();
}

// Everything that was written before is in place. An earlier write of the series may have changed
// its leases meanwhile.
absl::Status RingWriter::WriteDeferred(PageWrite write) {
  Leases leases = commit_.Find(write.series);
  if (leases.empty()) return WriteFresh(absl::MakeSpan(&write, 1));
  StageExpired(write, &leases);
  if (!RouteTo(leases, &write)) {
    CountExpired(write);
    return absl::OkStatus();
  }
  Found found = Found::kNothing;
  SHOAL_RETURN_IF_ERROR(ReadPage(write.at, write.series, write.generation, write.stripe, &found));
  if (found == Found::kLaterLap) {
    CountExpired(write);
    return absl::OkStatus();
  }
  merge_.Merge(write);
  if (!merge_.AnyKnown()) return absl::OkStatus();
  merge_.Encode(write.series, write.stripe);
  if (!merge_.Fits(*write.at.file)) return Promote(write, leases);
  CountWritten(write);
  StagePage(write.at, write.stripe, merge_.Seal(write.at, write.generation));
  return absl::OkStatus();
}

absl::Status RingWriter::ReadPage(SlotRef at, SeriesId series, uint8_t generation, uint32_t stripe,
                                  Found* found) {
  const RingFile& file = *at.file;
  const uint32_t index = stripe % rings_->stripes();
  page_.resize(file.header().page_bytes);
  SHOAL_RETURN_IF_ERROR(file.ReadPages(index, at.slot, 1, page_.data()));
  const absl::Status status = merge_.Load(at, series, generation, stripe, page_.data(), found);
  if (!absl::IsDataLoss(status)) return status;
  bad_pages_->Report(file, index, at.slot, status);
  Count(counters_.pages_lost);
  commit_.AddRewritten(at.file, index, at.slot);
  return absl::OkStatus();
}

void RingWriter::StagePage(SlotRef at, uint32_t stripe, absl::string_view image) {
  commit_.AddPage(at.file, stripe, at.slot, image);
  Count(counters_.pages_written);
}

}  // namespace shoal
