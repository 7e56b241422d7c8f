#include "storage/schema_history.h"

#include <algorithm>

#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/late_points.h"
#include "storage/ring/rollup.h"

namespace shoal {

SchemaHistory::SchemaHistory(const SeriesReader* reader, SchemaId from_id, const SeriesSchema* from,
                             const SeriesSchema* to)
    : reader_(reader),
      from_id_(from_id),
      from_(from),
      to_(to),
      from_columns_(from->aggregation),
      to_columns_(to->aggregation) {
  for (const AggregateSpec& spec : to_columns_.specs()) {
    const int column = from_columns_.Find(spec);
    if (column < 0) {
      column_of_.clear();
      return;
    }
    column_of_.push_back(static_cast<size_t>(column));
  }
}

std::vector<size_t> SchemaHistory::SourcesFor(size_t k) const {
  const int64_t step = to_->archives[k].step_sec;
  const std::vector<Archive>& from = from_->archives;
  std::vector<size_t> sources;
  if (k > 0) {
    // Steps that are parts of ours. The coarsest one went the same way as ours would have gone;
    // when columns are missing there, the finest knows more.
    for (size_t j = 0; j < from.size() && from[j].step_sec <= step; ++j) {
      if (step % from[j].step_sec != 0) continue;
      sources.insert(column_of_.empty() ? sources.end() : sources.begin(), j);
    }
  }
  for (size_t j = 0; j < from.size(); ++j) {
    if (std::find(sources.begin(), sources.end(), j) == sources.end()) sources.push_back(j);
  }
  return sources;
}

size_t SchemaHistory::SourceAt(absl::Span<const size_t> sources, int64_t time_sec,
                               int64_t now_sec) const {
  for (const size_t j : sources) {
    if (time_sec >= now_sec - from_->archives[j].retention_sec()) return j;
  }
  return from_->archives.size() - 1;
}

absl::Status SchemaHistory::Read(SeriesId series, size_t k, int64_t start_sec, size_t count,
                                 int64_t now_sec, std::vector<double>* cells) const {
  const int64_t step = to_->archives[k].step_sec;
  const std::vector<size_t> sources = SourcesFor(k);
  const size_t columns = k == 0 ? 1 : to_columns_.size();
  cells->assign(columns * count, kAbsent);
  std::vector<double> part;
  const auto source = [&](size_t i) {
    return SourceAt(sources, start_sec + step * static_cast<int64_t>(i), now_sec);
  };
  for (size_t i = 0; i < count;) {
    const size_t j = source(i);
    size_t end = i + 1;
    while (end < count && source(end) == j) ++end;
    SHOAL_RETURN_IF_ERROR(
        Convert(series, k, j, start_sec + step * static_cast<int64_t>(i), end - i, now_sec, &part));
    for (size_t column = 0; column < columns; ++column) {
      std::copy_n(part.begin() + static_cast<std::ptrdiff_t>(column * (end - i)), end - i,
                  cells->begin() + static_cast<std::ptrdiff_t>(column * count + i));
    }
    i = end;
  }
  return absl::OkStatus();
}

absl::Status SchemaHistory::Convert(SeriesId series, size_t k, size_t j, int64_t start_sec,
                                    size_t count, int64_t now_sec,
                                    std::vector<double>* cells) const {
  const int64_t step = to_->archives[k].step_sec;
  const int64_t old_step = from_->archives[j].step_sec;
  const int64_t end_sec = start_sec + step * static_cast<int64_t>(count);
  const int64_t old_start = AlignUp(start_sec, old_step);
  cells->assign(count * (k == 0 ? 1 : to_columns_.size()), kAbsent);
  if (old_start >= end_sec) return absl::OkStatus();
  const size_t old_count = static_cast<size_t>((end_sec - old_start + old_step - 1) / old_step);
  std::vector<double> old;
  SHOAL_RETURN_IF_ERROR(
      reader_->ReadStored(series, from_id_, j, old_start, old_count, now_sec, &old));

  // The old steps of each new one side by side: so many, or with steps that do not divide fewer.
  const size_t per_step = static_cast<size_t>((step + old_step - 1) / old_step);
  const bool takes_columns = j > 0 && !column_of_.empty() && !(k == 0 && per_step == 1);
  const size_t columns = takes_columns ? to_columns_.size() : 1;
  std::vector<double> parts(columns * count * per_step, kAbsent);
  size_t last = count;
  size_t used = 0;
  for (size_t n = 0; n < old_count; ++n) {
    const int64_t time = old_start + old_step * static_cast<int64_t>(n);
    const size_t i = static_cast<size_t>((time - start_sec) / step);
    used = i == last ? used + 1 : 0;
    last = i;
    for (size_t column = 0; column < columns; ++column) {
      double& part = parts[(column * count + i) * per_step + used];
      if (takes_columns) {
        part = old[column_of_[column] * old_count + n];
      } else {
        part = j == 0 ? old[n] : FinishStep(from_columns_.formula(), old.data(), old_count, n);
      }
    }
  }
  if (k == 0 && per_step == 1) {  // each point as it is
    *cells = std::move(parts);
    return absl::OkStatus();
  }
  // The finest archive takes what there is, as it would from a sender.
  const double x_files_factor = k == 0 ? 0 : to_->aggregation.x_files_factor;
  std::vector<double> rolled(to_columns_.size() * count);
  const auto roll_up = takes_columns ? &RollUpCoarse : &RollUpFine;
  roll_up(to_columns_, x_files_factor, per_step, parts, absl::MakeSpan(rolled));
  if (k > 0) {
    *cells = std::move(rolled);
    return absl::OkStatus();
  }
  for (size_t i = 0; i < count; ++i)
    (*cells)[i] = FinishStep(to_columns_.formula(), rolled.data(), count, i);
  return absl::OkStatus();
}

}  // namespace shoal
