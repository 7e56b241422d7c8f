#include "deploy/shoalctl/data_dir.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "deploy/shoalctl/log_files.h"
#include "storage/flusher.h"
#include "storage/ring/rolled_until.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

// Where definitions of series are: the WAL last, its deletions are the latest word.
constexpr const char* kLogs[] = {"ring/series-log", "wal"};
// Ids are dense; one beyond is not believed.
constexpr size_t kSeriesMax = 1 << 28;
constexpr uint64_t kRolledBytesMax = 64 << 20;

}  // namespace

DataDir::DataDir() : overlay_(FileSystem::Posix()) {}

absl::StatusOr<std::unique_ptr<DataDir>> DataDir::Open(const std::string& path) {
  FileSystem* const fs = FileSystem::Posix();
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(JoinPath(path, "IDENTITY")));
  if (!exists) {
    return absl::NotFoundError(absl::StrCat(path, " is not the data directory of a node"));
  }
  std::unique_ptr<DataDir> data(new DataDir());
  SHOAL_ASSIGN_OR_RETURN(data->lock_, LockData(fs, JoinPath(path, "LOCK")));
  std::vector<SeriesSchema> schemas;
  SHOAL_RETURN_IF_ERROR(data->ReadLogs(path, &schemas));
  data->schema_count_ = schemas.size();
  data->CheckSmallFiles(path);
  RingStoreOptions options;
  options.fs = &data->overlay_;
  options.dir = JoinPath(path, "ring");
  SHOAL_ASSIGN_OR_RETURN(data->rings_, RingStore::Open(options, std::move(schemas)));
  return data;
}

// A start does without these and only takes longer: here they are damage all the same.
void DataDir::CheckSmallFiles(const std::string& path) {
  FileSystem* const fs = FileSystem::Posix();
  const std::string checkpoint = JoinPath(path, "CHECKPOINT");
  if (fs->Exists(checkpoint).value_or(false) && ReadCheckpoint(fs, checkpoint) == LogPosition()) {
    problems_.push_back(absl::StrCat(checkpoint, ": not a checkpoint"));
  }
  const std::string rolled = JoinPath(JoinPath(path, "ring"), kRolledName);
  if (fs->Exists(rolled).value_or(false)) {
    const absl::StatusOr<std::string> bytes = ReadFile(fs, rolled, kRolledBytesMax);
    const absl::Status status = bytes.ok() ? RolledUntil::Decode(*bytes).status() : bytes.status();
    if (!status.ok()) problems_.push_back(absl::StrCat(rolled, ": ", status.message()));
  }
}

absl::Status DataDir::ReadLogs(const std::string& path, std::vector<SeriesSchema>* schemas) {
  FileSystem* const fs = FileSystem::Posix();
  for (const char* const log : kLogs) {
    const std::string dir = JoinPath(path, log);
    SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(dir));
    if (!exists) continue;
    LogReport report;
    WalRecord record;
    const auto visit = [&](uint64_t segment, uint64_t offset, absl::string_view bytes) {
      // Most records are points: not worth decoding here.
      if (!bytes.empty() && static_cast<WalRecordKind>(bytes[0]) == WalRecordKind::kBatch) {
        return true;
      }
      if (const absl::Status status = DecodeWalRecord(bytes, &record); !status.ok()) {
        problems_.push_back(
            absl::StrCat(dir, " record at ", segment, ":", offset, ": ", status.message()));
        return true;
      }
      if (record.kind == WalRecordKind::kSchema) {
        if (schemas->size() <= record.schema.id) schemas->resize(record.schema.id + size_t{1});
        (*schemas)[record.schema.id] = record.schema.schema;
      } else if (record.kind == WalRecordKind::kSeries) {
        for (const SeriesDefinition& series : record.series) {
          if (series.id >= kSeriesMax) continue;
          if (series.id >= names_.size()) names_.resize(series.id + size_t{1});
          names_[series.id] = std::string(series.name);
        }
      } else if (record.kind == WalRecordKind::kDelete && record.deleted < names_.size()) {
        names_[record.deleted].clear();
      }
      return true;
    };
    SHOAL_RETURN_IF_ERROR(VisitLog(fs, dir, &report, visit));
    if (report.damaged_regions > 0) {
      problems_.push_back(absl::StrCat(dir, ": ", report.damaged_regions, " damaged regions, ",
                                       report.damaged_bytes, " bytes"));
    }
  }
  return absl::OkStatus();
}

uint64_t DataDir::series() const {
  uint64_t count = 0;
  for (const std::string& name : names_) count += name.empty() ? 0 : 1;
  return count;
}

void DataDir::VisitNames(
    absl::FunctionRef<void(absl::string_view name, SeriesId series)> visit) const {
  for (size_t id = 0; id < names_.size(); ++id) {
    if (!names_[id].empty()) visit(names_[id], static_cast<SeriesId>(id));
  }
}

}  // namespace shoal
