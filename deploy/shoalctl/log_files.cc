#include "deploy/shoalctl/log_files.h"

#include <memory>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr uint64_t kRecordBytesMax = 64 << 20;

}  // namespace

absl::Status VisitLog(
    FileSystem* fs, const std::string& dir, LogReport* report,
    absl::FunctionRef<bool(uint64_t segment, uint64_t offset, absl::string_view record)> visit) {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(dir));
  if (!exists) return absl::NotFoundError(absl::StrCat(dir, ": no such folder"));
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs->List(dir));
  for (const std::string& name : names) {
    absl::string_view number = name;
    uint64_t segment = 0;
    if (!absl::ConsumeSuffix(&number, ".log") || !absl::SimpleAtoi(number, &segment)) continue;
    SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                           fs->Open(JoinPath(dir, name), OpenMode::kReadOnly));
    SHOAL_ASSIGN_OR_RETURN(const uint64_t size, file->Size());
    if (const absl::Status header = CheckLogSegmentHeader(*file, segment); !header.ok()) {
      if (!absl::IsDataLoss(header)) return Annotate(header, name);
      ++report->damaged_regions;
      report->damaged_bytes += size;
      continue;
    }
    LogReader reader(file.get(), segment, 0, kRecordBytesMax);
    std::string record;
    bool wanted = true;
    while (wanted) {
      const uint64_t offset = reader.position();
      SHOAL_ASSIGN_OR_RETURN(const bool more, reader.Next(size, &record));
      if (!more) break;
      wanted = visit(segment, offset, record);
    }
    report->records += reader.report().records;
    report->damaged_regions += reader.report().damaged_regions;
    report->damaged_bytes += reader.report().damaged_bytes;
    report->torn_bytes += reader.report().torn_bytes;
    if (!wanted) return absl::OkStatus();
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<File>> LockData(FileSystem* fs, const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (!exists) return std::unique_ptr<File>();
  absl::StatusOr<std::unique_ptr<File>> lock = fs->Lock(path);
  if (absl::IsFailedPrecondition(lock.status())) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " is held: stop the node first, its files change while it runs"));
  }
  return lock;
}

}  // namespace shoal
