#include "storage/rollup_runner.h"

#include <algorithm>
#include <vector>

#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/coarse_batch.h"
#include "storage/late_points.h"
#include "storage/ring/rollup.h"

namespace shoal {
namespace {

// A rollup is worthwhile when this many steps are complete, sooner where a quarter of the finer
// retention has passed.
constexpr int64_t kStepsPerRollup = 64;
// Steps that are rolled up at once at most.
constexpr int64_t kStepsPerSpan = 512;
// Fresh steps are left alone this long, so that ordinary lateness costs nothing.
constexpr int64_t kLatenessSec = 60;

}  // namespace

absl::Status RollupRunner::Run(When when, int64_t now_sec) {
  for (size_t id = 0; id < index_->schema_count(); ++id) {
    SHOAL_RETURN_IF_ERROR(RunSchema(static_cast<SchemaId>(id), when, now_sec));
  }
  return absl::OkStatus();
}

absl::Status RollupRunner::RunSchema(SchemaId schema_id, When when, int64_t now_sec) {
  const SeriesSchema& schema = *index_->Schema(schema_id);
  for (size_t k = 1; k < schema.archives.size(); ++k) {
    SHOAL_RETURN_IF_ERROR(RunArchive(schema_id, schema, k, when, now_sec));
  }
  return absl::OkStatus();
}

absl::Status RollupRunner::RunArchive(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                                      When when, int64_t now_sec) {
  const ArchiveKey key{schema_id, static_cast<uint8_t>(k)};
  const int64_t step = schema.archives[k].step_sec;
  const int64_t finer_retention = schema.archives[k - 1].retention_sec();
  int64_t rolled_until = rings_->RolledUntil(key);
  if (rolled_until == 0) {
    // The first time: there is nothing older than what the finer archive keeps.
    rolled_until = std::max<int64_t>(AlignDown(now_sec - finer_retention, step), step);
    SHOAL_RETURN_IF_ERROR(rings_->SetRolledUntil(key, rolled_until));
    if (when == When::kLagging) return absl::OkStatus();
  }
  // Data that this archive does not keep any more need not be rolled up.
  rolled_until =
      std::max(rolled_until, AlignDown(now_sec - schema.archives[k].retention_sec(), step));

  int64_t until = now_sec;
  if (when != When::kAll) until -= std::max(kLatenessSec, 2 * schema.archives[0].step_sec);
  if (k > 1) until = std::min(until, rings_->RolledUntil({schema_id, static_cast<uint8_t>(k - 1)}));
  until = AlignDown(until, step);
  int64_t worthwhile = step;
  if (when == When::kWorthwhile) {
    worthwhile = std::max(step, std::min(kStepsPerRollup * step, finer_retention / 4));
  } else if (when == When::kLagging) {
    worthwhile = std::max(step, finer_retention / 2);
  }
  if (until - rolled_until < worthwhile) return absl::OkStatus();

  while (rolled_until < until) {
    const int64_t end = std::min(until, rolled_until + kStepsPerSpan * step);
    SHOAL_RETURN_IF_ERROR(RollUpSpan(schema_id, schema, k, rolled_until, end));
    SHOAL_RETURN_IF_ERROR(rings_->SetRolledUntil(key, end));
    rolled_until = end;
  }
  return absl::OkStatus();
}

absl::Status RollupRunner::RollUpSpan(SchemaId schema_id, const SeriesSchema& schema, size_t k,
                                      int64_t start_sec, int64_t end_sec) {
  const ArchiveKey finer{schema_id, static_cast<uint8_t>(k - 1)};
  const AggregateColumns columns(schema.aggregation);
  const size_t steps = static_cast<size_t>((end_sec - start_sec) / schema.archives[k].step_sec);
  CoarseBatch batch(rings_, {schema_id, static_cast<uint8_t>(k)}, columns.size());
  absl::Status written;
  const std::vector<SeriesId> series = rings_->SeriesIn(finer);
  const auto roll_up = [&](size_t i, absl::Span<const double> cells, const absl::Status& status) {
    // A bad page costs its own steps only; waiting would cost the others theirs. What could not be
    // read just now is no page without points: the span is done again.
    if (!status.ok()) LogWarning("flusher", "rollup: ", status.message());
    if (!status.ok() && !absl::IsDataLoss(status)) written.Update(status);
    if (!written.ok() || index_->SchemaOf(series[i]) == nullptr) return;  // deleted, not freed yet
    if (RollUpArchive(schema, columns, k, cells, batch.Append(series[i], start_sec, steps)) == 0)
      batch.DropLast();
    written = batch.WriteIfLarge();
  };
  SHOAL_RETURN_IF_ERROR(
      rings_->ReadBatch(finer, series, start_sec, steps * StepsPerStep(schema, k), roll_up));
  SHOAL_RETURN_IF_ERROR(written);
  return batch.Write();
}

}  // namespace shoal
