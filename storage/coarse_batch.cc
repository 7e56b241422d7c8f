#include "storage/coarse_batch.h"

namespace shoal {

absl::Span<double> CoarseBatch::Append(SeriesId series, int64_t start_sec, size_t steps) {
  CoarseRun run;
  run.series = series;
  run.start_sec = start_sec;
  run.steps = steps;
  run.stride = steps;
  runs_.push_back(run);
  const size_t at = cells_.size();
  cells_.resize(at + columns_ * steps);
  return absl::MakeSpan(cells_).subspan(at);
}

void CoarseBatch::DropLast() {
  cells_.resize(cells_.size() - columns_ * runs_.back().steps);
  runs_.pop_back();
}

absl::Status CoarseBatch::Write() {
  if (runs_.empty()) return absl::OkStatus();
  size_t at = 0;
  for (CoarseRun& run : runs_) {
    run.cells = cells_.data() + at;
    at += columns_ * run.steps;
  }
  const absl::Status status = rings_->WriteCoarse(archive_, runs_);
  runs_.clear();
  cells_.clear();
  return status;
}

}  // namespace shoal
