// Reading many series at once agrees with reading them one by one, and costs what lies on disk.
#include <array>
#include <cmath>
#include <cstring>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/ring/ring_store.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using ::testing::IsEmpty;

constexpr int64_t kStep = 10;
constexpr int64_t kStripeSec = 320;
constexpr ArchiveKey kFine{0, 0};
constexpr ArchiveKey kCoarse{0, 1};
constexpr int64_t kT0 = 1'700'000'000 / kStripeSec * kStripeSec;
constexpr SeriesId kSeries = 120;

// Counts the reads of ring files, and fails those of one file on demand.
class ReadCountingFileSystem : public FaultFileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override;
  int64_t reads = 0;
  int64_t open = 0;      // files of this kind
  int64_t open_max = 0;  // so many at a time
  int64_t open_limit = 1000;
  std::string fail_path_part;
};

class ReadCountingFile : public File {
 public:
  ReadCountingFile(ReadCountingFileSystem* fs, std::unique_ptr<File> file)
      : fs_(fs), file_(std::move(file)) {
    fs_->open_max = std::max(fs_->open_max, ++fs_->open);
  }
  ~ReadCountingFile() override { --fs_->open; }
  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    ++fs_->reads;
    if (!fs_->fail_path_part.empty() && absl::StrContains(path(), fs_->fail_path_part))
      return absl::UnavailableError(path() + ": read: Input/output error");
    return file_->ReadAt(offset, size, to);
  }
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    return file_->WriteAt(offset, bytes);
  }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::Status PunchHole(uint64_t offset, uint64_t size) override {
    return file_->PunchHole(offset, size);
  }
  absl::StatusOr<uint64_t> NextData(uint64_t offset) const override {
    return file_->NextData(offset);
  }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::StatusOr<uint64_t> AllocatedBytes() const override { return file_->AllocatedBytes(); }
  const std::string& path() const override { return file_->path(); }

 private:
  ReadCountingFileSystem* const fs_;
  const std::unique_ptr<File> file_;
};

absl::StatusOr<std::unique_ptr<File>> ReadCountingFileSystem::Open(const std::string& path,
                                                                   OpenMode mode) {
  if (open >= open_limit) return absl::ResourceExhaustedError(path + ": Too many open files");
  auto file = FaultFileSystem::Open(path, mode);
  if (!file.ok()) return file.status();
  return std::make_unique<ReadCountingFile>(this, *std::move(file));
}

class RingReadTest : public ::testing::Test {
 protected:
  absl::Status Reopen() {
    store_.reset();
    RingStoreOptions options;
    options.fs = &fs_;
    options.dir = "/data/ring";
    options.stripe_steps = kStripeSec / kStep;
    options.stripe_bytes_max = stripe_bytes_max_;
    options.open_files_max = open_files_max_;
    SeriesSchema schema;
    schema.archives = {{kStep, 192}, {60, 640}};
    schema.aggregation = {AggregationMethod::kAverage, 0.5};
    auto store = RingStore::Open(options, {schema});
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    return absl::OkStatus();
  }
  void SetUp() override { ASSERT_TRUE(Reopen().ok()); }

  // Series of all kinds: smooth, noisy (large pages), first one then the other (promoted), sparse,
  // and every seventh has none.
  void Fill() {
    std::mt19937_64 random(11);
    struct CoarseStep {
      SeriesId series;
      int64_t start_sec;
      std::array<double, 2> cells;  // sum, count
    };
    std::vector<CoarseStep> coarse;
    for (int stripe = 0; stripe < 5; ++stripe) {
      std::vector<std::vector<Point>> points(kSeries);
      std::vector<SeriesPoints> batch;
      for (SeriesId s = 0; s < kSeries; ++s) {
        if (s % 7 == 0) continue;
        for (int i = 0; i < 32; ++i) {
          if (s % 5 == 0 && random() % 3 != 0) continue;
          const bool noisy = s % 3 == 0 || (s % 3 == 1 && stripe > 2);
          const int64_t at = kT0 + stripe * kStripeSec + i * kStep;
          points[s].push_back({at, noisy ? std::sqrt(static_cast<double>(random() >> 8))
                                         : static_cast<double>(random() % 100)});
          if (i % 6 == 0) coarse.push_back({s, at / 60 * 60, {points[s].back().value, 1.0 + i}});
        }
        batch.push_back({s, points[s]});
      }
      ASSERT_TRUE(store_->Write(kFine, batch).ok());
    }
    std::vector<CoarseRun> batch;
    for (const CoarseStep& step : coarse)
      batch.push_back({step.series, step.start_sec, 1, 1, step.cells.data()});
    ASSERT_TRUE(store_->WriteCoarse(kCoarse, batch).ok());
  }

  // Reads all series at once and one by one, and compares.
  void Compare(ArchiveKey archive, int64_t start_sec, size_t steps,
               const std::vector<SeriesId>& series) {
    std::map<size_t, std::vector<double>> got;
    ASSERT_TRUE(
        store_
            ->ReadBatch(
                archive, series, start_sec, steps,
                [&](size_t index, absl::Span<const double> columns, const absl::Status& status) {
                  ASSERT_TRUE(status.ok()) << status;
                  ASSERT_TRUE(
                      got.emplace(index, std::vector<double>(columns.begin(), columns.end()))
                          .second);
                })
            .ok());
    for (size_t index = 0; index < series.size(); ++index) {
      std::vector<double> want(steps, kAbsent);
      if (archive == kFine) {
        ASSERT_TRUE(store_->Read(archive, series[index], start_sec, absl::MakeSpan(want)).ok());
      } else {
        want.resize(2 * steps, kAbsent);
        ASSERT_TRUE(
            store_->ReadCoarse(archive, series[index], start_sec, steps, absl::MakeSpan(want))
                .ok());
      }
      std::vector<double> have(want.size(), kAbsent);
      if (const auto it = got.find(index); it != got.end()) have = it->second;
      ASSERT_EQ(have.size(), want.size());
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_TRUE(have[i] == want[i] || (std::isnan(have[i]) && std::isnan(want[i])))
            << "series " << series[index] << " cell " << i;
      }
    }
  }

  ReadCountingFileSystem fs_;
  int64_t stripe_bytes_max_ = 2000;
  size_t open_files_max_ = 512;
  std::unique_ptr<RingStore> store_;
};

TEST_F(RingReadTest, BatchAgreesWithSingleReads) {
  Fill();
  std::vector<SeriesId> series;
  for (SeriesId s = 0; s < kSeries + 9; ++s) series.push_back(s * 71 % (kSeries + 9));
  series.push_back(5);  // asked for twice
  for (int round = 0; round < 2; ++round) {
    for (const int64_t start : {kT0, kT0 - 330, kT0 + 150, kT0 + 4 * kStripeSec, kT0 - 10'000}) {
      for (const size_t steps : {1, 5, 32, 100, 170}) Compare(kFine, start, steps, series);
    }
    for (const size_t steps : {1, 10, 27, 400}) Compare(kCoarse, kT0 / 60 * 60 - 60, steps, series);
    ASSERT_TRUE(Reopen().ok());
  }
}

TEST_F(RingReadTest, BatchVisitsOnlyWhatHasSomethingAndRefusesWhatItCannotRead) {
  Fill();
  const auto none = [](size_t, absl::Span<const double>, const absl::Status&) { FAIL(); };
  EXPECT_TRUE(store_->ReadBatch(kFine, {0, 7, 14, 5000}, kT0, 32, none).ok());
  EXPECT_TRUE(store_->ReadBatch(kFine, {1, 2}, kT0 - 96'000, 32, none).ok());
  EXPECT_TRUE(store_->ReadBatch(kFine, {1, 2}, -100, 5, none).ok());
  EXPECT_TRUE(store_->ReadBatch(kFine, {1, 2}, kT0, 0, none).ok());
  EXPECT_TRUE(store_->ReadBatch(kFine, {}, kT0, 9, none).ok());
  EXPECT_TRUE(absl::IsInvalidArgument(store_->ReadBatch(kFine, {1}, kT0 + 1, 5, none)));
  EXPECT_TRUE(absl::IsNotFound(store_->ReadBatch({3, 0}, {1}, kT0, 5, none)));
}

TEST_F(RingReadTest, BatchReadsNeighboursTogetherAndNothingOfHoles) {
  stripe_bytes_max_ = 64 << 10;
  ASSERT_TRUE(Reopen().ok());
  Fill();
  for (int round = 0; round < 2; ++round) {  // as written, and as found at the next start
    std::vector<SeriesId> series;
    for (SeriesId s = 0; s < kSeries; ++s) series.push_back(s);
    const auto ignore = [](size_t, absl::Span<const double>, const absl::Status&) {};
    fs_.reads = 0;
    ASSERT_TRUE(store_->ReadBatch(kFine, series, kT0, 32, ignore).ok());
    EXPECT_LT(fs_.reads, 20);  // 103 series of at most a few files
    fs_.reads = 0;
    // The stripe before and the one after: never written.
    ASSERT_TRUE(store_->ReadBatch(kFine, series, kT0 - kStripeSec, 32, ignore).ok());
    ASSERT_TRUE(store_->ReadBatch(kFine, series, kT0 + 5 * kStripeSec, 32, ignore).ok());
    std::vector<double> one(32);
    ASSERT_TRUE(store_->Read(kFine, 1, kT0 - kStripeSec, absl::MakeSpan(one)).ok());
    EXPECT_EQ(fs_.reads, 0);
    ASSERT_TRUE(Reopen().ok());
  }
}

TEST_F(RingReadTest, AnErrorIsToldForItsSeriesAloneAndKeepsItsKind) {
  Fill();
  ASSERT_TRUE(Reopen().ok());
  std::string damaged;
  for (const std::string& path : fs_.Files()) {
    if (damaged.empty() && absl::StrContains(path, "a0-c")) damaged = path;
  }
  std::vector<SeriesId> series;
  for (SeriesId s = 0; s < kSeries; ++s) series.push_back(s);
  const auto statuses = [&](std::map<size_t, absl::Status>* bad) {
    bad->clear();
    std::set<size_t> seen;
    ASSERT_TRUE(
        store_
            ->ReadBatch(kFine, series, kT0, 64,
                        [&](size_t index, absl::Span<const double>, const absl::Status& status) {
                          seen.insert(index);
                          if (!status.ok()) bad->emplace(index, status);
                        })
            .ok());
    EXPECT_EQ(seen.size(), kSeries - (kSeries + 6) / 7);
  };
  std::map<size_t, absl::Status> bad;
  statuses(&bad);
  EXPECT_THAT(bad, IsEmpty());

  fs_.fail_path_part = damaged;
  statuses(&bad);
  ASSERT_FALSE(bad.empty());
  EXPECT_LT(bad.size(), kSeries / 2);
  for (const auto& [index, status] : bad) {
    EXPECT_TRUE(absl::IsUnavailable(status)) << status;
    std::vector<double> one(64);
    EXPECT_TRUE(absl::IsUnavailable(store_->Read(kFine, series[index], kT0, absl::MakeSpan(one))));
  }
  fs_.fail_path_part.clear();
  EXPECT_EQ(store_->BadPages(), 0u);  // the disk failed, not the page

  // A damaged byte in the first page of the first stripe that is there.
  const auto file = fs_.Open(damaged, OpenMode::kReadOnly);
  ASSERT_TRUE(file.ok());
  const auto size = (*file)->Size();
  ASSERT_TRUE(size.ok());
  uint64_t at = 2 * 4096;
  for (std::string bytes(1, '\0'); at < *size; ++at) {
    ASSERT_TRUE((*file)->ReadAt(at, 1, bytes.data()).ok());
    if (bytes[0] != '\0') break;
  }
  ASSERT_TRUE(fs_.FlipBits(damaged, at, 0x40));
  size_t lost = 0;
  ASSERT_TRUE(store_
                  ->ReadBatch(kFine, series, kT0, 192,
                              [&](size_t, absl::Span<const double>, const absl::Status& status) {
                                if (status.ok()) return;
                                ++lost;
                                EXPECT_TRUE(absl::IsDataLoss(status)) << status;
                              })
                  .ok());
  EXPECT_EQ(lost, 1u);
  EXPECT_EQ(store_->BadPages(), 1u);
}

TEST_F(RingReadTest, OpenFilesAreBounded) {
  open_files_max_ = 5;
  ASSERT_TRUE(Reopen().ok());
  fs_.open_max = 0;
  Fill();
  ASSERT_TRUE(Reopen().ok());
  uint64_t files = 0;
  for (const RingStoreUsage& usage : store_->Usage()) files += usage.files;
  ASSERT_GT(files, 30u);
  EXPECT_LE(fs_.open, 6);  // the journal, too
  std::vector<SeriesId> series;
  for (SeriesId s = 0; s < kSeries; ++s) series.push_back(s);
  fs_.open_max = 0;
  Compare(kFine, kT0, 160, series);
  EXPECT_LE(fs_.open_max, 7);
}

TEST_F(RingReadTest, OutOfDescriptorsSomeAreGivenBack) {
  Fill();
  uint64_t files = 0;
  for (const RingStoreUsage& usage : store_->Usage()) files += usage.files;
  ASSERT_TRUE(Reopen().ok());
  ASSERT_EQ(fs_.open, static_cast<int64_t>(files));  // all of them: 512 are allowed
  // Another part of the process has taken the rest.
  fs_.open_limit = fs_.open;
  auto other = fs_.Open("/data/other", OpenMode::kCreate);
  EXPECT_TRUE(absl::IsResourceExhausted(other.status()));
  // A write needs the journal and new files.
  std::vector<SeriesId> series;
  for (SeriesId s = 0; s < kSeries; ++s) series.push_back(s);
  Compare(kFine, kT0, 160, series);
  fs_.open_limit = 8;  // and now even less: every file is opened anew
  for (int round = 0; round < 3; ++round) Compare(kFine, kT0, 160, series);
  EXPECT_LE(fs_.open, static_cast<int64_t>(files));
}

}  // namespace
}  // namespace shoal
