#include "storage/ring/ring_store.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/functional/function_ref.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/ring/bad_pages.h"
#include "storage/ring/double_write.h"
#include "storage/ring/page_scan.h"
#include "storage/ring/ring_catalog.h"
#include "storage/ring/ring_reader.h"
#include "storage/ring/ring_writer.h"
#include "storage/ring/rolled_until.h"

namespace shoal {
namespace {

using ArchiveId = std::pair<SchemaId, uint8_t>;
ArchiveId IdOf(ArchiveKey key) { return {key.schema, key.archive}; }

RingWriterCounters MakeCounters(MetricRegistry* metrics) {
  RingWriterCounters counters;
  if (metrics == nullptr) return counters;
  counters.points_written =
      metrics->AddCounter("shoal_ring_points_written_total", "Points merged into ring files");
  counters.points_expired =
      metrics->AddCounter("shoal_ring_points_expired_total",
                          "Points dropped because a later lap of the ring has their place");
  counters.pages_written =
      metrics->AddCounter("shoal_ring_pages_written_total", "Pages written in place");
  counters.pages_lost = metrics->AddCounter("shoal_ring_pages_lost_total",
                                            "Bad pages rewritten from the points at hand");
  counters.promotions = metrics->AddCounter("shoal_ring_promotions_total",
                                            "Series that moved to a larger size class");
  counters.class_changes =
      metrics->AddCounter("shoal_ring_class_changes_total",
                          "Series that moved to a smaller size class at the beginning of a stripe");
  counters.stripes_punched = metrics->AddCounter("shoal_ring_stripes_punched_total",
                                                 "Expired stripes given back to the file system");
  counters.journal_bytes = metrics->AddCounter("shoal_ring_journal_bytes_total",
                                               "Bytes written to the double-write journal");
  return counters;
}

class RingStoreImpl final : public RingStore {
 public:
  explicit RingStoreImpl(const RingStoreOptions& options)
      : options_(options),
        fs_(options.fs != nullptr ? options.fs : FileSystem::Posix()),
        bad_pages_(options.metrics == nullptr
                       ? nullptr
                       : options.metrics->AddCounter("shoal_ring_bad_pages_total",
                                                     "Pages that failed their check")),
        files_set_aside_(
            options.metrics == nullptr
                ? nullptr
                : options.metrics->AddGauge("shoal_ring_files_set_aside",
                                            "Ring files that are damaged or match no schema")),
        pool_(fs_, options.open_files_max),
        counters_(MakeCounters(options.metrics)) {}

  absl::Status Init(std::vector<SeriesSchema> schemas);

  void AddSchema(SchemaId id, const SeriesSchema& schema) override;
  absl::Status Write(ArchiveKey archive, absl::Span<const SeriesPoints> points) override;
  absl::Status WriteCoarse(ArchiveKey archive, absl::Span<const CoarseRun> runs) override;
  absl::Status Read(ArchiveKey archive, SeriesId series, int64_t start_sec,
                    absl::Span<double> out) const override;
  absl::Status ReadCoarse(ArchiveKey archive, SeriesId series, int64_t start_sec, size_t steps,
                          absl::Span<double> cells) const override;
  absl::Status ReadBatch(
      ArchiveKey archive, absl::Span<const SeriesId> series, int64_t start_sec, size_t steps,
      absl::FunctionRef<void(size_t, absl::Span<const double>, const absl::Status&)> visit)
      const override;
  int64_t RolledUntil(ArchiveKey archive) const override;
  absl::Status SetRolledUntil(ArchiveKey archive, int64_t until_sec) override;
  std::vector<SeriesId> SeriesIn(ArchiveKey archive) const override;
  absl::Status Free(SchemaId schema, absl::Span<const SeriesId> series) override;
  absl::Status PunchExpired(int64_t now_sec) override;
  std::vector<std::string> Verify() const override;
  std::vector<RingStoreUsage> Usage() const override;
  uint64_t VisitPages(absl::FunctionRef<void(const StoredPage&)> visit) const override;
  uint64_t MemoryBytes() const override;
  uint64_t BadPages() const override { return bad_pages_.Count(); }

 private:
  absl::Status OpenFiles();
  void AddArchives(SchemaId id, const SeriesSchema& schema) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void AttachWaiting() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  std::vector<ArchiveRings*> ArchivesOf(SchemaId schema) const;
  void SetAside(const std::string& name, absl::string_view why);
  absl::StatusOr<ArchiveRings*> FindArchive(ArchiveKey key, bool coarse) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // For a reader: what is constant in it may be used without the lock.
  absl::StatusOr<const ArchiveRings*> FindArchiveFor(ArchiveKey key, bool coarse) const {
    MutexLock lock(&mu_);
    return FindArchive(key, coarse);
  }

  const RingStoreOptions options_;
  FileSystem* const fs_;
  mutable class BadPages bad_pages_;
  Gauge* const files_set_aside_;
  mutable RingFilePool pool_;
  const RingWriterCounters counters_;

  // Serialises writers; held over their I/O.
  Mutex write_mu_ ABSL_ACQUIRED_BEFORE(mu_);
  std::unique_ptr<RingWriter> writer_ ABSL_GUARDED_BY(write_mu_);
  // The newest point that was written since Open.
  int64_t newest_written_sec_ ABSL_GUARDED_BY(write_mu_) = 0;

  // Guards the catalog with the slot tables of its files; no I/O under it.
  mutable Mutex mu_;
  const RingReader reader_{&mu_, &bad_pages_};
  std::map<ArchiveId, std::unique_ptr<ArchiveRings>> archives_ ABSL_GUARDED_BY(mu_);
  class RolledUntil rolled_ ABSL_GUARDED_BY(mu_);
  // Files whose schema has not been added yet.
  std::vector<std::unique_ptr<RingFile>> waiting_ ABSL_GUARDED_BY(mu_);
  // Archives of which a file could not be opened.
  std::set<ArchiveId> lost_slots_ ABSL_GUARDED_BY(mu_);
  // Lines about files and table blocks that are not used.
  std::vector<std::string> problems_ ABSL_GUARDED_BY(mu_);
};

absl::Status RingStoreImpl::Init(std::vector<SeriesSchema> schemas) {
  if (options_.stripe_steps < 1 || options_.stripe_steps > kPageStepsMax ||
      options_.stripe_bytes_max < 1) {
    return absl::InvalidArgumentError(absl::StrCat("stripe_steps must be within 1 and ",
                                                   kPageStepsMax, ", stripe_bytes_max positive"));
  }
  SHOAL_RETURN_IF_ERROR(fs_->CreateDirs(options_.dir));
  {
    MutexLock lock(&mu_);
    SHOAL_ASSIGN_OR_RETURN(rolled_, RolledUntil::Load(fs_, options_.dir));
    for (size_t id = 0; id < schemas.size(); ++id)
      AddArchives(static_cast<SchemaId>(id), schemas[id]);
  }
  SHOAL_RETURN_IF_ERROR(OpenFiles());
  MutexLock lock(&write_mu_);
  writer_ = std::make_unique<RingWriter>(&pool_, options_.dir, options_.stripe_bytes_max, &mu_,
                                         &bad_pages_, counters_);
  return absl::OkStatus();
}

// Versions of all files are looked at before anything is touched, then the journal is replayed,
// then slot tables are read.
absl::Status RingStoreImpl::OpenFiles() {
  SHOAL_ASSIGN_OR_RETURN(const std::vector<std::string> names, fs_->List(options_.dir));
  std::vector<std::unique_ptr<RingFile>> files;
  for (const std::string& name : names) {
    if (!IsRingFileName(name)) continue;
    absl::StatusOr<std::unique_ptr<RingFile>> file = RingFile::Open(&pool_, options_.dir, name);
    if (absl::IsDataLoss(file.status())) {
      SetAside(name, file.status().message());
      ArchiveKey key;
      if (ArchiveOfRingFileName(name, &key)) {
        MutexLock lock(&mu_);
        lost_slots_.insert(IdOf(key));
      }
      continue;
    }
    SHOAL_RETURN_IF_ERROR(file.status());
    files.push_back(*std::move(file));
  }
  absl::flat_hash_map<std::string, RingFile*> by_name;
  for (const auto& file : files) by_name[file->name()] = file.get();

  DoubleWrite journal(fs_, options_.dir);
  SHOAL_ASSIGN_OR_RETURN(const std::string bytes, journal.Load());
  const absl::StatusOr<ParsedJournal> parsed = ParseJournal(bytes);
  if (absl::IsFailedPrecondition(parsed.status())) return Annotate(parsed.status(), kJournalName);
  if (parsed.ok() && !parsed->images.empty()) {
    std::map<std::string, RingFile*> touched;
    for (const JournalImage& image : parsed->images) {
      const auto it = by_name.find(image.file);
      if (it == by_name.end() || it->second->identity() != image.file_identity) {
        LogWarning("ring", "journal names ", image.file,
                   ", which is not there any more; its image is left out");
        continue;
      }
      if (image.is_hole()) {
        SHOAL_RETURN_IF_ERROR(it->second->Punch(image.offset, image.size));
      } else {
        std::string whole(image.bytes);
        whole.resize(image.size, '\0');
        SHOAL_RETURN_IF_ERROR(it->second->Write(image.offset, whole));
      }
      touched[it->first] = it->second;
    }
    for (const auto& [name, file] : touched) SHOAL_RETURN_IF_ERROR(file->Sync());
    for (const auto& [name, file] : touched) SHOAL_RETURN_IF_ERROR(file->LoadSlots());
    SHOAL_RETURN_IF_ERROR(journal.Reset());
    LogInfo("ring", "replayed the journal's batch ", parsed->sequence, ": ", parsed->images.size(),
            " images");
  }
  for (const std::string& name : names) {  // ring files that were never finished
    if (absl::EndsWith(name, ".ring.tmp"))
      SHOAL_RETURN_IF_ERROR(fs_->Remove(JoinPath(options_.dir, name)));
  }

  MutexLock lock(&mu_);
  waiting_ = std::move(files);
  for (const auto& file : waiting_) {
    for (const std::string& bad : file->bad_blocks()) {
      LogError("ring", bad);
      problems_.push_back(bad);
    }
  }
  AttachWaiting();
  return absl::OkStatus();
}

void RingStoreImpl::SetAside(const std::string& name, absl::string_view why) {
  LogError("ring", name, " is left alone and not used: ", why);
  if (files_set_aside_ != nullptr) files_set_aside_->Add(1);
  MutexLock lock(&mu_);
  problems_.push_back(absl::StrCat(name, ": ", why));
}

void RingStoreImpl::AddArchives(SchemaId id, const SeriesSchema& schema) {
  for (size_t i = 0; i < schema.archives.size(); ++i) {
    const ArchiveKey key{id, static_cast<uint8_t>(i)};
    std::unique_ptr<ArchiveRings>& rings = archives_[IdOf(key)];
    if (rings != nullptr) continue;
    rings = std::make_unique<ArchiveRings>(
        key, schema, static_cast<uint32_t>(options_.stripe_steps), options_.future_sec);
  }
}

void RingStoreImpl::AttachWaiting() {
  std::vector<std::unique_ptr<RingFile>> still_waiting;
  for (std::unique_ptr<RingFile>& file : waiting_) {
    const auto it = archives_.find(IdOf(file->header().archive));
    std::string why;
    if (it == archives_.end()) {
      still_waiting.push_back(std::move(file));
    } else if (!it->second->Accepts(file->header(), &why)) {
      LogError("ring", file->name(), " is left alone and not used: ", why);
      if (files_set_aside_ != nullptr) files_set_aside_->Add(1);
      problems_.push_back(absl::StrCat(file->name(), ": ", why));
    } else {
      const size_t before = problems_.size();
      if (!file->bad_blocks().empty()) it->second->NoteLostSlots();
      it->second->Attach(std::move(file), &problems_);
      for (size_t i = before; i < problems_.size(); ++i) LogError("ring", problems_[i]);
    }
  }
  waiting_ = std::move(still_waiting);
  for (const ArchiveId& id : lost_slots_) {
    if (const auto it = archives_.find(id); it != archives_.end()) it->second->NoteLostSlots();
  }
}

void RingStoreImpl::AddSchema(SchemaId id, const SeriesSchema& schema) {
  MutexLock lock(&mu_);
  AddArchives(id, schema);
  AttachWaiting();
}

absl::StatusOr<ArchiveRings*> RingStoreImpl::FindArchive(ArchiveKey key, bool coarse) const {
  const auto it = archives_.find(IdOf(key));
  if (it == archives_.end()) {
    return absl::NotFoundError(absl::StrCat("no archive ", key.archive, " of schema ", key.schema));
  }
  if (coarse != (key.archive > 0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("archive ", key.archive, " is ", coarse ? "the finest" : "coarse"));
  }
  return it->second.get();
}

absl::Status RingStoreImpl::Write(ArchiveKey archive, absl::Span<const SeriesPoints> series) {
  MutexLock write_lock(&write_mu_);
  ArchiveRings* rings = nullptr;
  int64_t stripe_sec = 0;
  {
    MutexLock lock(&mu_);
    SHOAL_ASSIGN_OR_RETURN(rings, FindArchive(archive, false));
    stripe_sec = rings->stripe_sec();
  }
  std::vector<PageWrite> writes;
  writes.reserve(series.size());
  for (const SeriesPoints& input : series) {
    if (input.series == kNoSeries) return absl::InvalidArgumentError("points without a series");
    for (size_t begin = 0, end = 0; begin < input.points.size(); begin = end) {
      const int64_t timestamp_sec = input.points[begin].timestamp_sec;
      const int64_t stripe = timestamp_sec < 0 ? -1 : timestamp_sec / stripe_sec;
      if (stripe < 0 || stripe >= int64_t{kNoStripe}) {
        // Refusing the batch would hold up every other series for ever.
        if (counters_.points_expired != nullptr) counters_.points_expired->Add();
        end = begin + 1;
        continue;
      }
      for (end = begin + 1; end < input.points.size(); ++end) {
        const int64_t next_sec = input.points[end].timestamp_sec;
        if (next_sec < stripe * stripe_sec || next_sec >= (stripe + 1) * stripe_sec) break;
      }
      PageWrite write;
      write.series = input.series;
      write.stripe = static_cast<uint32_t>(stripe);
      write.fine = input.points.subspan(begin, end - begin);
      newest_written_sec_ = std::max(newest_written_sec_, input.points[end - 1].timestamp_sec);
      writes.push_back(std::move(write));
    }
  }
  return writer_->Write(rings, std::move(writes));
}

absl::Status RingStoreImpl::WriteCoarse(ArchiveKey archive, absl::Span<const CoarseRun> runs) {
  MutexLock write_lock(&write_mu_);
  ArchiveRings* rings = nullptr;
  int64_t step_sec = 0;
  int64_t stripe_steps = 0;
  {
    MutexLock lock(&mu_);
    SHOAL_ASSIGN_OR_RETURN(rings, FindArchive(archive, true));
    step_sec = rings->step_sec();
    stripe_steps = rings->stripe_steps();
  }
  std::vector<PageWrite> writes;
  writes.reserve(runs.size());
  for (const CoarseRun& run : runs) {
    if (run.series == kNoSeries || run.start_sec < 0 || run.start_sec % step_sec != 0 ||
        run.stride < run.steps) {
      return absl::InvalidArgumentError(absl::StrCat("run of ", run.steps, " steps at ",
                                                     run.start_sec, " of series ", run.series));
    }
    const int64_t first_step = run.start_sec / step_sec;
    for (size_t at = 0; at < run.steps;) {
      const int64_t step = first_step + static_cast<int64_t>(at);
      PageWrite write;
      write.series = run.series;
      write.first = static_cast<uint32_t>(step % stripe_steps);
      write.steps = static_cast<uint32_t>(
          std::min<size_t>(run.steps - at, static_cast<size_t>(stripe_steps) - write.first));
      write.cells = run.cells + at;
      write.stride = run.stride;
      write.known = static_cast<uint32_t>(std::count_if(
          write.cells, write.cells + write.steps, [](double value) { return !std::isnan(value); }));
      at += write.steps;
      if (write.known == 0) continue;
      const int64_t stripe = step / stripe_steps;
      if (stripe >= int64_t{kNoStripe}) {
        if (counters_.points_expired != nullptr) counters_.points_expired->Add(write.known);
        continue;
      }
      write.stripe = static_cast<uint32_t>(stripe);
      writes.push_back(std::move(write));
    }
  }
  return writer_->Write(rings, std::move(writes));
}

absl::Status RingStoreImpl::Read(ArchiveKey archive, SeriesId series, int64_t start_sec,
                                 absl::Span<double> out) const {
  std::fill(out.begin(), out.end(), kAbsent);
  SHOAL_ASSIGN_OR_RETURN(const ArchiveRings* rings, FindArchiveFor(archive, false));
  return reader_.ReadPages(*rings, series, start_sec, out.size(),
                           [out](const RingReader::Grid&, absl::Span<const double> dense,
                                 size_t skip, size_t first, size_t count) {
                             std::copy_n(dense.begin() + static_cast<ptrdiff_t>(skip), count,
                                         out.begin() + static_cast<ptrdiff_t>(first));
                           });
}

absl::Status RingStoreImpl::ReadCoarse(ArchiveKey archive, SeriesId series, int64_t start_sec,
                                       size_t steps, absl::Span<double> cells) const {
  std::fill(cells.begin(), cells.end(), kAbsent);
  SHOAL_ASSIGN_OR_RETURN(const ArchiveRings* rings, FindArchiveFor(archive, true));
  return reader_.ReadPages(
      *rings, series, start_sec, steps,
      [cells, steps](const RingReader::Grid& grid, absl::Span<const double> dense, size_t skip,
                     size_t first, size_t count) {
        SHOAL_CHECK(cells.size() >= grid.columns * steps);
        for (size_t column = 0; column < grid.columns; ++column) {
          std::copy_n(dense.data() + column * grid.stripe_steps + skip, count,
                      cells.data() + column * steps + first);
        }
      });
}

absl::Status RingStoreImpl::ReadBatch(
    ArchiveKey archive, absl::Span<const SeriesId> series, int64_t start_sec, size_t steps,
    absl::FunctionRef<void(size_t, absl::Span<const double>, const absl::Status&)> visit) const {
  SHOAL_ASSIGN_OR_RETURN(const ArchiveRings* rings, FindArchiveFor(archive, archive.archive > 0));
  return reader_.ReadBatch(*rings, series, start_sec, steps, visit);
}

int64_t RingStoreImpl::RolledUntil(ArchiveKey archive) const {
  MutexLock lock(&mu_);
  return rolled_.Get(archive);
}

absl::Status RingStoreImpl::SetRolledUntil(ArchiveKey archive, int64_t until_sec) {
  MutexLock write_lock(&write_mu_);
  class RolledUntil changed;
  {
    MutexLock lock(&mu_);
    changed = rolled_;
  }
  changed.Set(archive, until_sec);
  SHOAL_RETURN_IF_ERROR(changed.Save(fs_, options_.dir));
  MutexLock lock(&mu_);
  rolled_ = std::move(changed);
  return absl::OkStatus();
}

std::vector<SeriesId> RingStoreImpl::SeriesIn(ArchiveKey archive) const {
  MutexLock lock(&mu_);
  const auto it = archives_.find(IdOf(archive));
  return it == archives_.end() ? std::vector<SeriesId>() : it->second->Series();
}

std::vector<ArchiveRings*> RingStoreImpl::ArchivesOf(SchemaId schema) const {
  std::vector<ArchiveRings*> of_schema;
  MutexLock lock(&mu_);
  for (auto it = archives_.lower_bound({schema, 0});
       it != archives_.end() && it->first.first == schema; ++it) {
    of_schema.push_back(it->second.get());
  }
  return of_schema;
}

absl::Status RingStoreImpl::Free(SchemaId schema, absl::Span<const SeriesId> series) {
  MutexLock write_lock(&write_mu_);
  for (ArchiveRings* const rings : ArchivesOf(schema))
    SHOAL_RETURN_IF_ERROR(writer_->Free(rings, series));
  return absl::OkStatus();
}

absl::Status RingStoreImpl::PunchExpired(int64_t now_sec) {
  MutexLock write_lock(&write_mu_);
  const int64_t expired_at = std::min(now_sec, newest_written_sec_);
  std::vector<ArchiveRings*> all;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, rings] : archives_) all.push_back(rings.get());
  }
  for (ArchiveRings* const rings : all) {
    SHOAL_RETURN_IF_ERROR(
        writer_->PunchExpired(rings, expired_at - rings->retention_sec(),
                              std::max(now_sec, newest_written_sec_) + rings->future_sec()));
  }
  return absl::OkStatus();
}

std::vector<std::string> RingStoreImpl::Verify() const {
  std::vector<std::string> lines;
  std::vector<std::pair<const RingFile*, SlotTable>> files;
  {
    MutexLock lock(&mu_);
    lines = problems_;
    for (const auto& [id, rings] : archives_) {
      for (const auto& file : rings->files()) files.emplace_back(file.get(), file->slots());
    }
  }
  for (const auto& [file, slots] : files) {
    const RingHeader& header = file->header();
    std::vector<double> dense(header.shape().cells());
    std::vector<char> stripe(size_t{header.slots} * header.page_bytes);
    for (uint32_t index = 0; index < header.stripes; ++index) {
      if (!file->MayHaveData(index)) continue;
      if (const absl::Status status = file->ReadPages(index, 0, header.slots, stripe.data());
          !status.ok()) {
        lines.push_back(absl::StrCat(file->name(), " stripe ", index, ": ", status.message()));
        continue;
      }
      for (uint32_t slot = 0; slot < header.slots; ++slot) {
        if (slots.series(slot) == kNoSeries) continue;
        char* const page = stripe.data() + size_t{slot} * header.page_bytes;
        PageHeader page_header;
        absl::Status status = file->CheckedPage(index, slot, page, &page_header);
        const bool ours = status.ok() && !page_header.blank &&
                          page_header.tag.series == slots.series(slot) &&
                          page_header.tag.generation == slots.generation(slot);
        if (ours) {
          // The page's own stripe, so that whatever lap is there is decoded.
          status = page_header.tag.stripe % header.stripes == index
                       ? DecodePage(header.shape(), absl::string_view(page, header.page_bytes),
                                    absl::MakeSpan(dense))
                       : absl::DataLossError("page is out of its place");
        }
        if (status.ok()) continue;
        if (absl::IsDataLoss(status)) bad_pages_.Report(*file, index, slot, status);
        lines.push_back(BadPages::Describe(*file, index, slot, status));
      }
    }
  }
  return lines;
}

uint64_t RingStoreImpl::VisitPages(absl::FunctionRef<void(const StoredPage&)> visit) const {
  std::vector<std::pair<const RingFile*, SlotTable>> files;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, rings] : archives_) {
      for (const auto& file : rings->files()) files.emplace_back(file.get(), file->slots());
    }
  }
  uint64_t failed = 0;
  for (const auto& [file, slots] : files) failed += ScanPages(*file, slots, visit);
  return failed;
}

std::vector<RingStoreUsage> RingStoreImpl::Usage() const {
  std::map<std::tuple<SchemaId, uint8_t, uint8_t>, RingStoreUsage> usage;
  std::vector<const RingFile*> files;
  {
    MutexLock lock(&mu_);
    for (const auto& [id, rings] : archives_) {
      for (const auto& file : rings->files()) {
        files.push_back(file.get());
        const RingHeader& header = file->header();
        RingStoreUsage& of_class = usage[{id.first, id.second, header.size_class}];
        of_class.slots += header.slots;
        of_class.slots_used += file->slots().used();
      }
    }
  }
  for (const RingFile* const file : files) {
    const RingHeader& header = file->header();
    RingStoreUsage& of_class =
        usage[{header.archive.schema, header.archive.archive, header.size_class}];
    of_class.archive = header.archive;
    of_class.size_class = header.size_class;
    of_class.step_sec = header.step_sec;
    of_class.retention_sec = static_cast<int64_t>(header.points) * header.step_sec;
    of_class.files += 1;
    of_class.logical_bytes += header.file_bytes();
    of_class.allocated_bytes += file->AllocatedBytes().value_or(0);
  }
  std::vector<RingStoreUsage> list;
  for (const auto& [key, of_class] : usage) list.push_back(of_class);
  return list;
}

uint64_t RingStoreImpl::MemoryBytes() const {
  MutexLock lock(&mu_);
  uint64_t bytes = 0;
  for (const auto& [id, rings] : archives_) bytes += rings->MemoryBytes();
  return bytes;
}

}  // namespace

absl::StatusOr<std::unique_ptr<RingStore>> RingStore::Open(RingStoreOptions options,
                                                           std::vector<SeriesSchema> schemas) {
  auto store = std::make_unique<RingStoreImpl>(options);
  SHOAL_RETURN_IF_ERROR(store->Init(std::move(schemas)));
  return std::unique_ptr<RingStore>(std::move(store));
}

}  // namespace shoal
