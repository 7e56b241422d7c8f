// A script of writes, flushes, deletions and restarts; the machine stops after every k-th change of
// the disk; what was not synced is dropped, torn or kept; the engine opens again and must have
// every acknowledged point and no other.
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

constexpr int kOps = 2000;
constexpr int kNames = 12;

// What may be read of one series.
struct Expected {
  std::map<int64_t, double> acked;
  std::map<int64_t, std::set<double>> sent;  // all values ever sent since the last deletion
  bool may_be_deleted = false;               // a deletion was sent and not acknowledged
};

class Script {
 public:
  explicit Script(uint64_t seed) : random_(seed) {}

  // Runs until the end, or until the machine stops.
  void Run(EngineHarness* harness) {
    for (int op = 0; op < kOps && !harness->fs.crashed(); ++op) {
      const uint64_t kind = random_() % 1000;
      if (kind < 960) {
        Write(harness);
      } else if (kind < 985) {
        harness->engine->Flush().IgnoreError();
      } else if (kind < 993) {
        Delete(harness);
      } else {
        // A restart: clean when the machine lives.
        if (!harness->Open().ok()) return;
      }
      if (op % 4 == 0) harness->clock.Advance(1);
    }
  }

  // `harness` has been opened again.
  void Check(EngineHarness* harness, const std::string& context) {
    const int64_t now = harness->clock.NowSec();
    for (const auto& [name, expected] : names_) {
      const EngineHarness::Points found = harness->Read(name, now - 3590, now);
      for (const auto& [time, value] : found) {
        const auto sent = expected.sent.find(time);
        ASSERT_TRUE(sent != expected.sent.end() && sent->second.count(value) > 0)
            << context << ": invented " << name << " " << time << " = " << value;
      }
      if (expected.may_be_deleted && found.empty()) continue;
      for (const auto& [time, value] : expected.acked) {
        if (time <= now - 3590) continue;
        const auto it = found.find(time);
        ASSERT_TRUE(it != found.end())
            << context << ": lost " << name << " " << time << " = " << value;
        // Another value only when it was sent later and its fate is open.
        if (it->second != value) {
          ASSERT_GT(it->second, value) << context << ": stale " << name << " " << time;
        }
      }
    }
  }

 private:
  void Write(EngineHarness* harness) {
    std::vector<std::pair<std::string, Point>> points;
    const size_t count = 1 + random_() % 8;
    for (size_t i = 0; i < count; ++i) {
      const int64_t now = harness->clock.NowSec();
      const int64_t age =
          static_cast<int64_t>(random_() % 16 == 0 ? random_() % 3000 : random_() % 40);
      const int64_t time = now - age - (now - age) % 10;
      // Values grow, so that an older value than the acknowledged one shows.
      points.push_back(
          {absl::StrCat("crash.s", random_() % kNames, ".", random_() % 3), {time, next_value_++}});
    }
    for (const auto& [name, point] : points)
      names_[name].sent[point.timestamp_sec].insert(point.value);
    if (!harness->Write(points).ok()) return;
    for (const auto& [name, point] : points) {
      names_[name].acked[point.timestamp_sec] = point.value;
      names_[name].may_be_deleted = false;
    }
  }

  void Delete(EngineHarness* harness) {
    const std::string name = absl::StrCat("crash.s", random_() % kNames, ".", random_() % 3);
    Expected& expected = names_[name];
    expected.may_be_deleted = true;
    const absl::Status status = harness->engine->Delete(name);
    if (status.ok() || absl::IsNotFound(status)) expected = Expected();
  }

  std::mt19937_64 random_;
  double next_value_ = 1;
  std::map<std::string, Expected> names_;
};

int64_t CountMutations(uint64_t seed) {
  EngineHarness harness;
  EXPECT_TRUE(harness.Open().ok());
  Script script(seed);
  script.Run(&harness);
  script.Check(&harness, "no crash");
  return harness.fs.mutations();
}

void CrashEverywhere(uint64_t seed, int64_t first, int64_t step) {
  const int64_t total = CountMutations(seed);
  ASSERT_GT(total, 1000);
  for (int64_t k = first; k < total; k += step) {
    EngineHarness harness;
    harness.fs.CrashAfter(k);
    Script script(seed);
    const absl::Status opened = harness.Open();
    if (opened.ok()) script.Run(&harness);
    const auto unsynced = static_cast<FaultFileSystem::Unsynced>(k % 3);
    const std::string context = absl::StrCat("seed ", seed, " crash after ", k, " mode ", k % 3);
    harness.engine.reset();
    harness.fs.PowerLoss(unsynced, seed + static_cast<uint64_t>(k));
    const absl::Status status = harness.Open();
    ASSERT_TRUE(status.ok()) << context << ": " << status;
    script.Check(&harness, context);
    if (::testing::Test::HasFatalFailure()) return;
    // And once more after a flush, from the ring files, and after a second power loss.
    ASSERT_TRUE(harness.engine->Flush().ok()) << context;
    script.Check(&harness, context + " flushed");
    harness.engine.reset();
    harness.fs.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
    ASSERT_TRUE(harness.Open().ok()) << context;
    script.Check(&harness, context + " twice");
    if (::testing::Test::HasFatalFailure()) return;
  }
}

TEST(EngineCrashTest, KeepsEveryAcknowledgedPointWhereverItCrashes) { CrashEverywhere(1, 0, 41); }

TEST(EngineCrashTest, KeepsThemWithAnotherScript) { CrashEverywhere(2, 17, 97); }

}  // namespace
}  // namespace shoal
