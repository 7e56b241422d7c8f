#include "deploy/shoalctl/dump_files.h"

#include <cstdio>
#include <memory>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/command_line.h"
#include "base/status_macros.h"
#include "deploy/shoalctl/log_files.h"
#include "deploy/shoalctl/overlay_file_system.h"
#include "storage/flusher.h"
#include "storage/ring/double_write.h"
#include "storage/ring/ring_file.h"
#include "storage/ring/ring_file_pool.h"
#include "storage/ring/rolled_until.h"

namespace shoal {
namespace {

void Print(const std::string& line) { std::puts(line.c_str()); }

absl::Status DumpRing(const std::string& dir, const std::string& name) {
  OverlayFileSystem overlay(FileSystem::Posix());
  RingFilePool pool(&overlay, 1);
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<RingFile> file, RingFile::Open(&pool, dir, name));
  SHOAL_RETURN_IF_ERROR(file->LoadSlots());
  const RingHeader& header = file->header();
  Print(absl::StrCat("schema ", header.archive.schema, " archive ", header.archive.archive,
                     " class ", header.size_class, " number ", header.number, ", identity ",
                     absl::Hex(header.Identity(), absl::kZeroPad16)));
  Print(absl::StrCat("step ", header.step_sec, " s, keeps ", header.points, " points, ",
                     AggregateName({header.method, header.percentile}), ", xff ",
                     header.x_files_factor));
  std::string columns;
  for (size_t i = 0; i < header.columns && header.archive.archive > 0; ++i) {
    const uint32_t code = header.column_codes[i];
    absl::StrAppend(&columns, columns.empty() ? ": " : ", ",
                    AggregateName({static_cast<AggregationMethod>(code & 0xff),
                                   static_cast<uint16_t>(code >> 16)}));
  }
  Print(absl::StrCat(header.stripes, " stripes of ", header.stripe_steps, " steps; ", header.slots,
                     " slots; pages of ", header.page_bytes, " bytes, ", header.columns,
                     " column(s)", columns));
  std::string written;
  for (uint32_t index = 0; index < header.stripes; ++index) {
    if (file->MayHaveData(index)) absl::StrAppend(&written, " ", index);
  }
  Print(absl::StrCat("written stripes, by place:", written.empty() ? " none" : written));
  for (const std::string& block : file->bad_blocks()) Print(block);
  for (uint32_t slot = 0; slot < file->slots().size(); ++slot) {
    const SlotEntry entry = file->slots().Get(slot);
    if (!entry.used()) continue;
    Print(absl::StrCat(
        "slot ", slot, ": series ", entry.series, " from stripe ", entry.from_stripe,
        entry.until_stripe == kNoStripe ? "" : absl::StrCat(" until ", entry.until_stripe),
        ", generation ", entry.generation));
  }
  return file->bad_blocks().empty() ? absl::OkStatus()
                                    : absl::DataLossError("the slot table is damaged");
}

absl::Status DumpJournal(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const std::string bytes,
                         ReadFile(FileSystem::Posix(), path, kJournalBytesMax));
  const absl::StatusOr<ParsedJournal> journal = ParseJournal(bytes);
  if (absl::IsDataLoss(journal.status())) {
    // What a clean close leaves, too.
    Print(absl::StrCat("no whole batch: ", journal.status().message()));
    return absl::OkStatus();
  }
  SHOAL_RETURN_IF_ERROR(journal.status());
  Print(absl::StrCat("batch ", journal->sequence, ", ", journal->images.size(), " images"));
  for (const JournalImage& image : journal->images) {
    Print(absl::StrCat(absl::CHexEscape(image.file), " ",
                       absl::Hex(image.file_identity, absl::kZeroPad16), " offset ", image.offset,
                       ": ", image.size, " bytes, ", image.bytes.size(), " stored"));
  }
  return absl::OkStatus();
}

absl::Status DumpRolledUntil(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const std::string bytes, ReadFile(FileSystem::Posix(), path, 1 << 20));
  SHOAL_ASSIGN_OR_RETURN(const RolledUntil rolled, RolledUntil::Decode(bytes));
  for (const auto& [key, until_sec] : rolled.entries()) {
    Print(absl::StrCat("schema ", key.first, " archive ", key.second, ": until ", until_sec));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<int> DumpFile(const std::string& path) {
  const size_t slash = path.rfind('/');
  const std::string dir = slash == std::string::npos ? "." : path.substr(0, slash);
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  FileSystem* const fs = FileSystem::Posix();
  const bool in_ring = IsRingFileName(name) || name == kJournalName || name == kRolledName;
  SHOAL_ASSIGN_OR_RETURN(const std::unique_ptr<File> lock,
                         LockData(fs, JoinPath(dir, in_ring ? "../LOCK" : "LOCK")));
  if (IsRingFileName(name)) {
    SHOAL_RETURN_IF_ERROR(DumpRing(dir, name));
  } else if (name == kJournalName) {
    SHOAL_RETURN_IF_ERROR(DumpJournal(path));
  } else if (name == kRolledName) {
    SHOAL_RETURN_IF_ERROR(DumpRolledUntil(path));
  } else if (name == "CHECKPOINT") {
    const LogPosition position = ReadCheckpoint(fs, path);
    Print(absl::StrCat("replay begins at ", position.segment, ":", position.offset));
  } else {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": not a ring file, ", kJournalName, ", ", kRolledName,
                     " or CHECKPOINT; --wal and --spool take folders"));
  }
  return kExitOk;
}

}  // namespace shoal
