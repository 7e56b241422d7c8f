// What the spool of a router holds; files of the engine are in dump_files.cc.
#include <cstdio>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "deploy/shoalctl/dump_files.h"
#include "deploy/shoalctl/log_files.h"
#include "router/forward/spool_record.h"

namespace shoal {
namespace {

void Print(const std::string& line) { std::puts(line.c_str()); }

}  // namespace

absl::StatusOr<int> DumpSpool(const std::string& dir, uint64_t records_max) {
  FileSystem* const fs = FileSystem::Posix();
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> lock,
                         LockData(fs, JoinPath(dir, "../../../LOCK")));
  LogReport report;
  SpooledBatch batch;
  uint64_t printed = 0;
  uint64_t undecoded = 0;
  SHOAL_RETURN_IF_ERROR(
      VisitLog(fs, dir, &report, [&](uint64_t segment, uint64_t offset, absl::string_view bytes) {
        if (printed++ == records_max) return false;
        if (const absl::Status status = DecodeSpoolRecord(bytes, &batch); !status.ok()) {
          ++undecoded;
          Print(
              absl::StrCat(segment, ":", offset, " ", bytes.size(), " bytes: ", status.message()));
          return true;
        }
        Print(absl::StrCat(segment, ":", offset, " ", batch.refs.size(), " points of ",
                           batch.names.size(), " names"));
        for (size_t i = 0; i < batch.refs.size(); ++i) {
          Print(absl::StrFormat("    %s %.17g %d", absl::CHexEscape(batch.names[batch.refs[i]]),
                                batch.values[i], batch.timestamps_sec[i]));
        }
        return true;
      }));
  Print(absl::StrCat(report.records, " records, ", report.damaged_regions, " damaged regions (",
                     report.damaged_bytes, " bytes), torn tail of ", report.torn_bytes, " bytes"));
  return report.damaged_regions + undecoded == 0 ? kExitOk : kExitFailure;
}

}  // namespace shoal
