// Rotten and missing bytes in every kind of file of a stopped node: a damaged WAL gives back what
// is whole and reports the rest; no wrong value is ever served; what costs a point is found.
#include <random>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "storage/ring/ring_format.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using Unsynced = FaultFileSystem::Unsynced;

constexpr int64_t kCoarseStepSec = 60;

uint64_t SizeOf(FaultFileSystem* fs, const std::string& path) {
  return *(*fs->Open(path, OpenMode::kReadOnly))->Size();
}

// A node that has stopped, the points that it has acknowledged, and copies of it to damage.
class DamageTest : public ::testing::Test {
 protected:
  struct Found {
    absl::Status opened;
    int lost = 0;
    int wrong = 0;
    bool read_failed = false;  // a read said that something is missing
    bool reported = false;     // by recovery or by the check of every page
    uint64_t torn_bytes = 0;
    uint64_t damaged_records = 0;
  };

  // One batch of one point for each of `series`, at `slot`.
  void Write(int slot, int series) {
    std::vector<std::pair<std::string, Point>> points;
    for (int i = 0; i < series; ++i) {
      const Point point{kStartSec - 3000 + 10 * slot, i * 1000 + slot + (i % 3) * 0.37};
      points.push_back({absl::StrCat("rot.s", i), point});
    }
    ASSERT_TRUE(node_.Write(points).ok());
    batches_.push_back(points);
  }
  void Stop() {
    node_.fs.CrashAfter(0);
    node_.engine.reset();
    node_.fs.PowerLoss(Unsynced::kDrop, 1);
  }

  // Opens `fs` and compares: the first `batches` must be there, of the others each point may be.
  Found Look(FaultFileSystem* fs, size_t batches) {
    Found found;
    EngineHarness node;
    node.options.fs = fs;
    found.opened = node.Open();
    if (!found.opened.ok()) return found;
    const RecoveryReport& report = node.engine->recovery();
    found.torn_bytes = report.torn_tail_bytes;
    found.damaged_records = report.damaged_records;
    std::map<std::string, EngineHarness::Points> read;
    for (size_t b = 0; b < batches_.size(); ++b) {
      for (const auto& [name, point] : batches_[b]) {
        if (read.count(name) == 0) read[name] = Read(&node, name, &found);
        const auto it = read[name].find(point.timestamp_sec);
        if (it == read[name].end()) {
          found.lost += b < batches ? 1 : 0;
        } else {
          found.wrong += it->second == point.value ? 0 : 1;
          read[name].erase(it);
        }
      }
    }
    for (const auto& [name, points] : read) found.wrong += static_cast<int>(points.size());
    found.reported = report.torn_tail_bytes > 0 || report.damaged_records > 0 ||
                     report.index_rebuilt || node.engine->Stats().bad_pages > 0 ||
                     !node.engine->rings().Verify().empty();
    fs->CrashAfter(0);
    return found;
  }

  EngineHarness node_;
  std::vector<std::vector<std::pair<std::string, Point>>> batches_;

 private:
  static EngineHarness::Points Read(EngineHarness* node, const std::string& name, Found* found) {
    EngineHarness::Points points;
    const SeriesId id = node->Find(name);
    if (id == kNoSeries) return points;
    Series series;
    const int64_t now = node->clock.NowSec();
    if (!node->engine->Read(id, {now - 3590, now, now}, &series).ok()) found->read_failed = true;
    for (size_t i = 0; i < series.values.size(); ++i) {
      if (std::isnan(series.values[i])) continue;
      points[series.start_sec + static_cast<int64_t>(i) * series.step_sec] = series.values[i];
    }
    return points;
  }
};

class WalDamageTest : public DamageTest {
 protected:
  static constexpr int kBatches = 40;

  void SetUp() override {
    ASSERT_TRUE(node_.Open().ok());
    ends_.push_back(0);
    for (int slot = 0; slot < kBatches; ++slot) {
      Write(slot, 5);
      ends_.push_back(SizeOf(&node_.fs, wal_));
    }
    Stop();
  }
  // Batches that lie wholly in the first `size` bytes.
  size_t WholeIn(uint64_t size) const {
    return static_cast<size_t>(std::upper_bound(ends_.begin(), ends_.end(), size) - ends_.begin()) -
           1;
  }

  const std::string wal_ = "/data/wal/0000000001.log";
  std::vector<uint64_t> ends_;  // of the segment, after each batch
};

TEST_F(WalDamageTest, TruncatedAtAnyByteItOpensAndKeepsWhatIsBeforeTheTear) {
  const uint64_t size = ends_.back();
  for (uint64_t at = 0; at < size; ++at) {
    const auto fs = node_.fs.Copy();
    ASSERT_TRUE((*fs->Open(wal_, OpenMode::kReadWrite))->Truncate(at).ok());
    const Found found = Look(fs.get(), WholeIn(at));
    ASSERT_TRUE(found.opened.ok()) << "cut at " << at << ": " << found.opened;
    ASSERT_EQ(found.lost, 0) << "cut at " << at;
    ASSERT_EQ(found.wrong, 0) << "cut at " << at;
    ASSERT_EQ(found.damaged_records, 0u) << "cut at " << at;
    // A cut between two records is no tear.
    const bool between = WholeIn(at) > 0 && ends_[WholeIn(at)] == at;
    if (between) {
      ASSERT_EQ(found.torn_bytes, 0u) << "cut at " << at;
    }
  }
}

TEST_F(WalDamageTest, AFlippedBitIsReportedAndNeverData) {
  const uint64_t size = ends_.back();
  std::mt19937_64 random(1);
  int cost = 0;
  for (int i = 0; i < 2000; ++i) {
    const uint64_t at = random() % size;
    const int bit = static_cast<int>(random() % 8);
    const std::string context = absl::StrCat("flip ", i, " at ", at, " bit ", bit);
    const auto fs = node_.fs.Copy();
    ASSERT_TRUE(fs->FlipBits(wal_, at, static_cast<uint8_t>(1 << bit)));
    const Found found = Look(fs.get(), kBatches);
    ASSERT_TRUE(found.opened.ok()) << context << ": " << found.opened;
    ASSERT_EQ(found.wrong, 0) << context;
    if (found.lost == 0) continue;
    ++cost;
    // In the last record it cannot be told from a tear.
    const bool last = at >= ends_[kBatches - 1];
    ASSERT_TRUE(found.damaged_records > 0 || (last && found.torn_bytes > 0)) << context;
    // The first definitions cost their series; everywhere else it is one record.
    if (at > ends_[1]) {
      ASSERT_LE(found.lost, 5) << context;
    }
  }
  EXPECT_GT(cost, 1500);
}

class RotTest : public DamageTest {
 protected:
  void SetUp() override {
    ASSERT_TRUE(node_.Open().ok());
    for (int slot = 0; slot < 280; ++slot) Write(slot, 20);
    // A clean stop: the journal's last round would mend what rots in the pages.
    ASSERT_TRUE(node_.Open().ok());
    for (int slot = 280; slot < 290; ++slot) Write(slot, 20);
    Stop();
  }

  // What of a ring file: the header with the table of slots, or the pages.
  enum class Part { kAll, kTables, kPages };

  // Places that hold something: a flipped bit in a hole is a page that was never written.
  std::vector<std::pair<std::string, uint64_t>> Places(const std::string& part,
                                                       Part of_ring = Part::kAll) {
    std::vector<std::pair<std::string, uint64_t>> places;
    for (const std::string& path : node_.fs.Files()) {
      if (!absl::StrContains(path, part)) continue;
      const auto file = *node_.fs.Open(path, OpenMode::kReadOnly);
      const uint64_t size = *file->Size();
      uint64_t data = 0;
      if (of_ring != Part::kAll) {
        std::string head(kRingBlockBytes, '\0');
        RingHeader header;
        EXPECT_TRUE(file->ReadAt(0, head.size(), head.data()).ok());
        EXPECT_TRUE(DecodeRingHeader(head, &header).ok());
        data = header.PageOffset(0, 0);
      }
      std::string block(512, '\0');
      for (uint64_t at = 0; at < size; at += block.size()) {
        const size_t n = *file->ReadAt(at, block.size(), block.data());
        for (size_t i = 0; i < n; ++i) {
          if (block[i] == 0) continue;
          if (of_ring == Part::kAll || (at + i >= data) == (of_ring == Part::kPages)) {
            places.push_back({path, at + i});
          }
        }
      }
    }
    return places;
  }

  // Flips a bit in `count` of the places. `always_found`: also when it costs no point.
  void Rot(const std::string& part, int count, bool always_found, Part of_ring = Part::kAll) {
    const auto places = Places(part, of_ring);
    ASSERT_FALSE(places.empty()) << part;
    std::mt19937_64 random(7);
    int reported = 0;
    int refused = 0;
    for (int i = 0; i < count; ++i) {
      const auto& [path, at] = places[random() % places.size()];
      const int bit = static_cast<int>(random() % 8);
      const std::string context = absl::StrCat(path, " at ", at, " bit ", bit);
      const auto fs = node_.fs.Copy();
      ASSERT_TRUE(fs->FlipBits(path, at, static_cast<uint8_t>(1 << bit)));
      const Found found = Look(fs.get(), batches_.size());
      if (!found.opened.ok()) {
        // Not a start on what it cannot trust: the message says which file.
        EXPECT_TRUE(absl::StrContains(found.opened.message(), path))
            << context << ": " << found.opened;
        ++refused;
        continue;
      }
      EXPECT_EQ(found.wrong, 0) << context;
      // Seen by the check of every page, or at the start; a point never goes without that.
      EXPECT_TRUE(found.reported || (found.lost == 0 && !always_found)) << context;
      EXPECT_TRUE(found.lost == 0 || found.reported) << context;
      if (of_ring != Part::kAll) {
        // An answer without them is no complete one.
        EXPECT_TRUE(found.lost == 0 || found.read_failed) << context << ": " << found.lost;
      }
      reported += found.reported ? 1 : 0;
    }
    std::printf("%s: %d flips, %d reported, %d refused\n", part.c_str(), count, reported, refused);
  }
};

TEST_F(RotTest, PagesAreFoundOut) { Rot(".ring", 80, true, Part::kPages); }
TEST_F(RotTest, HeadersAndTablesOfSlotsAreFoundOut) { Rot(".ring", 40, true, Part::kTables); }
TEST_F(RotTest, TheJournalOfARoundThatIsOverCostsNothing) { Rot("journal.dw", 10, false); }
TEST_F(RotTest, TheIndexIsRebuiltOrRewritten) {
  Rot("/leveldb/", 30, false);
  Rot("/series-log/", 20, false);
}
TEST_F(RotTest, ACheckpointThatDoesNotReadMeansTheWholeLog) { Rot("CHECKPOINT", 10, false); }
TEST_F(RotTest, AnotherIdentityIsRefused) { Rot("IDENTITY", 20, true); }
TEST_F(RotTest, RollupsThatAreNotKnownToBeDoneAreDoneAgain) { Rot("rolled-until", 10, false); }
TEST_F(RotTest, TheLogIsReported) { Rot("/wal/", 20, false); }

TEST_F(RotTest, RollupsAreNotMadeOfWhatCouldNotBeReadJustNow) {
  const auto healthy_fs = node_.fs.Copy();
  const auto failing_fs = node_.fs.Copy();
  EngineHarness healthy;
  EngineHarness failing;
  healthy.options.fs = healthy_fs.get();
  failing.options.fs = failing_fs.get();
  ASSERT_TRUE(healthy.Open().ok());
  ASSERT_TRUE(failing.Open().ok());
  int64_t injected = 0;
  for (int k = 1; k < 24; ++k) {
    for (EngineHarness* const node : {&healthy, &failing}) {
      // A step of the coarser archive that is full by now, and a late point.
      node->clock.Advance(kCoarseStepSec);
      const int64_t now = node->clock.NowSec();
      std::vector<std::pair<std::string, Point>> points;
      for (int s = 0; s < 20; ++s) {
        const std::string name = absl::StrCat("rot.s", s);
        for (int i = 1; i <= 6; ++i) points.push_back({name, {now - 10 * i, 1.0 * k * s + i}});
        points.push_back({name, {now - 1200 - 10 * (k % 7), 0.5 * k}});
      }
      ASSERT_TRUE(node->Write(points).ok());
    }
    failing_fs->FailEvery(FaultFileSystem::Fault::kRead, k, absl::UnavailableError("EIO"), ".ring");
    failing.engine->Flush().IgnoreError();
    injected += failing_fs->injected();
    failing_fs->FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  }
  EXPECT_GT(injected, 20);
  ASSERT_TRUE(healthy.engine->Flush().ok());
  ASSERT_TRUE(failing.engine->Flush().ok());
  const int64_t now = healthy.clock.NowSec();
  for (int s = 0; s < 20; ++s) {
    const std::string name = absl::StrCat("rot.s", s);
    const EngineHarness::Points want = healthy.Read(name, now - 5 * 3600, now);
    EXPECT_FALSE(want.empty());
    EXPECT_EQ(failing.Read(name, now - 5 * 3600, now), want) << name;
  }
}

TEST_F(RotTest, BitsThatRotWhileItRunsAreNotServed) {
  const auto places = Places(".ring", Part::kPages);
  std::mt19937_64 random(3);
  const auto fs = node_.fs.Copy();
  EngineHarness node;
  node.options.fs = fs.get();
  ASSERT_TRUE(node.Open().ok());
  int noticed = 0;
  for (int i = 0; i < 20; ++i) {
    const auto& [path, at] = places[random() % places.size()];
    ASSERT_TRUE(fs->FlipBits(path, at, 0x10));
    for (int s = 0; s < 20; ++s) {
      Series series;
      const int64_t now = node.clock.NowSec();
      const SeriesId id = node.Find(absl::StrCat("rot.s", s));
      if (!node.engine->Read(id, {now - 3590, now, now}, &series).ok()) ++noticed;
      for (size_t k = 0; k < series.values.size(); ++k) {
        if (std::isnan(series.values[k])) continue;
        const int64_t time = series.start_sec + static_cast<int64_t>(k) * series.step_sec;
        const int64_t slot = (time - (kStartSec - 3000)) / 10;
        ASSERT_EQ(series.values[k], s * 1000 + static_cast<double>(slot) + (s % 3) * 0.37)
            << path << " at " << at;
      }
    }
  }
  EXPECT_GT(noticed, 0);
  EXPECT_FALSE(node.engine->rings().Verify().empty());
  fs->CrashAfter(0);
}

}  // namespace
}  // namespace shoal
