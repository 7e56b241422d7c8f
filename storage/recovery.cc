#include "storage/recovery.h"

#include <cmath>
#include <string>

#include "base/logging.h"
#include "base/status_macros.h"
#include "storage/late_points.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

class Replay {
 public:
  Replay(MetricIndex* index, WriteBuffer* buffer, std::vector<Committer::Deleted>* deleted,
         RecoveryReport* report)
      : index_(index), buffer_(buffer), deleted_(deleted), report_(report) {}

  absl::Status Apply(const WalRecord& record) {
    switch (record.kind) {
      case WalRecordKind::kSchema:
        return index_->RestoreSchema(record.schema);
      case WalRecordKind::kSeries:
        for (const SeriesDefinition& definition : record.series) index_->Restore(definition);
        return absl::OkStatus();
      case WalRecordKind::kBatch:
        return ApplyBatch(record.batch);
      case WalRecordKind::kDelete: {
        SchemaId schema = 0;
        index_->ReserveId(record.deleted);
        if (index_->SchemaOf(record.deleted, &schema) != nullptr) {
          index_->Remove(record.deleted);
          deleted_->push_back({schema, record.deleted});
        }
        return absl::OkStatus();
      }
      case WalRecordKind::kCheckpoint:
        return absl::OkStatus();
    }
    return absl::OkStatus();
  }

  uint64_t unknown_points() const { return unknown_points_; }

 private:
  absl::Status ApplyBatch(const WalBatch& batch) {
    known_.Clear();
    uint64_t unknown = 0;
    for (size_t i = 0; i < batch.series.size(); ++i) {
      const SeriesId series = batch.series[i];
      const SeriesSchema* const schema = index_->SchemaOf(series);
      if (schema == nullptr) {
        // Deleted later on, or its definition was in a damaged record; either way the id is used
        // up.
        index_->ReserveId(series);
        ++unknown;
        continue;
      }
      if (std::isnan(batch.values[i]) || batch.timestamps_sec[i] < 0) continue;
      known_.series.push_back(series);
      known_.timestamps_sec.push_back(
          AlignDown(batch.timestamps_sec[i], schema->archives.front().step_sec));
      known_.values.push_back(batch.values[i]);
    }
    unknown_points_ += unknown;
    buffer_->Apply(known_.series, known_.timestamps_sec, known_.values);
    report_->points_replayed += known_.series.size();
    return absl::OkStatus();
  }

  MetricIndex* const index_;
  WriteBuffer* const buffer_;
  std::vector<Committer::Deleted>* const deleted_;
  RecoveryReport* const report_;
  WalBatch known_;
  uint64_t unknown_points_ = 0;
};

}  // namespace

absl::Status ReplayWal(const ReplayOptions& options, const SegmentedLog& wal, MetricIndex* index,
                       WriteBuffer* buffer, const std::function<absl::Status(LogPosition)>& flush,
                       std::vector<Committer::Deleted>* deleted, RecoveryReport* report) {
  const std::unique_ptr<SegmentedLog::Cursor> cursor = wal.NewCursor(options.checkpoint);
  Replay replay(index, buffer, deleted, report);
  std::string bytes;
  WalRecord record;
  for (;;) {
    SHOAL_ASSIGN_OR_RETURN(const bool found, cursor->Next(&bytes));
    if (!found) break;
    absl::Status status = DecodeWalRecord(bytes, &record);
    if (status.ok()) status = replay.Apply(record);
    if (!status.ok()) {
      ++report->damaged_records;
      LogError("engine", "WAL segment ", cursor->position().segment, " before offset ",
               cursor->position().offset, ": ", status.message());
      continue;
    }
    ++report->wal_records;
    if (buffer->bytes() > options.write_buffer_bytes_max / 2) {
      SHOAL_RETURN_IF_ERROR(flush(cursor->position()));
    }
  }
  report->damaged_records += cursor->report().damaged_regions;
  report->torn_tail_bytes += cursor->report().torn_bytes;
  if (cursor->report().damaged_regions > 0) {
    LogError("engine", "the WAL is damaged in the middle: ", cursor->report().damaged_regions,
             " places, ", cursor->report().damaged_bytes, " bytes were left out");
  }
  if (replay.unknown_points() > 0) {
    LogWarning("engine", replay.unknown_points(),
               " points in the WAL are of series that are deleted or not defined");
  }
  return absl::OkStatus();
}

}  // namespace shoal
