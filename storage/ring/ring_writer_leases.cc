// Where a series' pages go: slots taken, left for a better class, and given back.
#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"
#include "storage/page/size_class.h"
#include "storage/ring/ring_writer.h"

namespace shoal {
namespace {

// A class is left for a smaller one when that saves a fifth of the page and so many bytes, so that
// a series that varies does not move to and fro.
constexpr uint32_t kSmallerShareMax = 80;  // percent
constexpr uint32_t kSavedBytesMin = 32;
// Less than so much of a stripe says too little of the next one. What lies on disk lacks the points
// of the flush that begins the stripe.
constexpr uint32_t kKnownShareMin = 60;  // percent

void Count(Counter* counter) {
  if (counter != nullptr) counter->Add();
}

int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

absl::Status RingWriter::TakeSlot(uint8_t size_class, Lease* lease) {
  RingHeader header;
  {
    MutexLock lock(mu_);
    lease->at = rings_->TakeSlot(size_class);
    if (lease->at.file == nullptr)
      header = rings_->HeaderForNewFile(size_class, stripe_bytes_max_, NowMicros());
  }
  if (lease->at.file == nullptr) {
    absl::StatusOr<std::unique_ptr<RingFile>> file = RingFile::Create(pool_, dir_, header);
    // A file that was set aside at the start may have the name.
    while (absl::IsAlreadyExists(file.status())) {
      ++header.number;
      file = RingFile::Create(pool_, dir_, header);
    }
    SHOAL_RETURN_IF_ERROR(file.status());
    std::vector<std::string> problems;
    MutexLock lock(mu_);
    rings_->Attach(*std::move(file), &problems);
    lease->at = rings_->TakeSlot(size_class);
  }
  commit_.AddTaken(lease->at);
  MutexLock lock(mu_);
  lease->entry.generation =
      static_cast<uint8_t>(lease->at.file->slots().generation(lease->at.slot) + 1);
  return absl::OkStatus();
}

// After a start it is not known whether a file has pages of stripes after the one that is written
// now. There can be none beyond the allowed future of a stripe that is not over.
absl::Status RingWriter::LearnNewest(RingFile* file, uint32_t stripe) const {
  if (file->newest_stripe() != kNoStripe) return absl::OkStatus();
  const int64_t stripe_sec = rings_->stripe_sec();
  if ((int64_t{stripe} + 1) * stripe_sec <= NowMicros() / 1'000'000) return absl::OkStatus();
  return file->LearnNewestStripe(stripe,
                                 static_cast<uint32_t>(rings_->future_sec() / stripe_sec) + 2);
}

std::optional<uint8_t> RingWriter::ClassAnew(const PageWrite& write, const char* last_page) const {
  const RingHeader& header = write.at.file->header();
  const absl::string_view page(last_page, header.page_bytes);
  PageHeader last;
  if (!CheckPage(header.shape(), PageSeedOf(write.at.file->identity(), write.at.slot), page, &last)
           .ok() ||
      last.blank || last.tag != PageTag{write.series, write.stripe - 1, write.generation} ||
      last.count * 100 < header.stripe_steps * kKnownShareMin) {
    return std::nullopt;
  }
  const size_t used = page.find_last_not_of('\0') + 1;
  const uint8_t size_class =
      SizeClassFor(std::max<size_t>(merge_.size().bytes, used * header.stripe_steps / last.count),
                   header.stripe_steps, header.columns);
  const uint32_t bytes = PageBytesFor(size_class, header.stripe_steps, header.columns);
  const bool clearly_smaller = bytes * 100 <= header.page_bytes * kSmallerShareMax &&
                               bytes + kSavedBytesMin <= header.page_bytes;
  if (!clearly_smaller) return std::nullopt;
  return size_class;
}

// The old slot stays until the stripes in it have expired.
absl::Status RingWriter::ChangeClass(const PageWrite& write, uint8_t size_class, Leases leases) {
  Lease to;
  SHOAL_RETURN_IF_ERROR(TakeSlot(size_class, &to));
  to.entry.series = write.series;
  to.entry.from_stripe = write.stripe;
  to.entry.until_stripe = leases.back().entry.until_stripe;
  leases.back().entry.until_stripe = write.stripe;
  commit_.SetLease(leases.back().at, leases.back().entry);
  commit_.SetLease(to.at, to.entry);
  leases.push_back(to);
  commit_.SetChain(write.series, leases);
  StagePage(to.at, write.stripe, merge_.Seal(to.at, to.entry.generation));
  Count(counters_.class_changes);
  return absl::OkStatus();
}

// The larger slot is a new one for the rest of the lease, or, for a late point, the one that the
// series has for the stripes after it. Pages of later stripes of the lease move along. The old slot
// keeps the stripes before; when there are none, as in a new series, it is free at once.
absl::Status RingWriter::Promote(const PageWrite& write, const Leases& leases) {
  const RingHeader& now = write.at.file->header();
  size_t held = 0;
  while (!(leases[held].at == write.at)) ++held;
  const size_t next = held + 1;
  const bool extends_next = next < leases.size() && merge_.Fits(*leases[next].at.file) &&
                            leases[next].at.file->header().page_bytes > now.page_bytes;
  Lease to;
  if (extends_next) {
    to = leases[next];
    page_.resize(to.at.file->header().page_bytes);
    SHOAL_RETURN_IF_ERROR(
        to.at.file->ReadPages(write.stripe % rings_->stripes(), to.at.slot, 1, page_.data()));
    Found found = Found::kNothing;
    // A bad page there would be of a stripe that has expired, or is made anew here.
    copy_.Load(to.at, write.series, to.entry.generation, write.stripe, page_.data(), &found)
        .IgnoreError();
    if (found == Found::kLaterLap) {
      CountExpired(write);
      return absl::OkStatus();
    }
  } else {
    // At least one class up: the guess that put the series here was too small.
    const uint8_t size_class =
        std::max(PickSizeClass(now.shape(), merge_.size()),
                 SizeClassFor(now.page_bytes + 1, now.stripe_steps, now.columns));
    SHOAL_RETURN_IF_ERROR(TakeSlot(size_class, &to));
    to.entry.series = write.series;
    to.entry.until_stripe = leases[held].entry.until_stripe;
  }
  SHOAL_ASSIGN_OR_RETURN(const bool keeps_held,
                         HasEarlierPages(write.series, leases[held], write.stripe));
  to.entry.from_stripe = keeps_held ? write.stripe : leases[held].entry.from_stripe;
  StagePage(to.at, write.stripe, merge_.Seal(to.at, to.entry.generation));

  SHOAL_RETURN_IF_ERROR(CopyLaterPages(write.series, leases[held], write.stripe, to));
  Leases chain(leases.begin(), leases.begin() + static_cast<ptrdiff_t>(held));
  if (keeps_held) {
    Lease kept = leases[held];
    kept.entry.until_stripe = write.stripe;
    commit_.SetLease(kept.at, kept.entry);
    chain.push_back(kept);
  } else {
    commit_.FreeSlot(leases[held]);
  }
  chain.push_back(to);
  commit_.SetLease(to.at, to.entry);
  for (size_t i = extends_next ? next + 1 : next; i < leases.size(); ++i)
    chain.push_back(leases[i]);
  commit_.SetChain(write.series, chain);
  CountWritten(write);
  Count(counters_.promotions);
  return absl::OkStatus();
}

// Whether the slot has pages of the lease's stripes before this one that have not expired. The
// stripe before tells it nearly always.
absl::StatusOr<bool> RingWriter::HasEarlierPages(SeriesId series, const Lease& lease,
                                                 uint32_t stripe) const {
  const RingFile& file = *lease.at.file;
  std::vector<char> page(file.header().page_bytes);
  for (uint32_t back = 1; back < rings_->stripes() && back <= stripe; ++back) {
    const uint32_t earlier = stripe - back;
    if (!lease.Covers(earlier)) break;
    const uint32_t index = earlier % rings_->stripes();
    if (!file.MayHaveData(index)) continue;
    SHOAL_RETURN_IF_ERROR(file.ReadPages(index, lease.at.slot, 1, page.data()));
    PageHeader header;
    // A bad page may be repaired one day.
    if (!file.CheckedPage(index, lease.at.slot, page.data(), &header).ok()) return true;
    if (!header.blank && header.tag == PageTag{series, earlier, lease.entry.generation})
      return true;
  }
  return false;
}

absl::Status RingWriter::CopyLaterPages(SeriesId series, const Lease& from, uint32_t after_stripe,
                                        const Lease& to) {
  const RingFile& source = *from.at.file;
  // Unknown counts as late.
  if (source.newest_stripe() <= after_stripe) return absl::OkStatus();
  std::vector<char> page(source.header().page_bytes);
  std::vector<char> there(to.at.file->header().page_bytes);
  for (uint32_t index = 0; index < rings_->stripes(); ++index) {
    if (!source.MayHaveData(index)) continue;
    SHOAL_RETURN_IF_ERROR(source.ReadPages(index, from.at.slot, 1, page.data()));
    PageHeader header;
    // What is bad here was reported, or will be when it is asked for; it cannot be copied.
    if (!source.CheckedPage(index, from.at.slot, page.data(), &header).ok() || header.blank)
      continue;
    const uint32_t stripe = header.tag.stripe;
    if (header.tag.series != series || header.tag.generation != from.entry.generation ||
        stripe <= after_stripe || stripe % rings_->stripes() != index || !from.Covers(stripe))
      continue;
    Found found = Found::kNothing;
    SHOAL_RETURN_IF_ERROR(to.at.file->ReadPages(index, to.at.slot, 1, there.data()));
    copy_.Load(to.at, series, to.entry.generation, stripe, there.data(), &found).IgnoreError();
    if (found != Found::kNothing) continue;
    if (!copy_.Load(from.at, series, from.entry.generation, stripe, page.data(), &found).ok())
      continue;
    copy_.Encode(series, stripe);
    if (!copy_.Fits(*to.at.file)) {
      return absl::InternalError(
          absl::StrCat("page of series ", series, " does not fit a larger class"));
    }
    StagePage(to.at, stripe, copy_.Seal(to.at, to.entry.generation));
  }
  return absl::OkStatus();
}

// Gives back the slots at the head of a chain once all of their stripes are a lap behind. The slot
// that is first then covers all that lies before it.
void RingWriter::StageExpired(const PageWrite& write, Leases* leases) {
  bool changed = false;
  while (leases->size() > 1 &&
         uint64_t{leases->front().entry.until_stripe} + rings_->stripes() <= write.stripe) {
    commit_.FreeSlot(leases->front());
    leases->erase(leases->begin());
    changed = true;
  }
  if (!changed) return;
  leases->front().entry.from_stripe = 0;
  commit_.SetLease(leases->front().at, leases->front().entry);
  commit_.SetChain(write.series, *leases);
}

absl::Status RingWriter::PunchExpired(ArchiveRings* rings, int64_t oldest_sec, int64_t newest_sec) {
  SHOAL_RETURN_IF_ERROR(commit_.Begin(rings));
  std::vector<RingFile*> files;
  {
    MutexLock lock(mu_);
    for (const auto& file : rings->files()) files.push_back(file.get());
  }
  const int64_t stripes = rings->stripes();
  const int64_t newest = newest_sec / rings->stripe_sec();
  uint64_t punched = 0;
  for (RingFile* const file : files) {
    for (int64_t index = 0; index < stripes; ++index) {
      if (!file->MayHaveData(static_cast<uint32_t>(index))) continue;
      // The latest stripe that can be in this place of the ring.
      const int64_t latest = newest - (newest - index % stripes + stripes) % stripes;
      if (latest < 0 || (latest + 1) * rings->stripe_sec() > oldest_sec) continue;
      commit_.AddHole(file, static_cast<uint32_t>(index));
      ++punched;
    }
  }
  SHOAL_RETURN_IF_ERROR(commit_.Commit());
  if (counters_.stripes_punched != nullptr) counters_.stripes_punched->Add(punched);
  return absl::OkStatus();
}

}  // namespace shoal
