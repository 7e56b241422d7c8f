// verify and dump: what lies in a data directory. Both only read.
#include <algorithm>
#include <cstdio>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "deploy/shoalctl/commands.h"
#include "deploy/shoalctl/data_dir.h"
#include "deploy/shoalctl/dump_files.h"
#include "deploy/shoalctl/log_files.h"
#include "deploy/shoalctl/overlay_file_system.h"
#include "storage/ring/ring_file.h"
#include "storage/ring/ring_store.h"
#include "storage/wal_record.h"

namespace shoal {
namespace {

std::string Join(const std::string& dir, absl::string_view name) {
  return JoinPath(dir.empty() ? "." : dir, name);
}

std::string DescribeRecord(const WalRecord& record) {
  switch (record.kind) {
    case WalRecordKind::kSchema: {
      const AggregationRule& rule = record.schema.schema.aggregation;
      std::string text = absl::StrCat(
          "schema ", record.schema.id, " ", RetentionsText(record.schema.schema.archives), " ",
          AggregateName(rule.aggregate()), " xff ", rule.x_files_factor);
      for (const AggregateSpec& spec : rule.also)
        absl::StrAppend(&text, &spec == rule.also.data() ? " also " : ",", AggregateName(spec));
      if (rule.whisper) absl::StrAppend(&text, " whisper");
      return text;
    }
    case WalRecordKind::kSeries: {
      std::string text = absl::StrCat("series (", record.series.size(), ")");
      for (const SeriesDefinition& series : record.series) {
        absl::StrAppend(&text, "\n    ", series.id, " schema ", series.schema, " ",
                        absl::CHexEscape(series.name));
      }
      return text;
    }
    case WalRecordKind::kBatch: {
      std::string text = absl::StrCat("batch of ", record.batch.series.size(), " points");
      for (size_t i = 0; i < record.batch.series.size(); ++i) {
        absl::StrAppend(&text, "\n    ", record.batch.series[i], " ",
                        record.batch.timestamps_sec[i], " ",
                        absl::StrFormat("%.17g", record.batch.values[i]));
      }
      return text;
    }
    case WalRecordKind::kDelete:
      return absl::StrCat("delete ", record.deleted);
    case WalRecordKind::kCheckpoint:
      return absl::StrCat("checkpoint at ", record.checkpoint.segment, ":",
                          record.checkpoint.offset);
    case WalRecordKind::kSchemaChange:
      return absl::StrCat("series ", record.change.series, " goes on with schema ",
                          record.change.schema);
  }
  return "unknown";
}

absl::StatusOr<int> DumpWal(const std::string& dir, uint64_t records_max) {
  FileSystem* const fs = FileSystem::Posix();
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> lock, LockData(fs, Join(dir, "../LOCK")));
  LogReport report;
  WalRecord record;
  uint64_t printed = 0;
  SHOAL_RETURN_IF_ERROR(
      VisitLog(fs, dir, &report, [&](uint64_t segment, uint64_t offset, absl::string_view bytes) {
        if (printed++ == records_max) return false;
        const absl::Status decoded = DecodeWalRecord(bytes, &record);
        const std::string text = decoded.ok()
                                     ? DescribeRecord(record)
                                     : absl::StrCat(bytes.size(), " bytes: ", decoded.message());
        std::printf("%llu:%llu %s\n", static_cast<unsigned long long>(segment),
                    static_cast<unsigned long long>(offset), text.c_str());
        return true;
      }));
  std::printf("%llu records, %llu damaged regions (%llu bytes), torn tail of %llu bytes\n",
              static_cast<unsigned long long>(report.records),
              static_cast<unsigned long long>(report.damaged_regions),
              static_cast<unsigned long long>(report.damaged_bytes),
              static_cast<unsigned long long>(report.torn_bytes));
  return report.damaged_regions == 0 ? kExitOk : kExitFailure;
}

// `place` is FILE:INDEX:SLOT, the form in which bad pages are reported and slots are counted.
absl::StatusOr<int> DumpPage(const std::string& place) {
  const std::vector<std::string> parts = absl::StrSplit(place, ':');
  uint32_t index = 0;
  uint32_t slot = 0;
  if (parts.size() != 3 || !absl::SimpleAtoi(parts[1], &index) ||
      !absl::SimpleAtoi(parts[2], &slot)) {
    return absl::InvalidArgumentError(
        absl::StrCat("--page needs FILE:INDEX:SLOT, not \"", place, "\""));
  }
  const size_t slash = parts[0].rfind('/');
  const std::string dir = slash == std::string::npos ? "." : parts[0].substr(0, slash);
  const std::string name = slash == std::string::npos ? parts[0] : parts[0].substr(slash + 1);
  FileSystem* const fs = FileSystem::Posix();
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> lock, LockData(fs, Join(dir, "../LOCK")));
  OverlayFileSystem overlay(fs);
  RingFilePool pool(&overlay, 1);
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<RingFile> file, RingFile::Open(&pool, dir, name));
  const RingHeader& header = file->header();
  if (index >= header.stripes || slot >= header.slots) {
    return absl::OutOfRangeError(
        absl::StrCat(name, " has ", header.stripes, " stripes of ", header.slots, " slots"));
  }
  std::string page(header.page_bytes, '\0');
  PageHeader page_header;
  SHOAL_RETURN_IF_ERROR(file->ReadPages(index, slot, 1, page.data()));
  SHOAL_RETURN_IF_ERROR(file->CheckedPage(index, slot, page.data(), &page_header));
  std::printf("schema %u archive %u, step %u s, %u bytes a page, %u column(s)\n",
              header.archive.schema, header.archive.archive, header.step_sec, header.page_bytes,
              header.columns);
  if (page_header.blank) {
    std::puts("blank: never written");
    return kExitOk;
  }
  std::printf("series %u, stripe %u, generation %u, %u steps known\n", page_header.tag.series,
              page_header.tag.stripe, page_header.tag.generation, page_header.count);
  std::vector<double> dense(header.shape().cells());
  SHOAL_RETURN_IF_ERROR(DecodePage(header.shape(), page, absl::MakeSpan(dense)));
  const int64_t start_sec =
      int64_t{page_header.tag.stripe} * header.stripe_steps * int64_t{header.step_sec};
  for (uint32_t step = 0; step < header.stripe_steps; ++step) {
    if (dense[step] != dense[step]) continue;  // NaN: absent
    std::printf("%lld", static_cast<long long>(start_sec + int64_t{step} * header.step_sec));
    for (uint32_t column = 0; column < header.columns; ++column) {
      std::printf(" %.17g", dense[size_t{column} * header.stripe_steps + step]);
    }
    std::puts("");
  }
  return kExitOk;
}

}  // namespace

absl::StatusOr<int> VerifyCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(const CommandArgs parsed, CommandArgs::Parse(args, {"--data"}));
  SHOAL_ASSIGN_OR_RETURN(const std::string data, parsed.Require("--data"));
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<DataDir> dir, DataDir::Open(data));
  std::vector<std::string> problems = dir->problems();
  for (std::string& problem : dir->rings().Verify()) problems.push_back(std::move(problem));
  for (const std::string& problem : problems) std::puts(problem.c_str());
  uint64_t files = 0;
  uint64_t slots = 0;
  for (const RingStoreUsage& usage : dir->rings().Usage()) {
    files += usage.files;
    slots += usage.slots_used;
  }
  std::printf("%zu schemas, %llu series, %llu ring files, %llu slots in use: %zu problem(s)\n",
              dir->schema_count(), static_cast<unsigned long long>(dir->series()),
              static_cast<unsigned long long>(files), static_cast<unsigned long long>(slots),
              problems.size());
  return problems.empty() ? kExitOk : kExitFailure;
}

absl::StatusOr<int> DumpCommand(const std::vector<std::string>& args) {
  SHOAL_ASSIGN_OR_RETURN(
      const CommandArgs parsed,
      CommandArgs::Parse(args, {"--wal", "--spool", "--page", "--file", "--limit"}));
  int given = 0;
  for (const char* const option : {"--wal", "--spool", "--page", "--file"}) {
    given += parsed.Has(option) ? 1 : 0;
  }
  if (given != 1) {
    return absl::InvalidArgumentError(
        "dump needs one of --wal DIR, --spool DIR, --page FILE:INDEX:SLOT, --file FILE");
  }
  if (parsed.Has("--page")) return DumpPage(parsed.Get("--page"));
  if (parsed.Has("--file")) return DumpFile(parsed.Get("--file"));
  uint64_t limit = std::numeric_limits<uint64_t>::max();
  if (!parsed.Get("--limit").empty() && !absl::SimpleAtoi(parsed.Get("--limit"), &limit)) {
    return absl::InvalidArgumentError("--limit needs a number of records");
  }
  if (parsed.Has("--spool")) return DumpSpool(parsed.Get("--spool"), limit);
  return DumpWal(parsed.Get("--wal"), limit);
}

}  // namespace shoal
