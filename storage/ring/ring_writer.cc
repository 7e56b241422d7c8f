#include "storage/ring/ring_writer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/page/size_class.h"

namespace shoal {
namespace {

// A batch goes to the journal when it has grown past this; bounds the memory and the journal (by it
// and one stripe).
constexpr size_t kBatchBytes = 16 << 20;
// A stripe is read as a whole when at least one in this many of its slots is wanted.
constexpr size_t kBulkReadShare = 4;

void Count(Counter* counter, uint64_t n = 1) {
  if (counter != nullptr) counter->Add(n);
}

int64_t NowMicros() {
  return std::chrono::duration_cast<std::chrono::microseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

RingWriter::RingWriter(FileSystem* fs, std::string dir, int64_t stripe_bytes_max, Mutex* mu,
                       BadPages* bad_pages, RingWriterCounters counters)
    : fs_(fs),
      dir_(dir),
      stripe_bytes_max_(stripe_bytes_max),
      mu_(mu),
      bad_pages_(bad_pages),
      counters_(counters),
      journal_(fs, std::move(dir)) {}

RingWriter::~RingWriter() {
  if (pending_ || sequence_ == 0) return;
  if (const absl::Status status = journal_.Reset(); !status.ok()) {
    LogWarning("ring",
               "journal not reset at close; it is replayed at the next start: ", status.message());
  }
}

absl::Status RingWriter::Write(ArchiveRings* rings, std::vector<PageWrite> writes) {
  SHOAL_RETURN_IF_ERROR(ApplyPending());
  rings_ = rings;
  std::vector<PageWrite> routed;
  routed.reserve(writes.size());
  for (PageWrite& write : writes) {
    bool dropped = false;
    if (absl::Status status = Route(&write, &dropped); !status.ok()) {
      RollBack();
      return status;
    }
    if (!dropped) routed.push_back(std::move(write));
  }
  // File by file, stripe by stripe, in the order of the bytes on disk; writes to one page in the
  // order they came.
  const auto place = [](const PageWrite& w) {
    const RingHeader& header = w.lease.at.file->header();
    return std::make_tuple(header.size_class, header.number, w.stripe, w.lease.at.slot);
  };
  std::stable_sort(routed.begin(), routed.end(), [&place](const PageWrite& a, const PageWrite& b) {
    return place(a) < place(b);
  });
  std::vector<PageWrite> deferred;
  absl::Status status;
  for (size_t begin = 0, end = 0; begin < routed.size() && status.ok(); begin = end) {
    for (end = begin + 1; end < routed.size(); ++end) {
      if (routed[end].lease.at.file != routed[begin].lease.at.file ||
          routed[end].stripe != routed[begin].stripe)
        break;
    }
    status = WriteGroup(absl::MakeSpan(routed).subspan(begin, end - begin), &deferred);
    if (status.ok()) status = CommitIfLarge();
  }
  if (status.ok()) status = Commit();
  // Promotions read pages that were written just now, so they come after the commit, one series per
  // batch at a time.
  absl::flat_hash_set<SeriesId> in_batch;
  for (size_t i = 0; i < deferred.size() && status.ok(); ++i) {
    if (!in_batch.insert(deferred[i].series).second) {
      status = Commit();
      in_batch = {deferred[i].series};
      if (!status.ok()) break;
    }
    status = WriteDeferred(std::move(deferred[i]));
    if (status.ok() && batch_.size_bytes() >= kBatchBytes) {
      status = Commit();
      in_batch.clear();
    }
  }
  if (status.ok()) status = Commit();
  if (!status.ok() && !pending_) RollBack();
  return status;
}

absl::Status RingWriter::Free(ArchiveRings* rings, SeriesId series) {
  SHOAL_RETURN_IF_ERROR(ApplyPending());
  rings_ = rings;
  const Leases leases = FindLeases(series);
  if (leases.empty()) return absl::OkStatus();
  for (const Lease& lease : leases) {
    SlotEntry freed;
    freed.generation = lease.entry.generation;
    staged_.entries[lease.at.file][lease.at.slot] = freed;
    staged_.left.push_back(lease.at);
  }
  staged_.chains[series].clear();
  return Commit();
}

Leases RingWriter::FindLeases(SeriesId series) {
  if (const auto it = staged_.chains.find(series); it != staged_.chains.end()) return it->second;
  MutexLock lock(mu_);
  return rings_->Find(series);
}

absl::Status RingWriter::Route(PageWrite* write, bool* dropped) {
  Leases leases = FindLeases(write->series);
  if (leases.empty()) SHOAL_RETURN_IF_ERROR(LeaseFirst(*write, &leases));
  if (leases.size() > 1) StageExpired(write->series, write->stripe, &leases);
  const Lease* const lease = LeaseFor(leases, write->stripe);
  *dropped = lease == nullptr;
  if (lease == nullptr) {
    CountExpired(*write);
  } else {
    write->lease = *lease;
  }
  return absl::OkStatus();
}

absl::Status RingWriter::LeaseFirst(const PageWrite& write, Leases* leases) {
  const PageShape shape{rings_->stripe_steps(), rings_->columns(), 0};
  dense_.assign(shape.cells(), kAbsent);
  Merge(write);
  SlotRef ref;
  SHOAL_RETURN_IF_ERROR(
      TakeSlot(AnyKnown() ? PickSizeClass(shape, dense_) : kSizeClasses[0], &ref));
  Lease lease;
  lease.at = ref;
  lease.entry.series = write.series;
  {
    MutexLock lock(mu_);
    lease.entry.generation = static_cast<uint8_t>(ref.file->slots()[ref.slot].generation + 1);
  }
  staged_.entries[ref.file][ref.slot] = lease.entry;
  leases->push_back(lease);
  staged_.chains[write.series] = *leases;
  return absl::OkStatus();
}

absl::Status RingWriter::TakeSlot(uint8_t size_class, SlotRef* ref) {
  RingHeader header;
  {
    MutexLock lock(mu_);
    *ref = rings_->TakeSlot(size_class);
    if (ref->file == nullptr)
      header = rings_->HeaderForNewFile(size_class, stripe_bytes_max_, NowMicros());
  }
  if (ref->file == nullptr) {
    absl::StatusOr<std::unique_ptr<RingFile>> file = RingFile::Create(fs_, dir_, header);
    // A file that was set aside at the start may have the name.
    while (absl::IsAlreadyExists(file.status())) {
      ++header.number;
      file = RingFile::Create(fs_, dir_, header);
    }
    SHOAL_RETURN_IF_ERROR(file.status());
    std::vector<std::string> problems;
    MutexLock lock(mu_);
    rings_->Attach(*std::move(file), &problems);
    *ref = rings_->TakeSlot(size_class);
  }
  staged_.taken.push_back(*ref);
  return absl::OkStatus();
}

// Gives back the smaller slots of a promoted series, once all of their stripes are a lap behind.
void RingWriter::StageExpired(SeriesId series, uint32_t stripe, Leases* leases) {
  bool changed = false;
  while (leases->size() > 1 &&
         uint64_t{leases->front().entry.until_stripe} + rings_->stripes() <= stripe) {
    const Lease& front = leases->front();
    SlotEntry freed;
    freed.generation = front.entry.generation;
    staged_.entries[front.at.file][front.at.slot] = freed;
    staged_.left.push_back(front.at);
    leases->erase(leases->begin());
    changed = true;
  }
  if (changed) staged_.chains[series] = *leases;
}

void RingWriter::CountExpired(const PageWrite& write) {
  Count(counters_.points_expired, write.points());
}

void RingWriter::Merge(const PageWrite& write) {
  const int64_t start_sec = int64_t{write.stripe} * rings_->stripe_sec();
  const uint32_t steps = rings_->stripe_steps();
  for (const Point& point : write.fine) {
    if (std::isnan(point.value)) continue;
    dense_[static_cast<size_t>((point.timestamp_sec - start_sec) / rings_->step_sec())] =
        point.value;
  }
  for (size_t i = 0; i < write.steps; ++i) {
    if (std::isnan(write.cells[i])) continue;
    for (size_t column = 0; column < rings_->columns(); ++column)
      dense_[column * steps + write.first + i] = write.cells[column * write.stride + i];
  }
}

bool RingWriter::AnyKnown() const {
  return std::any_of(dense_.begin(), dense_.begin() + rings_->stripe_steps(),
                     [](double value) { return !std::isnan(value); });
}

absl::Status RingWriter::ReadInto(const Lease& lease, uint32_t stripe, char* page, bool have_raw,
                                  Found* found, PageTag* tag) {
  const RingFile& file = *lease.at.file;
  const PageShape shape = file.header().shape();
  const uint32_t index = stripe % rings_->stripes();
  *found = Found::kNothing;
  *tag = PageTag();
  dense_.assign(shape.cells(), kAbsent);
  if (!have_raw) SHOAL_RETURN_IF_ERROR(file.ReadPages(index, lease.at.slot, 1, page));
  PageHeader header;
  absl::Status status = file.CheckedPage(index, lease.at.slot, page, &header);
  if (status.ok() && (header.blank || header.tag.series != lease.entry.series ||
                      header.tag.generation != lease.entry.generation)) {
    return absl::OkStatus();
  }
  if (status.ok() && header.tag.stripe % rings_->stripes() != index) {
    status = absl::DataLossError(
        absl::StrCat("page of stripe ", header.tag.stripe, " is out of its place"));
  }
  if (status.ok() && header.tag.stripe == stripe) {
    status = DecodePage(shape, absl::string_view(page, shape.page_bytes), absl::MakeSpan(dense_));
  }
  if (absl::IsDataLoss(status)) {
    bad_pages_->Report(file, index, lease.at.slot, status);
    Count(counters_.pages_lost);
    staged_.rewritten.push_back({lease.at.file, index, lease.at.slot});
    dense_.assign(shape.cells(), kAbsent);
    return absl::OkStatus();
  }
  SHOAL_RETURN_IF_ERROR(status);
  *tag = header.tag;
  if (header.tag.stripe == stripe) *found = Found::kPoints;
  if (header.tag.stripe > stripe) *found = Found::kLaterLap;
  return absl::OkStatus();
}

void RingWriter::StagePage(const Lease& lease, uint32_t stripe, absl::string_view image) {
  RingFile* const file = lease.at.file;
  touched_[file->name()] = file;
  batch_.Add(file->name(), file->identity(),
             file->header().PageOffset(stripe % file->header().stripes, lease.at.slot), image);
  Count(counters_.pages_written);
}

// All writes of one stripe of one file, ascending by slot.
absl::Status RingWriter::WriteGroup(absl::Span<PageWrite> group, std::vector<PageWrite>* deferred) {
  const RingFile& file = *group.front().lease.at.file;
  const PageShape shape = file.header().shape();
  const uint32_t stripe = group.front().stripe;
  const uint32_t first = group.front().lease.at.slot;
  const uint32_t span = group.back().lease.at.slot - first + 1;
  const bool bulk = group.size() * kBulkReadShare >= span;
  page_.resize(shape.page_bytes);
  image_.resize(shape.page_bytes);
  if (bulk) {
    stripe_buffer_.resize(size_t{span} * shape.page_bytes);
    SHOAL_RETURN_IF_ERROR(
        file.ReadPages(stripe % rings_->stripes(), first, span, stripe_buffer_.data()));
  }
  for (size_t i = 0, next = 0; i < group.size(); i = next) {
    const Lease& lease = group[i].lease;
    char* const page =
        bulk ? stripe_buffer_.data() + size_t{lease.at.slot - first} * shape.page_bytes
             : page_.data();
    Found found = Found::kNothing;
    PageTag ignored;
    SHOAL_RETURN_IF_ERROR(ReadInto(lease, stripe, page, bulk, &found, &ignored));
    size_t points = 0;
    for (next = i; next < group.size() && group[next].lease.at == lease.at; ++next) {
      if (found == Found::kLaterLap) {
        CountExpired(group[next]);
      } else {
        Merge(group[next]);
        points += group[next].points();
      }
    }
    if (found == Found::kLaterLap) continue;
    const PageTag tag{lease.entry.series, stripe, lease.entry.generation};
    if (!AnyKnown()) {
      if (found == Found::kNothing) continue;  // nothing was there and nothing came
      std::fill(image_.begin(), image_.end(), '\0');
    } else if (!EncodePage(shape, PageSeedOf(file.identity(), lease.at.slot), tag, dense_,
                           image_.data())) {
      for (size_t k = i; k < next; ++k) deferred->push_back(std::move(group[k]));
      continue;
    }
    Count(counters_.points_written, points);
    // A replay of the log writes what is there already.
    if (std::memcmp(page, image_.data(), shape.page_bytes) == 0) continue;
    StagePage(lease, stripe, absl::string_view(image_.data(), shape.page_bytes));
  }
  return absl::OkStatus();
}

// A write that did not fit its page. An earlier one of the series may have promoted it meanwhile.
absl::Status RingWriter::WriteDeferred(PageWrite write) {
  bool dropped = false;
  SHOAL_RETURN_IF_ERROR(Route(&write, &dropped));
  if (dropped) return absl::OkStatus();
  const RingFile& file = *write.lease.at.file;
  const PageShape shape = file.header().shape();
  page_.resize(shape.page_bytes);
  image_.resize(shape.page_bytes);
  Found found = Found::kNothing;
  PageTag ignored;
  SHOAL_RETURN_IF_ERROR(ReadInto(write.lease, write.stripe, page_.data(), false, &found, &ignored));
  if (found == Found::kLaterLap) {
    CountExpired(write);
    return absl::OkStatus();
  }
  Merge(write);
  if (!AnyKnown()) return absl::OkStatus();
  const PageTag tag{write.series, write.stripe, write.lease.entry.generation};
  if (EncodePage(shape, PageSeedOf(file.identity(), write.lease.at.slot), tag, dense_,
                 image_.data())) {
    Count(counters_.points_written, write.points());
    StagePage(write.lease, write.stripe, absl::string_view(image_.data(), shape.page_bytes));
    return absl::OkStatus();
  }
  return Promote(write, FindLeases(write.series));
}

// The page in dense_ does not fit its lease: from its stripe on, the series moves to a larger slot.
// That is a new one, or, for a late point, the larger one that the series has already for later
// stripes. Pages of later stripes move along.
absl::Status RingWriter::Promote(const PageWrite& write, const Leases& leases) {
  const RingHeader& now = write.lease.at.file->header();
  const std::vector<double> merged = dense_;
  const PageSize size = MeasurePage(now.shape(), merged);
  size_t held = 0;
  while (!(leases[held].at == write.lease.at)) ++held;
  size_t target = held + 1;
  while (target < leases.size() &&
         (leases[target].at.file->header().page_bytes < size.bytes ||
          leases[target].at.file->header().page_bytes <= now.page_bytes)) {
    ++target;
  }
  Lease to;
  if (target < leases.size()) {
    to = leases[target];
    page_.resize(to.at.file->header().page_bytes);
    Found found = Found::kNothing;
    PageTag ignored;
    SHOAL_RETURN_IF_ERROR(ReadInto(to, write.stripe, page_.data(), false, &found, &ignored));
    if (found == Found::kLaterLap) {
      CountExpired(write);
      return absl::OkStatus();
    }
  } else {
    // At least one class up: the guess that put the series here was too small.
    const uint8_t size_class =
        std::max(PickSizeClass(now.shape(), size),
                 SizeClassFor(now.page_bytes + 1, now.stripe_steps, now.columns));
    SHOAL_RETURN_IF_ERROR(TakeSlot(size_class, &to.at));
    to.entry.series = write.series;
    to.entry.until_stripe = leases.back().entry.until_stripe;
    MutexLock lock(mu_);
    to.entry.generation = static_cast<uint8_t>(to.at.file->slots()[to.at.slot].generation + 1);
  }
  to.entry.from_stripe = write.stripe;

  const RingHeader& header = to.at.file->header();
  image_.resize(header.page_bytes);
  const PageTag tag{write.series, write.stripe, to.entry.generation};
  if (!EncodePage(header.shape(), PageSeedOf(to.at.file->identity(), to.at.slot), tag, merged,
                  image_.data())) {
    return absl::InternalError(absl::StrCat(header.page_bytes, "-byte page of ", to.at.file->name(),
                                            " does not hold a page of series ", write.series));
  }
  StagePage(to, write.stripe, absl::string_view(image_.data(), header.page_bytes));
  Leases chain(leases.begin(), leases.begin() + static_cast<ptrdiff_t>(held));
  for (size_t i = held; i < target; ++i) {
    SHOAL_RETURN_IF_ERROR(CopyLaterPages(write.series, leases[i], write.stripe, to));
    SlotEntry entry = leases[i].entry;
    if (i == held && entry.from_stripe < write.stripe) {
      entry.until_stripe = write.stripe;
      chain.push_back({leases[i].at, entry});
    } else {
      const uint8_t generation = entry.generation;
      entry = SlotEntry();
      entry.generation = generation;
      staged_.left.push_back(leases[i].at);
    }
    staged_.entries[leases[i].at.file][leases[i].at.slot] = entry;
  }
  chain.push_back(to);
  staged_.entries[to.at.file][to.at.slot] = to.entry;
  for (size_t i = target + 1; i < leases.size(); ++i) chain.push_back(leases[i]);
  staged_.chains[write.series] = chain;
  Count(counters_.points_written, write.points());
  Count(counters_.promotions);
  return absl::OkStatus();
}

absl::Status RingWriter::CopyLaterPages(SeriesId series, const Lease& from, uint32_t after_stripe,
                                        const Lease& to) {
  const RingFile& source = *from.at.file;
  const RingHeader& target = to.at.file->header();
  std::vector<char> page(source.header().page_bytes);
  std::vector<char> there(target.page_bytes);
  for (uint32_t index = 0; index < rings_->stripes(); ++index) {
    SHOAL_RETURN_IF_ERROR(source.ReadPages(index, from.at.slot, 1, page.data()));
    PageHeader header;
    // What is bad here was reported, or will be when it is asked for; it cannot be copied.
    if (!source.CheckedPage(index, from.at.slot, page.data(), &header).ok() || header.blank)
      continue;
    if (header.tag.series != series || header.tag.generation != from.entry.generation) continue;
    const uint32_t stripe = header.tag.stripe;
    if (stripe <= after_stripe || stripe % rings_->stripes() != index || !from.entry.used())
      continue;
    if (!from.Covers(stripe)) continue;
    Found found = Found::kNothing;
    PageTag ignored;
    SHOAL_RETURN_IF_ERROR(ReadInto(to, stripe, there.data(), false, &found, &ignored));
    if (found != Found::kNothing) continue;
    dense_.assign(source.header().shape().cells(), kAbsent);
    const absl::string_view bytes(page.data(), page.size());
    if (!DecodePage(source.header().shape(), bytes, absl::MakeSpan(dense_)).ok()) continue;
    const PageTag tag{series, stripe, to.entry.generation};
    if (!EncodePage(target.shape(), PageSeedOf(to.at.file->identity(), to.at.slot), tag, dense_,
                    there.data())) {
      return absl::InternalError(
          absl::StrCat("page of series ", series, " does not fit a larger class"));
    }
    StagePage(to, stripe, absl::string_view(there.data(), there.size()));
  }
  return absl::OkStatus();
}

absl::Status RingWriter::CommitIfLarge() {
  return batch_.size_bytes() >= kBatchBytes ? Commit() : absl::OkStatus();
}

absl::Status RingWriter::Commit() {
  for (const auto& [file, entries] : staged_.entries) {
    std::map<uint32_t, std::vector<SlotEntry>> blocks;
    const uint32_t slots = file->header().slots;
    MutexLock lock(mu_);
    for (const auto& [slot, entry] : entries) {
      const uint32_t block = slot / kSlotsPerBlock;
      const uint32_t first = block * kSlotsPerBlock;
      std::vector<SlotEntry>& image = blocks[block];
      if (image.empty()) {
        const auto begin = file->slots().begin() + first;
        image.assign(begin, begin + std::min(kSlotsPerBlock, slots - first));
      }
      image[slot - first] = entry;
    }
    touched_[file->name()] = file;
    for (const auto& [block, image] : blocks) {
      batch_.Add(file->name(), file->identity(), file->header().SlotBlockOffset(block),
                 EncodeSlotBlock(file->header(), block, image));
    }
  }
  if (batch_.empty()) return absl::OkStatus();
  if (absl::Status status = journal_.Commit(batch_.Seal(++sequence_)); !status.ok()) {
    RollBack();
    return Annotate(status, "double-write journal");
  }
  Count(counters_.journal_bytes, batch_.size_bytes());
  pending_ = true;
  return ApplyPending();
}

void RingWriter::RollBack() {
  SHOAL_CHECK(!pending_);
  if (!staged_.taken.empty()) {
    MutexLock lock(mu_);
    for (const SlotRef ref : staged_.taken) rings_->ReturnSlot(ref);
  }
  staged_ = Staged();
  touched_.clear();
  batch_.Clear();
}

absl::Status RingWriter::ApplyPending() {
  if (!pending_) return absl::OkStatus();
  if (reopen_) {
    // What went through the old descriptors since their last good sync may be gone: all of it is in
    // the batch, and the whole batch is written again through new ones.
    for (const auto& [name, file] : touched_) SHOAL_RETURN_IF_ERROR(file->Reopen());
  }
  reopen_ = true;
  for (const JournalImage& image : batch_.Images()) {
    SHOAL_RETURN_IF_ERROR(touched_.at(image.file)->Write(image.offset, image.bytes));
  }
  for (const auto& [name, file] : touched_) SHOAL_RETURN_IF_ERROR(file->Sync());
  reopen_ = false;
  pending_ = false;
  Publish();
  return absl::OkStatus();
}

void RingWriter::Publish() {
  {
    MutexLock lock(mu_);
    for (const auto& [file, entries] : staged_.entries) {
      for (const auto& [slot, entry] : entries) file->slots()[slot] = entry;
    }
    for (const auto& [series, leases] : staged_.chains) rings_->Set(series, leases);
    for (const SlotRef ref : staged_.left) rings_->ReturnSlot(ref);
  }
  for (const Staged::Rewritten& page : staged_.rewritten)
    bad_pages_->Forget(*page.file, page.index, page.slot);
  staged_ = Staged();
  touched_.clear();
  batch_.Clear();
}

}  // namespace shoal
