#include "storage/series_reader.h"

#include <algorithm>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "storage/late_points.h"
#include "storage/ring/rollup.h"

namespace shoal {

// What one read works on.
struct SeriesReader::View {
  SeriesId series = kNoSeries;
  SchemaId schema_id = 0;
  const SeriesSchema* schema = nullptr;
  std::optional<AggregateColumns> columns;  // when a coarser archive is read
  int64_t now_sec = 0;
  // Taken before anything is read from the rings: a flush that ends meanwhile hides nothing.
  std::vector<Point> pending;
  absl::Status status;  // the first DataLoss

  void Note(const absl::Status& read) {
    // NotFound: a schema that no flush has met yet.
    if (!read.ok() && !absl::IsNotFound(read) && status.ok()) status = read;
  }
  absl::Span<const Point> PendingIn(int64_t start_sec, int64_t end_sec) const {
    const auto earlier = [](const Point& point, int64_t time) {
      return point.timestamp_sec < time;
    };
    const auto first = std::lower_bound(pending.begin(), pending.end(), start_sec, earlier);
    const auto last = std::lower_bound(first, pending.end(), end_sec, earlier);
    return absl::MakeConstSpan(pending).subspan(static_cast<size_t>(first - pending.begin()),
                                                static_cast<size_t>(last - first));
  }
};

absl::Status SeriesReader::Read(SeriesId series, const FetchRange& range, Series* out) const {
  for (;;) {
    SchemaId before = 0;
    SchemaId after = 0;
    index_->SchemaOf(series, &before);
    const absl::Status status = ReadOnce(series, range, out);
    // A series that has got another schema meanwhile may have lost its old slots already.
    if (index_->SchemaOf(series, &after) == nullptr || before == after) return status;
  }
}

absl::Status SeriesReader::ReadStored(SeriesId series, SchemaId schema_id, size_t k,
                                      int64_t start_sec, size_t count, int64_t now_sec,
                                      std::vector<double>* cells) const {
  View view;
  view.series = series;
  view.schema_id = schema_id;
  view.schema = index_->Schema(schema_id);
  view.now_sec = now_sec;
  if (k == 0) {
    cells->assign(count, kAbsent);
    ReadFine(&view, start_sec, absl::MakeSpan(*cells));
  } else {
    view.columns.emplace(view.schema->aggregation);
    *cells = ReadCoarse(&view, k, start_sec, count);
  }
  return view.status;
}

absl::Status SeriesReader::ReadOnce(SeriesId series, const FetchRange& range, Series* out) const {
  View view;
  view.series = series;
  view.schema = index_->SchemaOf(series, &view.schema_id);
  if (view.schema == nullptr)
    return absl::NotFoundError(absl::StrCat("no series with id ", series));
  const std::vector<Archive>& archives = view.schema->archives;
  out->values.clear();
  out->step_sec = archives.front().step_sec;
  out->start_sec = AlignDown(range.from_sec, out->step_sec);
  if (range.from_sec > range.until_sec) {
    return absl::InvalidArgumentError(
        absl::StrCat("from ", range.from_sec, " lies after until ", range.until_sec));
  }
  const int64_t oldest = range.now_sec - archives.back().retention_sec();
  if (range.from_sec > range.now_sec || range.until_sec < oldest) return absl::OkStatus();
  const int64_t from = std::max(range.from_sec, oldest);
  const int64_t until = std::min(range.until_sec, range.now_sec);
  if (from < 0 || until < 0) return absl::OkStatus();

  const size_t k = ArchiveForAge(archives, range.now_sec - from);
  const FetchGrid grid = GridOf(from, until, archives[k].step_sec);
  view.now_sec = clock_->NowSec();
  buffer_->Read(series, grid.start_sec, grid.end_sec, &view.pending);
  out->start_sec = grid.start_sec;
  out->step_sec = grid.step_sec;
  out->values.assign(static_cast<size_t>(grid.count()), kAbsent);
  if (k == 0) {
    ReadFine(&view, grid.start_sec, absl::MakeSpan(out->values));
    return view.status;
  }
  view.columns.emplace(view.schema->aggregation);
  const size_t count = out->values.size();
  const std::vector<double> cells = ReadCoarse(&view, k, grid.start_sec, count);
  ColumnFormula formula = view.columns->formula();
  if (range.aggregate.has_value() && view.schema->aggregation.Offers(*range.aggregate))
    SHOAL_CHECK(view.columns->FormulaFor(*range.aggregate, &formula));
  for (size_t i = 0; i < count; ++i) out->values[i] = FinishStep(formula, cells.data(), count, i);
  return view.status;
}

void SeriesReader::ReadFine(View* view, int64_t start_sec, absl::Span<double> out) const {
  view->Note(rings_->Read({view->schema_id, 0}, view->series, start_sec, out));
  const int64_t step = view->schema->archives[0].step_sec;
  const int64_t end_sec = start_sec + step * static_cast<int64_t>(out.size());
  for (const Point& point : view->PendingIn(start_sec, end_sec)) {
    out[static_cast<size_t>((point.timestamp_sec - start_sec) / step)] = point.value;
  }
}

std::vector<double> SeriesReader::RollUp(View* view, size_t k, int64_t start_sec,
                                         size_t count) const {
  const SeriesSchema& schema = *view->schema;
  std::vector<double> finer;
  if (k == 1) {
    finer.assign(count * StepsPerStep(schema, k), kAbsent);
    ReadFine(view, start_sec, absl::MakeSpan(finer));
  } else {
    finer = ReadCoarse(view, k - 1, start_sec, count * StepsPerStep(schema, k));
  }
  std::vector<double> cells(view->columns->size() * count);
  RollUpArchive(schema, *view->columns, k, finer, absl::MakeSpan(cells));
  return cells;
}

std::vector<double> SeriesReader::ReadCoarse(View* view, size_t k, int64_t start_sec,
                                             size_t count) const {
  const SeriesSchema& schema = *view->schema;
  const ArchiveKey key{view->schema_id, static_cast<uint8_t>(k)};
  const size_t columns = view->columns->size();
  const int64_t step = schema.archives[k].step_sec;
  const int64_t end_sec = start_sec + step * static_cast<int64_t>(count);
  const auto time_of = [&](size_t i) { return start_sec + step * static_cast<int64_t>(i); };
  const auto step_of = [&](int64_t time_sec) {
    return static_cast<size_t>((time_sec - start_sec) / step);
  };
  // Before the stored steps are read: what a rollup adds meanwhile is then computed, not missed.
  const int64_t rolled_until = rings_->RolledUntil(key);
  std::vector<double> cells(columns * count, kAbsent);
  view->Note(rings_->ReadCoarse(key, view->series, start_sec, count, absl::MakeSpan(cells)));

  // Steps to compute from archive k-1: all from the rolled mark on, and those that pending points
  // touch.
  std::vector<bool> computes(count, false);
  int64_t unrolled = std::max(start_sec, rolled_until);
  // Before the first rollup there is nothing older than what archive k-1 keeps.
  if (rolled_until == 0) {
    unrolled =
        std::max(unrolled, AlignDown(view->now_sec - schema.archives[k - 1].retention_sec(), step));
  }
  for (int64_t at = unrolled; at < end_sec; at += step) computes[step_of(at)] = true;
  const absl::Span<const Point> pending = view->PendingIn(start_sec, end_sec);
  for (const Point& point : pending) {
    const size_t i = step_of(point.timestamp_sec);
    if (IsCovered(schema, k, time_of(i), view->now_sec)) computes[i] = true;
  }
  for (size_t i = 0; i < count;) {
    if (!computes[i]) {
      ++i;
      continue;
    }
    size_t last = i;
    while (last < count && computes[last]) ++last;
    const size_t run = last - i;
    const std::vector<double> computed = RollUp(view, k, time_of(i), run);
    for (size_t j = 0; j < run; ++j) {
      // Nothing to compute from: what backfill has stored stands.
      computes[i + j] = !std::isnan(computed[j]);
      for (size_t column = 0; computes[i + j] && column < columns; ++column)
        cells[column * count + i + j] = computed[column * run + j];
    }
    i = last;
  }

  // Pending points in steps that archive k-1 does not cover any more.
  std::vector<double> merged(columns);
  for (size_t p = 0; p < pending.size();) {
    const size_t i = step_of(pending[p].timestamp_sec);
    size_t last = p;
    while (last < pending.size() && pending[last].timestamp_sec < time_of(i) + step) ++last;
    if (!computes[i] && !IsCovered(schema, k, time_of(i), view->now_sec)) {
      for (size_t column = 0; column < columns; ++column)
        merged[column] = cells[column * count + i];
      MergeLatePoints(*rings_, view->schema_id, schema, *view->columns, view->series, k, time_of(i),
                      pending.subspan(p, last - p), absl::MakeSpan(merged));
      for (size_t column = 0; column < columns; ++column)
        cells[column * count + i] = merged[column];
    }
    p = last;
  }
  return cells;
}

}  // namespace shoal
