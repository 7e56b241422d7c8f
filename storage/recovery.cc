#include "storage/recovery.h"

#include <string>

#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/replay_workers.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

// Small batches go to the workers together: they cost a wake-up each.
constexpr size_t kPointsPerSubmit = 8192;
// What points that are not applied yet may come to take in the buffer, about.
constexpr uint64_t kBytesPerPointAhead = 24;

// Reads ahead of the workers, which apply the points; everything else it applies itself, in the
// log's order.
class Replay {
 public:
  Replay(MetricIndex* index, WriteBuffer* buffer, std::vector<Committer::Deleted>* deleted,
         std::vector<SeriesId>* dead)
      : index_(index), buffer_(buffer), deleted_(deleted), dead_(dead), workers_(index, buffer) {}

  absl::Status Apply(WalRecord* record) {
    if (record->kind == WalRecordKind::kBatch) {
      AddBatch(&record->batch);
      return absl::OkStatus();
    }
    // What follows may need it, what came before must not see it.
    Drain();
    switch (record->kind) {
      case WalRecordKind::kSchema:
        return index_->RestoreSchema(record->schema);
      case WalRecordKind::kSeries:
        for (const SeriesDefinition& definition : record->series) index_->Restore(definition);
        return absl::OkStatus();
      case WalRecordKind::kDelete: {
        SchemaId schema = 0;
        index_->ReserveId(record->deleted);
        dead_->push_back(record->deleted);
        if (index_->SchemaOf(record->deleted, &schema) != nullptr) {
          index_->Remove(record->deleted);
          deleted_->push_back({schema, record->deleted});
        }
        return absl::OkStatus();
      }
      case WalRecordKind::kSchemaChange:
        if (index_->ChangeSchema(record->change.series, record->change.schema)) {
          const SeriesSchema& schema = *index_->Schema(record->change.schema);
          buffer_->Realign(record->change.series, schema.archives.front().step_sec);
        }
        return absl::OkStatus();
      case WalRecordKind::kBatch:
      case WalRecordKind::kCheckpoint:
        return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  // Until every record given to Apply is in the buffer.
  void Drain() {
    workers_.Submit(&gathered_);
    workers_.Drain();
  }
  // Points that have been read and not applied.
  uint64_t ahead_points() const { return gathered_.series.size() + workers_.queued_points(); }
  const ReplayWorkers& workers() const { return workers_; }

 private:
  void AddBatch(WalBatch* batch) {
    if (!gathered_.series.empty() || batch->series.size() < kPointsPerSubmit) {
      gathered_.series.insert(gathered_.series.end(), batch->series.begin(), batch->series.end());
      gathered_.timestamps_sec.insert(gathered_.timestamps_sec.end(), batch->timestamps_sec.begin(),
                                      batch->timestamps_sec.end());
      gathered_.values.insert(gathered_.values.end(), batch->values.begin(), batch->values.end());
      if (gathered_.series.size() >= kPointsPerSubmit) workers_.Submit(&gathered_);
      return;
    }
    workers_.Submit(batch);
  }

  MetricIndex* const index_;
  WriteBuffer* const buffer_;
  std::vector<Committer::Deleted>* const deleted_;
  std::vector<SeriesId>* const dead_;
  WalBatch gathered_;
  ReplayWorkers workers_;
};

}  // namespace

absl::Status ReplayWal(const ReplayOptions& options, const SegmentedLog& wal, MetricIndex* index,
                       WriteBuffer* buffer, const std::function<absl::Status(LogPosition)>& flush,
                       std::vector<Committer::Deleted>* deleted, std::vector<SeriesId>* dead,
                       RecoveryReport* report) {
  const std::unique_ptr<SegmentedLog::Cursor> cursor = wal.NewCursor(options.checkpoint);
  Replay replay(index, buffer, deleted, dead);
  std::string bytes;
  WalRecord record;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, cursor->Next(&bytes));
    if (!found) break;
    absl::Status status = DecodeWalRecord(bytes, &record);
    if (status.ok()) status = replay.Apply(&record);
    if (!status.ok()) {
      ++report->damaged_records;
      LogError("engine", "WAL segment ", cursor->position().segment, " before offset ",
               cursor->position().offset, ": ", status.message());
      continue;
    }
    ++report->wal_records;
    const uint64_t bytes_max = options.write_buffer_bytes_max * 9 / 10;
    if (buffer->bytes() + replay.ahead_points() * kBytesPerPointAhead <= bytes_max) continue;
    replay.Drain();
    if (buffer->bytes() > bytes_max) {
      SHOAL_RETURN_IF_ERROR(flush(cursor->position()));
    }
  }
  replay.Drain();
  report->points_replayed += replay.workers().points();
  report->damaged_records += cursor->report().damaged_regions;
  report->torn_tail_bytes += cursor->report().torn_bytes;
  if (cursor->report().damaged_regions > 0) {
    LogError("engine", "the WAL is damaged in the middle: ", cursor->report().damaged_regions,
             " places, ", cursor->report().damaged_bytes, " bytes were left out");
  }
  if (replay.workers().unknown_points() > 0) {
    LogWarning("engine", replay.workers().unknown_points(),
               " points in the WAL are of series that are deleted or not defined");
  }
  return absl::OkStatus();
}

}  // namespace shoal
