#include "storage/series_expirer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/logging.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Steps of the finest archive that are read first: they show that nearly every series is alive.
constexpr int64_t kRecentSteps = 512;
// Ids looked at before the time is.
constexpr SeriesId kSeriesPerCheck = 16;

}  // namespace

SeriesExpirer::SeriesExpirer(const MetricIndex* index, const SeriesReader* reader,
                             const WriteBuffer* buffer, const Clock* clock, int64_t future_sec,
                             Newest newest, Remove remove, MetricRegistry* metrics)
    : index_(index),
      reader_(reader),
      buffer_(buffer),
      clock_(clock),
      future_sec_(future_sec),
      newest_(std::move(newest)),
      remove_(std::move(remove)) {
  if (metrics == nullptr) return;
  expired_counter_ = metrics->AddCounter("shoal_node_series_expired_total",
                                         "Series removed because none of their points is kept");
}

bool SeriesExpirer::HasExpired(SeriesId series, int64_t now_sec) {
  const SeriesSchema* const schema = index_->SchemaOf(series);
  if (schema == nullptr || buffer_->Has(series)) return false;
  const auto is_empty = [&](int64_t from_sec, int64_t until_sec) {
    series_.values.clear();
    const absl::Status read = reader_->Read(series, {from_sec, until_sec, until_sec}, &series_);
    return read.ok() && std::all_of(series_.values.begin(), series_.values.end(),
                                    [](double value) { return std::isnan(value); });
  };
  const Archive& finest = schema->archives.front();
  const int64_t recent_sec = std::min(finest.retention_sec(), kRecentSteps * finest.step_sec);
  if (!is_empty(now_sec - recent_sec, now_sec)) return false;
  // Each by itself: a coarser one leaves out what its xFilesFactor finds too little.
  for (const Archive& archive : schema->archives) {
    if (!is_empty(now_sec - archive.retention_sec(), now_sec)) return false;
  }
  // Points of fast clocks. The finest archive has them, and answers for no more than it keeps.
  for (int64_t from = now_sec; from < now_sec + future_sec_; from += finest.retention_sec()) {
    if (!is_empty(from, std::min(from + finest.retention_sec(), now_sec + future_sec_)))
      return false;
  }
  // A point that has come in the meantime.
  return !buffer_->Has(series);
}

absl::Status SeriesExpirer::RunSome(std::chrono::nanoseconds budget) {
  const auto end = std::chrono::steady_clock::now() + budget;
  const int64_t now_sec = std::min(clock_->NowSec(), newest_());
  if (now_sec <= 0) return absl::OkStatus();
  const uint64_t generation = buffer_->generation();  // before the first look at a series
  const SeriesId ids = std::exchange(settled_end_, index_->ids_end());
  std::vector<SeriesId> expired;
  for (SeriesId looked_at = 0; looked_at < ids; ++looked_at) {
    if (looked_at % kSeriesPerCheck == 0 && std::chrono::steady_clock::now() >= end) break;
    if (next_ >= ids) next_ = 0;
    if (HasExpired(next_, now_sec)) expired.push_back(next_);
    ++next_;
  }
  if (expired.empty()) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(const size_t removed, remove_(expired, generation));
  LogInfo("engine", removed, " of ", expired.size(), " expired series are removed, the last is ",
          expired.back());
  if (expired_counter_ != nullptr) expired_counter_->Add(removed);
  return absl::OkStatus();
}

}  // namespace shoal
