#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/log/log_format.h"
#include "storage/log/segmented_log.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kDir[] = "/log";

class LogTest : public ::testing::Test {
 protected:
  std::unique_ptr<SegmentedLog> Open(SegmentedLogOptions options = {}) {
    options.fs = &fs_;
    options.dir = kDir;
    auto log = SegmentedLog::Open(std::move(options));
    EXPECT_TRUE(log.ok()) << log.status();
    return *std::move(log);
  }
  static std::vector<std::string> ReadAll(const SegmentedLog& log, LogPosition from = {},
                                          LogReport* report = nullptr) {
    std::vector<std::string> records;
    const auto cursor = log.NewCursor(from);
    std::string record;
    for (;;) {
      const auto found = cursor->Next(&record);
      EXPECT_TRUE(found.ok()) << found.status();
      if (!found.ok() || !*found) break;
      records.push_back(record);
    }
    if (report != nullptr) *report = cursor->report();
    return records;
  }
  static void Append(SegmentedLog* log, absl::string_view record) {
    const auto position = log->Append(record);
    ASSERT_TRUE(position.ok()) << position.status();
  }

  LogTest() { SetLogLevel("error").IgnoreError(); }

  FaultFileSystem fs_;
};

TEST_F(LogTest, GivesBackRecordsOfEverySizeAcrossBlocks) {
  std::vector<std::string> records;
  std::mt19937 random(1);
  for (const size_t size :
       {0u, 1u, 6u, 7u, 8u, 32000u, 32754u, 32755u, 32761u, 32768u, 70000u, 300000u}) {
    std::string record(size, '\0');
    for (char& c : record) c = static_cast<char>(random());
    records.push_back(record);
  }
  {
    const auto log = Open();
    for (const std::string& record : records) Append(log.get(), record);
    ASSERT_TRUE(log->Sync().ok());
    EXPECT_EQ(ReadAll(*log), records);
  }
  EXPECT_EQ(ReadAll(*Open()), records);
}

TEST_F(LogTest, RecordsOfEveryLengthAroundABlocksEndSurvive) {
  std::vector<std::string> records;
  const auto log = Open();
  for (size_t size = kLogBlockBytes - 80; size < kLogBlockBytes + 20; ++size) {
    records.push_back(std::string(size, static_cast<char>('a' + size % 26)));
    Append(log.get(), records.back());
  }
  EXPECT_EQ(ReadAll(*log), records);
}

TEST_F(LogTest, RotatesAndTruncatesWholeSegments) {
  SegmentedLogOptions options;
  options.segment_bytes = 1000;
  const auto log = Open(options);
  std::vector<LogPosition> positions;
  for (int i = 0; i < 100; ++i) {
    auto position = log->Append(std::string(100, 'x'));
    ASSERT_TRUE(position.ok());
    positions.push_back(*position);
  }
  EXPECT_GT(log->segment_count(), 8u);
  ASSERT_TRUE(log->TruncateBefore(positions[50]).ok());
  EXPECT_EQ(log->begin().segment, positions[50].segment);
  EXPECT_EQ(ReadAll(*log, positions[50]).size(), 50u);
  EXPECT_GE(ReadAll(*log).size(), 50u);
}

TEST_F(LogTest, ACursorResumesAtAPersistedPositionAfterARestart) {
  LogPosition position;
  {
    const auto log = Open();
    for (int i = 0; i < 10; ++i) Append(log.get(), absl::StrCat("r", i));
    ASSERT_TRUE(log->Sync().ok());
    const auto cursor = log->NewCursor(log->begin());
    std::string record;
    for (int i = 0; i < 4; ++i) ASSERT_TRUE(*cursor->Next(&record));
    position = cursor->position();
  }
  const auto log = Open();
  Append(log.get(), "r10");
  EXPECT_THAT(ReadAll(*log, position), ElementsAre("r4", "r5", "r6", "r7", "r8", "r9", "r10"));
}

TEST_F(LogTest, ACursorFollowsTheAppender) {
  SegmentedLogOptions options;
  options.segment_bytes = 2000;
  const auto log = Open(options);
  const auto cursor = log->NewCursor(log->begin());
  std::string record;
  EXPECT_FALSE(*cursor->Next(&record));
  std::thread writer([&] {
    for (int i = 0; i < 2000; ++i) Append(log.get(), absl::StrCat("record ", i));
  });
  int next = 0;
  while (next < 2000) {
    const auto found = cursor->Next(&record);
    ASSERT_TRUE(found.ok());
    if (!*found) {
      std::this_thread::yield();
      continue;
    }
    ASSERT_EQ(record, absl::StrCat("record ", next));
    ++next;
  }
  writer.join();
  EXPECT_FALSE(*cursor->Next(&record));
  EXPECT_EQ(cursor->report().damaged_regions + cursor->report().torn_bytes, 0u);
}

TEST_F(LogTest, PositionsNeverFallBehindThoughEverythingWasTruncated) {
  LogPosition end;
  {
    const auto log = Open();
    Append(log.get(), "old");
    ASSERT_TRUE(log->Roll().ok());
    end = log->end();
    ASSERT_TRUE(log->TruncateBefore(end).ok());
  }
  const auto log = Open();
  Append(log.get(), "new");
  EXPECT_GE(log->begin(), end);
  EXPECT_THAT(ReadAll(*log, end), ElementsAre("new"));
}

TEST_F(LogTest, TheQuotaRefusesAndChangesNothing) {
  SegmentedLogOptions options;
  options.bytes_max = 10000;
  options.segment_bytes = 2000;
  const auto log = Open(options);
  int accepted = 0;
  absl::Status status;
  while (status.ok()) {
    status = log->Append(std::string(500, 'q')).status();
    if (status.ok()) ++accepted;
  }
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
  EXPECT_LE(log->bytes(), 10000u);
  EXPECT_EQ(ReadAll(*log).size(), static_cast<size_t>(accepted));
  ASSERT_TRUE(log->TruncateBefore(log->end()).ok());
  EXPECT_TRUE(log->Append("again").ok());
}

TEST_F(LogTest, AFailedSyncSealsTheSegmentForEver) {
  const auto log = Open();
  Append(log.get(), "durable");
  ASSERT_TRUE(log->Sync().ok());
  Append(log.get(), "lost");
  fs_.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("EIO"), ".log");
  EXPECT_FALSE(log->Sync().ok());
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  const LogPosition end = log->durable_end();
  // The caller appends what it still needs again; it goes to a new segment.
  auto position = log->Append("lost, again");
  ASSERT_TRUE(position.ok());
  EXPECT_GE(*position, end);
  ASSERT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadAll(*log), ElementsAre("durable", "lost, again"));
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  EXPECT_THAT(ReadAll(*Open()), ElementsAre("durable", "lost, again"));
}

TEST_F(LogTest, ALossByAnAppendIsToldToTheNextSync) {
  const auto log = Open();
  Append(log.get(), "a");
  fs_.FailEvery(FaultFileSystem::Fault::kWrite, 1, absl::ResourceExhaustedError("ENOSPC"), ".log");
  EXPECT_FALSE(log->Append("b").ok());
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  Append(log.get(), "c");
  EXPECT_FALSE(log->Sync().ok()) << "a is gone";
  EXPECT_TRUE(log->Sync().ok());
  EXPECT_THAT(ReadAll(*log), ElementsAre("c"));
}

TEST_F(LogTest, ANewerFormatIsRefusedAndLeftAlone) {
  { Append(Open().get(), "x"); }
  const std::string path = fs_.Files().front();
  auto file = fs_.Open(path, OpenMode::kReadWrite);
  std::string header(kLogSegmentHeaderBytes, '\0');
  ASSERT_TRUE((*file)->ReadAt(0, header.size(), header.data()).ok());
  header[8] = 2;  // the version
  header.replace(12, 4, std::string(4, '\0'));
  const uint32_t checksum = Checksum32(header);
  std::memcpy(header.data() + 12, &checksum, 4);
  ASSERT_TRUE((*file)->WriteAt(0, header).ok());
  SegmentedLogOptions options;
  options.fs = &fs_;
  options.dir = kDir;
  const int64_t mutations = fs_.mutations();
  EXPECT_TRUE(absl::IsFailedPrecondition(SegmentedLog::Open(options).status()));
  EXPECT_EQ(fs_.mutations(), mutations);
}

// The lines of the first hex dump ("00000000: 53 48 ...") of a page of docs/format.
std::string DumpOf(const std::string& page) {
  std::string bytes;
  const auto text = ReadFile(FileSystem::Posix(), "docs/format/" + page, 1 << 20);
  if (!text.ok()) return bytes;
  for (const absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (line.size() < 10 || line.substr(0, 5) != "00000" || line[8] != ':') continue;
    for (const absl::string_view byte : absl::StrSplit(line.substr(9), ' ', absl::SkipEmpty())) {
      bytes += absl::HexStringToBytes(byte);
    }
  }
  return bytes;
}

TEST_F(LogTest, TheBytesAreFrozenAsTheFormatPageShowsThem) {
  {
    const auto log = Open();
    Append(log.get(), "hello");
    Append(log.get(), "");
  }
  EXPECT_EQ(absl::BytesToHexString(*ReadFile(&fs_, fs_.Files().front(), 1 << 20)),
            absl::BytesToHexString(DumpOf("log.md")));
}

// A log of several records over two blocks, as bytes.
class LogDamageTest : public LogTest {
 protected:
  void SetUp() override {
    std::mt19937 random(7);
    const auto log = Open();
    for (int i = 0; i < 60; ++i) {
      // From a few bytes to several hundred; two long ones make fragments.
      const size_t size = i == 30 ? 33000 : 1 + random() % 120;
      records_.push_back(absl::StrCat(i, ":", std::string(size, static_cast<char>('a' + i % 26))));
      Append(log.get(), records_.back());
    }
    ASSERT_TRUE(log->Sync().ok());
    path_ = fs_.Files().front();
    bytes_ = *ReadFile(&fs_, path_, 1 << 20);
  }
  // Opens a log that consists of these bytes.
  std::vector<std::string> ReadBytes(absl::string_view bytes, LogReport* report) {
    FaultFileSystem fs;
    EXPECT_TRUE(fs.CreateDirs(kDir).ok());
    auto file = fs.Open(path_, OpenMode::kCreate);
    EXPECT_TRUE((*file)->WriteAt(0, bytes).ok());
    SegmentedLogOptions options;
    options.fs = &fs;
    options.dir = kDir;
    auto log = SegmentedLog::Open(options);
    EXPECT_TRUE(log.ok()) << log.status();
    if (!log.ok()) return {};
    std::vector<std::string> records = ReadAll(**log, {}, report);
    report->torn_bytes += (*log)->open_report().torn_bytes;
    return records;
  }

  std::vector<std::string> records_;
  std::string path_;
  std::string bytes_;
};

TEST_F(LogDamageTest, TruncatedAnywhereItGivesAPrefixAndCallsTheRestTorn) {
  for (size_t size = 0; size < bytes_.size();
       size += size < 3000 || size > bytes_.size() - 3000 ? 1 : 37) {
    LogReport report;
    const std::vector<std::string> found =
        ReadBytes(absl::string_view(bytes_).substr(0, size), &report);
    ASSERT_LE(found.size(), records_.size());
    ASSERT_TRUE(std::equal(found.begin(), found.end(), records_.begin())) << size;
    ASSERT_EQ(report.damaged_regions, 0u) << size;
  }
}

TEST_F(LogDamageTest, AFlippedBitCostsItsRecordOnlyAndIsReported) {
  std::mt19937 random(11);
  for (int i = 0; i < 2000; ++i) {
    const size_t offset = random() % bytes_.size();
    std::string damaged = bytes_;
    damaged[offset] = static_cast<char>(damaged[offset] ^ (1 << random() % 8));
    LogReport report;
    const std::vector<std::string> found = ReadBytes(damaged, &report);
    // Every record found is one of ours, in order, and at most one is missing.
    size_t next = 0;
    for (const std::string& record : found) {
      while (next < records_.size() && records_[next] != record) ++next;
      ASSERT_LT(next, records_.size()) << "an invented record, flipped offset " << offset;
      ++next;
    }
    ASSERT_GE(found.size() + 1, records_.size()) << offset;
    if (found.size() < records_.size()) {
      ASSERT_GT(report.damaged_regions + report.torn_bytes, 0u) << offset;
      if (found.back() == records_.back()) {
        ASSERT_EQ(report.damaged_regions, 1u) << offset;
      }
    }
  }
}

TEST_F(LogDamageTest, AForeignBlockDoesNotPassAsData) {
  // A valid block in another place, as a file system that mixes blocks up would leave it.
  std::string damaged = bytes_;
  damaged.append(bytes_, 0, kLogBlockBytes);
  LogReport report;
  EXPECT_EQ(ReadBytes(damaged, &report), records_);
  EXPECT_GT(report.torn_bytes, 0u);
}

TEST_F(LogDamageTest, AHeaderThatIsBrokenCostsNothing) {
  std::string damaged = bytes_;
  damaged.replace(0, kLogSegmentHeaderBytes, std::string(kLogSegmentHeaderBytes, '\xff'));
  LogReport report;
  EXPECT_EQ(ReadBytes(damaged, &report), records_);
}

}  // namespace
}  // namespace shoal
