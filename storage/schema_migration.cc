#include "storage/schema_migration.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/late_points.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

constexpr SeriesId kNamesPerCheck = 64;  // looked at before the time is
// One change of schemas, one wait for the log's sync.
constexpr size_t kSeriesPerBatch = 256;
constexpr int64_t kStepsPerRead = 8192;  // bounds the memory of one series
constexpr size_t kPointsPerWrite = 1 << 18;
// A fifth of one processor, about, and of the flusher's time.
constexpr auto kPause = std::chrono::milliseconds(800);
constexpr auto kPauseAfterError = std::chrono::seconds(10);

}  // namespace

struct SchemaMigration::Batch {
  Batch(RingStore* rings, SchemaId id, const SeriesSchema* to_schema) : to_id(id), to(to_schema) {
    const AggregateColumns columns(to->aggregation);
    for (size_t k = 1; k < to->archives.size(); ++k)
      coarse.emplace_back(rings, ArchiveKey{id, static_cast<uint8_t>(k)}, columns.size());
  }

  const SchemaId to_id;
  const SeriesSchema* const to;
  int64_t now_sec = 0;
  std::map<SchemaId, std::unique_ptr<SchemaHistory>> histories;  // by old schema
  std::vector<Committer::SchemaMove> moves;
  // Points for the finest archive, and where those of each series end.
  std::vector<Point> points;
  std::vector<std::pair<SeriesId, size_t>> ends;
  std::vector<CoarseBatch> coarse;  // archive k is coarse[k - 1]
};

SchemaMigration::SchemaMigration(Hooks hooks, const MetricIndex* index, RingStore* rings,
                                 const SeriesReader* reader, const Clock* clock, int64_t future_sec,
                                 MetricRegistry* metrics)
    : hooks_(std::move(hooks)),
      index_(index),
      rings_(rings),
      reader_(reader),
      clock_(clock),
      future_sec_(future_sec),
      ids_end_(index->ids_end()) {
  if (metrics == nullptr) return;
  migrated_counter_ = metrics->AddCounter("shoal_node_migrations_total",
                                          "Series that have got the schema of changed rules");
  failed_counter_ = metrics->AddCounter(
      "shoal_node_migrations_failed_total",
      "Series that keep their old schema until the next start: a page of theirs is damaged");
  pending_gauge_ = metrics->AddGauge("shoal_node_migrations_pending",
                                     "Series that are still to get the schema of changed rules");
}

SchemaMigration::~SchemaMigration() = default;

void SchemaMigration::CountPending() {
  if (pending_gauge_ == nullptr) return;
  size_t pending = 0;
  for (const auto& [schema, series] : pending_) pending += series.size();
  pending_gauge_->Set(static_cast<int64_t>(pending));
}

std::optional<std::chrono::milliseconds> SchemaMigration::RunSome(std::chrono::nanoseconds budget) {
  MutexLock lock(&mu_);
  if (finished()) return std::nullopt;
  const Deadline end = steady_clock::now() + budget;
  absl::Status status = FindSome(end);
  if (status.ok() && next_ >= ids_end_ && !pending_.empty()) {
    if (!std::exchange(announced_, true)) {
      size_t pending = 0;
      for (const auto& [schema, series] : pending_) pending += series.size();
      LogInfo("engine", pending, " series have another schema than the rules say: migrating them");
    }
    // Under mu_, too: the call comes from quiet_work.
    status = hooks_.quiet_work([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return MigrateSome(end); });
  }
  CountPending();
  if (!status.ok()) {
    LogWarning("engine", "migration of schemas: ", status.message(), "; going on later");
    return kPauseAfterError;
  }
  if (!finished()) return kPause;
  if (announced_) {
    LogInfo("engine", "migration of schemas has ended: ", migrated_, " series moved, ", failed_,
            " could not be");
  }
  return std::nullopt;
}

absl::Status SchemaMigration::FindSome(Deadline end) {
  for (; next_ < ids_end_; ++next_) {
    if (next_ % kNamesPerCheck == 0 && steady_clock::now() >= end) break;
    SchemaId from = 0;
    if (index_->SchemaOf(next_, &from) == nullptr) continue;
    const std::string name = index_->NameOf(next_);
    if (name.empty()) continue;
    SHOAL_ASSIGN_OR_RETURN(const SchemaId to, hooks_.schema_for(name));
    if (to != from) pending_[to].push_back(next_);
  }
  return absl::OkStatus();
}

absl::Status SchemaMigration::MigrateSome(Deadline end) {
  while (!pending_.empty()) {
    const auto first = pending_.begin();
    Batch batch(rings_, first->first, index_->Schema(first->first));
    batch.now_sec = clock_->NowSec();
    const absl::Status status = CopyAndChange(&batch, end, &first->second);
    if (!status.ok()) {
      std::vector<Committer::Deleted> copied;
      for (const Committer::SchemaMove& move : batch.moves) {
        if (move.moved) continue;
        copied.push_back({batch.to_id, move.series});
        first->second.push_back(move.series);
      }
      // Not at once: a record that could not be synced may be in the log all the same.
      hooks_.retire_after_round(copied);
      return status;
    }
    if (first->second.empty()) pending_.erase(first);
    if (steady_clock::now() >= end) break;
  }
  return absl::OkStatus();
}

absl::Status SchemaMigration::CopyAndChange(Batch* batch, Deadline end,
                                            std::vector<SeriesId>* queue) {
  std::vector<Committer::Deleted> retired;
  while (!queue->empty() && batch->moves.size() < kSeriesPerBatch) {
    const SeriesId series = queue->back();
    queue->pop_back();
    SchemaId from = 0;
    const SeriesSchema* const schema = index_->SchemaOf(series, &from);
    if (schema == nullptr || from == batch->to_id) continue;
    batch->moves.push_back({series, from, batch->to_id});
    std::unique_ptr<SchemaHistory>& history = batch->histories[from];
    if (history == nullptr) {
      SHOAL_RETURN_IF_ERROR(RollUpFor(*schema, batch));
      history = std::make_unique<SchemaHistory>(reader_, from, schema, batch->to);
    }
    const absl::Status status = CopySeries(series, *history, batch);
    // What was read before an error belongs to nobody.
    batch->points.resize(batch->ends.empty() ? 0 : batch->ends.back().second);
    if (absl::IsDataLoss(status)) {
      // It stays as it is: what is damaged can still be made whole there.
      LogWarning("engine", "series ", series, " keeps its schema: ", status.message());
      batch->moves.pop_back();
      retired.push_back({batch->to_id, series});
      ++failed_;
      if (failed_counter_ != nullptr) failed_counter_->Add();
      continue;
    }
    SHOAL_RETURN_IF_ERROR(status);
    if (steady_clock::now() >= end) break;
  }
  hooks_.retire(retired);
  SHOAL_RETURN_IF_ERROR(WriteFine(batch));
  for (CoarseBatch& coarse : batch->coarse) SHOAL_RETURN_IF_ERROR(coarse.Write());
  if (batch->moves.empty()) return absl::OkStatus();
  SHOAL_RETURN_IF_ERROR(hooks_.change_schemas(absl::MakeSpan(batch->moves)));
  retired.clear();
  uint64_t moved = 0;
  for (const Committer::SchemaMove& move : batch->moves) {
    // One that was deleted meanwhile has its copy freed instead.
    retired.push_back({move.moved ? move.from : move.to, move.series});
    moved += move.moved ? 1 : 0;
  }
  hooks_.retire(retired);
  migrated_ += moved;
  if (migrated_counter_ != nullptr) migrated_counter_->Add(moved);
  return absl::OkStatus();
}

absl::Status SchemaMigration::RollUpFor(const SeriesSchema& from, Batch* batch) {
  const std::vector<Archive>& archives = batch->to->archives;
  // Where the old points are as dense as the new steps, a rollup comes to what is copied.
  const int64_t dense_from = archives[0].step_sec < from.archives[0].step_sec
                                 ? batch->now_sec
                                 : batch->now_sec - from.archives[0].retention_sec();
  for (size_t k = 1; k < archives.size(); ++k) {
    const int64_t rolled_until = rings_->RolledUntil({batch->to_id, static_cast<uint8_t>(k)});
    if (rolled_until >= AlignDown(dense_from, archives[k].step_sec)) continue;
    return RollupRunner(index_, rings_)
        .RunSchema(batch->to_id, RollupRunner::When::kAll, batch->now_sec);
  }
  return absl::OkStatus();
}

absl::Status SchemaMigration::CopySeries(SeriesId series, const SchemaHistory& history,
                                         Batch* batch) {
  const int64_t now_sec = batch->now_sec;
  std::vector<double> cells;
  for (size_t k = 0; k < batch->to->archives.size(); ++k) {
    const Archive& archive = batch->to->archives[k];
    const int64_t step = archive.step_sec;
    const int64_t oldest = std::max(history.Oldest(now_sec), now_sec - archive.retention_sec());
    const int64_t ahead = k == 0 ? future_sec_ : 0;
    const int64_t end = AlignDown(now_sec + ahead, step) + step;
    const int64_t start = std::max<int64_t>(AlignUp(oldest, step), 0);
    // In whole stripes, mostly.
    const int64_t span = kStepsPerRead * step;
    for (int64_t at = start, next = 0; at < end; at = next) {
      next = std::min(AlignDown(at, span) + span, end);
      const int64_t count = (next - at) / step;
      SHOAL_RETURN_IF_ERROR(
          history.Read(series, k, at, static_cast<size_t>(count), now_sec, &cells));
      const auto first_column_end = cells.begin() + count;
      if (std::all_of(cells.begin(), first_column_end,
                      [](double value) { return std::isnan(value); })) {
        continue;
      }
      if (k > 0) {
        CoarseBatch& coarse = batch->coarse[k - 1];
        const absl::Span<double> to = coarse.Append(series, at, static_cast<size_t>(count));
        std::copy(cells.begin(), cells.end(), to.begin());
        SHOAL_RETURN_IF_ERROR(coarse.WriteIfLarge());
        continue;
      }
      for (int64_t i = 0; i < count; ++i) {
        const double value = cells[static_cast<size_t>(i)];
        if (!std::isnan(value)) batch->points.push_back({at + i * step, value});
      }
    }
    if (k == 0) {
      batch->ends.emplace_back(series, batch->points.size());
      if (batch->points.size() >= kPointsPerWrite) SHOAL_RETURN_IF_ERROR(WriteFine(batch));
    }
  }
  return absl::OkStatus();
}

absl::Status SchemaMigration::WriteFine(Batch* batch) {
  std::vector<SeriesPoints> writes;
  size_t begin = 0;
  for (const auto& [series, end] : batch->ends) {
    if (end > begin)
      writes.push_back({series, absl::MakeConstSpan(batch->points).subspan(begin, end - begin)});
    begin = end;
  }
  if (!writes.empty()) SHOAL_RETURN_IF_ERROR(rings_->Write({batch->to_id, 0}, writes));
  batch->points.clear();
  batch->ends.clear();
  return absl::OkStatus();
}

std::vector<Committer::Deleted> FindStraySlots(const MetricIndex& index, const RingStore& rings,
                                               absl::Span<const SeriesId> dead) {
  const absl::flat_hash_set<SeriesId> is_dead(dead.begin(), dead.end());
  std::vector<Committer::Deleted> strays;
  std::map<SchemaId, absl::flat_hash_set<SeriesId>> in_schema;  // those that a stray lives in
  const auto has_slots = [&](SeriesId series, SchemaId schema) {
    const auto [it, is_new] = in_schema.try_emplace(schema);
    for (size_t k = 0; is_new && k < index.Schema(schema)->archives.size(); ++k) {
      const std::vector<SeriesId> all = rings.SeriesIn({schema, static_cast<uint8_t>(k)});
      it->second.insert(all.begin(), all.end());
    }
    return it->second.contains(series);
  };
  for (size_t id = 0; id < index.schema_count(); ++id) {
    const SchemaId schema = static_cast<SchemaId>(id);
    absl::flat_hash_set<SeriesId> found;
    for (size_t k = 0; k < index.Schema(schema)->archives.size(); ++k) {
      for (const SeriesId series : rings.SeriesIn({schema, static_cast<uint8_t>(k)})) {
        SchemaId home = 0;
        const bool lives = index.SchemaOf(series, &home) != nullptr;
        if (lives ? home != schema && has_slots(series, home) : is_dead.contains(series))
          found.insert(series);
      }
    }
    for (const SeriesId series : found) strays.push_back({schema, series});
  }
  return strays;
}

}  // namespace shoal
