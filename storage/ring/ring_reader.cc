#include "storage/ring/ring_reader.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/metric/series.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Series are looked up this many at a time, so that a batch does not keep the writer waiting.
constexpr size_t kSeriesPerLock = 1024;
// Dense columns that a batch holds at once.
constexpr size_t kBlockBytes = 4 << 20;
constexpr size_t kBlockRowsMax = 4096;
// Pages this close are read together, up to so much at once: the copy of what lies between costs
// less than another call.
constexpr size_t kGapBytesMax = 8 << 10;
constexpr size_t kRunBytesMax = 512 << 10;

bool AnyData(const RingFile& file, int64_t first_stripe, int64_t last_stripe) {
  const int64_t stripes = file.header().stripes;
  if (last_stripe - first_stripe + 1 >= stripes) {
    first_stripe = 0;
    last_stripe = stripes - 1;
  }
  for (int64_t stripe = first_stripe; stripe <= last_stripe; ++stripe) {
    if (file.MayHaveData(static_cast<uint32_t>(stripe % stripes))) return true;
  }
  return false;
}

}  // namespace

// Steps [first_step, first_step + steps) since the epoch, cut to those that a stripe can hold.
struct RingReader::Range {
  Grid grid;
  int64_t first_step = 0;
  size_t steps = 0;

  static absl::StatusOr<Range> Of(const ArchiveRings& rings, int64_t start_sec, size_t steps) {
    Range range;
    range.grid = {rings.step_sec(), rings.stripe_steps(), rings.columns()};
    range.steps = steps;
    if (start_sec % range.grid.step_sec != 0) {
      return absl::InvalidArgumentError(
          absl::StrCat("read at ", start_sec, " is not aligned to ", range.grid.step_sec, " s"));
    }
    range.first_step = start_sec / range.grid.step_sec;
    return range;
  }
  int64_t first_stripe() const { return std::max<int64_t>(first_step, 0) / grid.stripe_steps; }
  int64_t last_stripe() const {  // below first_stripe() when there is none
    const int64_t last_step = first_step + static_cast<int64_t>(steps) - 1;
    if (last_step < 0) return -1;
    return std::min<int64_t>(last_step / grid.stripe_steps, int64_t{kNoStripe} - 1);
  }
  // The part of a stripe that lies in the range: from its step `skip` on, `count` steps, the first
  // one being step `first` of the range.
  struct Part {
    size_t skip;
    size_t first;
    size_t count;
  };
  Part PartOf(int64_t stripe) const {
    const int64_t begin = stripe * grid.stripe_steps;
    const int64_t from = std::max(begin, first_step);
    const int64_t until =
        std::min(begin + grid.stripe_steps, first_step + static_cast<int64_t>(steps));
    return {static_cast<size_t>(from - begin), static_cast<size_t>(from - first_step),
            static_cast<size_t>(until - from)};
  }
};

// A series of a batch and where its newest slot lies.
struct RingReader::Wanted {
  uint64_t place = 0;
  SeriesId series = kNoSeries;
  uint32_t index = 0;
};

struct RingReader::PageRef {
  const Lease* lease = nullptr;
  size_t row = 0;
};

// The series that are read together: a row of dense columns for each.
class RingReader::Block {
 public:
  Block(const Range& range, absl::Span<const Wanted> wanted, std::vector<double>* cells)
      : range_(range),
        wanted_(wanted),
        row_cells_(size_t{range.grid.columns} * range.steps),
        cells_(cells),
        leases_(wanted.size()),
        touched_(wanted.size(), false),
        status_(wanted.size()) {
    cells_->resize(wanted.size() * row_cells_);
  }

  const Range& range() const { return range_; }
  size_t rows() const { return wanted_.size(); }
  const Wanted& wanted(size_t row) const { return wanted_[row]; }
  Leases& leases(size_t row) { return leases_[row]; }

  void Fail(size_t row, const absl::Status& status) {
    Touch(row);
    status_[row].Update(status);
  }
  void Put(size_t row, int64_t stripe, absl::Span<const double> dense) {
    Touch(row);
    const Range::Part part = range_.PartOf(stripe);
    for (size_t column = 0; column < range_.grid.columns; ++column) {
      std::copy_n(
          dense.begin() + static_cast<ptrdiff_t>(column * range_.grid.stripe_steps + part.skip),
          part.count,
          Row(row).begin() + static_cast<ptrdiff_t>(column * range_.steps + part.first));
    }
  }
  template <typename Visit>
  void VisitAll(const Visit& visit) {
    for (size_t row = 0; row < rows(); ++row) {
      if (touched_[row]) visit(size_t{wanted_[row].index}, Row(row), status_[row]);
    }
  }

  // Scratch of the reads into the block.
  std::vector<char> raw;
  std::vector<double> page_cells;

 private:
  absl::Span<double> Row(size_t row) {
    return absl::MakeSpan(*cells_).subspan(row * row_cells_, row_cells_);
  }
  // Rows are cleared when something comes: most series of a sparse batch have nothing.
  void Touch(size_t row) {
    if (touched_[row]) return;
    touched_[row] = true;
    const absl::Span<double> cells = Row(row);
    std::fill(cells.begin(), cells.end(), kAbsent);
  }

  const Range range_;
  const absl::Span<const Wanted> wanted_;
  const size_t row_cells_;
  std::vector<double>* const cells_;
  std::vector<Leases> leases_;
  std::vector<bool> touched_;
  std::vector<absl::Status> status_;
};

absl::Status RingReader::DecodeOwn(const Lease& lease, uint32_t stripe, char* page,
                                   absl::Span<double> dense, bool* found) const {
  const RingFile& file = *lease.at.file;
  const PageShape shape = file.header().shape();
  const uint32_t index = stripe % file.header().stripes;
  *found = false;
  PageHeader header;
  absl::Status status = file.CheckedPage(index, lease.at.slot, page, &header);
  if (status.ok()) {
    const bool ours = !header.blank && header.tag.series == lease.entry.series &&
                      header.tag.generation == lease.entry.generation;
    if (!ours) return status;
    if (header.tag.stripe % file.header().stripes != index) {
      status = absl::DataLossError(
          absl::StrCat("page of stripe ", header.tag.stripe, " is out of its place"));
    } else if (header.tag.stripe == stripe) {
      status = DecodePage(shape, absl::string_view(page, shape.page_bytes), dense);
      *found = status.ok();
    }
  }
  if (!absl::IsDataLoss(status)) return status;
  bad_pages_->Report(file, index, lease.at.slot, status);
  return absl::DataLossError(BadPages::Describe(file, index, lease.at.slot, status));
}

absl::Status RingReader::ReadPages(
    const ArchiveRings& rings, SeriesId series, int64_t start_sec, size_t steps,
    absl::FunctionRef<void(const Grid&, absl::Span<const double>, size_t, size_t, size_t)> take)
    const {
  Leases leases;
  Range range;
  bool lost_slots = false;
  {
    MutexLock lock(mu_);
    SHOAL_ASSIGN_OR_RETURN(range, Range::Of(rings, start_sec, steps));
    leases = rings.Find(series);
    lost_slots = rings.lost_slots();
  }
  if (leases.empty() && !lost_slots) return absl::OkStatus();
  static thread_local std::vector<char> page;
  static thread_local std::vector<double> dense;
  dense.resize(size_t{range.grid.columns} * range.grid.stripe_steps);
  absl::Status first_error;
  for (int64_t stripe = range.first_stripe(); stripe <= range.last_stripe(); ++stripe) {
    const uint32_t wanted = static_cast<uint32_t>(stripe);
    const Lease* const lease = LeaseFor(leases, wanted);
    if (lease == nullptr) {
      if (lost_slots) {
        first_error.Update(absl::DataLossError(
            absl::StrCat("series ", series, " may have had a slot that cannot be read any more")));
      }
      continue;
    }
    const RingFile& file = *lease->at.file;
    const uint32_t index = wanted % file.header().stripes;
    if (!file.MayHaveData(index)) continue;
    page.resize(file.header().page_bytes);
    bool found = false;
    absl::Status status = file.ReadPages(index, lease->at.slot, 1, page.data());
    if (status.ok()) status = DecodeOwn(*lease, wanted, page.data(), absl::MakeSpan(dense), &found);
    first_error.Update(status);
    const Range::Part part = range.PartOf(stripe);
    if (found) take(range.grid, dense, part.skip, part.first, part.count);
  }
  return first_error;
}

std::vector<RingReader::Wanted> RingReader::InOrderOfPlace(
    const ArchiveRings& rings, const Range& range, absl::Span<const SeriesId> series) const {
  std::vector<Wanted> wanted;
  // Neighbours mostly share a file, and a file that was not written in the range is passed over.
  const RingFile* last_file = nullptr;
  bool last_has_data = false;
  for (size_t begin = 0; begin < series.size(); begin += kSeriesPerLock) {
    const size_t end = std::min(series.size(), begin + kSeriesPerLock);
    MutexLock lock(mu_);
    for (size_t i = begin; i < end; ++i) {
      const SlotRef newest = rings.Newest(series[i]);
      if (newest.file == nullptr) continue;
      if (newest.file != last_file) {
        last_file = newest.file;
        last_has_data = AnyData(*last_file, range.first_stripe(), range.last_stripe());
      }
      if (!last_has_data && !rings.HasOlder(series[i])) continue;
      wanted.push_back({newest.place(), series[i], static_cast<uint32_t>(i)});
    }
  }
  std::sort(wanted.begin(), wanted.end(), [](const Wanted& a, const Wanted& b) {
    return a.place != b.place ? a.place < b.place : a.index < b.index;
  });
  return wanted;
}

// Pages of one stripe in one file, ascending by slot and near each other.
void RingReader::ReadRun(absl::Span<const PageRef> run, uint32_t stripe, Block* block) const {
  const RingFile& file = *run.front().lease->at.file;
  const size_t page_bytes = file.header().page_bytes;
  const uint32_t first = run.front().lease->at.slot;
  const uint32_t count = run.back().lease->at.slot - first + 1;
  block->raw.resize(count * page_bytes);
  if (const absl::Status status =
          file.ReadPages(stripe % file.header().stripes, first, count, block->raw.data());
      !status.ok()) {
    for (const PageRef& ref : run) block->Fail(ref.row, status);
    return;
  }
  for (const PageRef& ref : run) {
    char* const page = block->raw.data() + (ref.lease->at.slot - first) * page_bytes;
    bool found = false;
    const absl::Status status =
        DecodeOwn(*ref.lease, stripe, page, absl::MakeSpan(block->page_cells), &found);
    if (!status.ok()) block->Fail(ref.row, status);
    if (found) block->Put(ref.row, stripe, block->page_cells);
  }
}

absl::Status RingReader::ReadBatch(
    const ArchiveRings& rings, absl::Span<const SeriesId> series, int64_t start_sec, size_t steps,
    absl::FunctionRef<void(size_t, absl::Span<const double>, const absl::Status&)> visit) const {
  Range range;
  {
    MutexLock lock(mu_);
    SHOAL_ASSIGN_OR_RETURN(range, Range::Of(rings, start_sec, steps));
  }
  if (steps == 0) return absl::OkStatus();
  const std::vector<Wanted> wanted = InOrderOfPlace(rings, range, series);
  const size_t row_bytes = size_t{range.grid.columns} * steps * sizeof(double);
  const size_t rows = std::clamp<size_t>(kBlockBytes / row_bytes, 1, kBlockRowsMax);
  std::vector<double> cells;
  std::vector<PageRef> refs;
  for (size_t begin = 0; begin < wanted.size(); begin += rows) {
    Block block(range, absl::MakeConstSpan(wanted).subspan(begin, rows), &cells);
    block.page_cells.resize(size_t{range.grid.columns} * range.grid.stripe_steps);
    bool chained = false;
    {
      MutexLock lock(mu_);
      for (size_t row = 0; row < block.rows(); ++row) {
        block.leases(row) = rings.Find(block.wanted(row).series);
        chained |= block.leases(row).size() > 1;
      }
    }
    for (int64_t at = range.first_stripe(); at <= range.last_stripe(); ++at) {
      const uint32_t stripe = static_cast<uint32_t>(at);
      refs.clear();
      for (size_t row = 0; row < block.rows(); ++row) {
        const Lease* const lease = LeaseFor(block.leases(row), stripe);
        if (lease == nullptr) continue;
        if (lease->at.file->MayHaveData(stripe % lease->at.file->header().stripes))
          refs.push_back({lease, row});
      }
      if (chained) {
        std::sort(refs.begin(), refs.end(), [](const PageRef& a, const PageRef& b) {
          return a.lease->at.place() < b.lease->at.place();
        });
      }
      for (size_t from = 0, to = 0; from < refs.size(); from = to) {
        const SlotRef first = refs[from].lease->at;
        const size_t page_bytes = first.file->header().page_bytes;
        for (to = from + 1; to < refs.size(); ++to) {
          const SlotRef next = refs[to].lease->at;
          const size_t gap = (next.slot - refs[to - 1].lease->at.slot) * page_bytes;
          if (next.file != first.file || gap > kGapBytesMax + page_bytes ||
              (next.slot - first.slot + 1) * page_bytes > kRunBytesMax)
            break;
        }
        ReadRun(absl::MakeConstSpan(refs).subspan(from, to - from), stripe, &block);
      }
    }
    block.VisitAll(visit);
  }
  return absl::OkStatus();
}

}  // namespace shoal
