// A script of writes, late points, new series, flushes, deletions and restarts. Before each change
// of the disk that it makes, the machine may stop there: what was not synced is then dropped, torn
// or kept, and the engine that opens what is left must have every acknowledged point and no other,
// in every archive, also when it is stopped again while it opens.
#include <cstdlib>
#include <random>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

using Unsynced = FaultFileSystem::Unsynced;

constexpr int kOps = 300;
constexpr int kNames = 12;
constexpr const char* kKinds[] = {"avg", "sum", "max"};
// How far back a query is answered from the finest archive (one hour).
constexpr int64_t kFineSec = 3590;
constexpr int64_t kCoarseStep = 60;

// What may be read of one series.
struct Expected {
  std::map<int64_t, double> acked;
  std::map<int64_t, std::set<double>> sent;  // all values ever sent since the last deletion
  bool may_be_deleted = false;               // a deletion was sent and not acknowledged
};

using Model = std::map<std::string, Expected>;

// The second archive says of each whole step what its points, as they are read, come to.
void CheckCoarse(EngineHarness* reopened, const std::string& name,
                 const EngineHarness::Points& fine, const std::string& context) {
  const int64_t now = reopened->clock.NowSec();
  static const AggregationRules rules =
      *AggregationRules::Parse(reopened->aggregations_text, "test");
  const AggregationRule rule = rules.Find(name);
  int64_t step = 0;
  const EngineHarness::Points coarse = reopened->Read(name, now - 5 * 3600, now, &step);
  if (step == 0) return;  // no such series
  ASSERT_EQ(step, kCoarseStep);
  const int64_t first = now - kFineSec + 2 * kCoarseStep;
  for (int64_t t = first - first % kCoarseStep; t + kCoarseStep <= now; t += kCoarseStep) {
    std::vector<double> values;
    for (int64_t at = t; at < t + kCoarseStep; at += 10) {
      const auto it = fine.find(at);
      values.push_back(it == fine.end() ? kAbsent : it->second);
    }
    const double want = Aggregate(rule.method, values, rule.x_files_factor);
    const auto it = coarse.find(t);
    ASSERT_EQ(it == coarse.end(), std::isnan(want)) << context << ": coarse " << name << " " << t;
    if (it != coarse.end()) {
      ASSERT_DOUBLE_EQ(it->second, want) << context << ": coarse " << name << " " << t;
    }
  }
}

void Check(const Model& model, EngineHarness* reopened, const std::string& context) {
  const int64_t now = reopened->clock.NowSec();
  for (const auto& [name, expected] : model) {
    const EngineHarness::Points found = reopened->Read(name, now - kFineSec, now);
    for (const auto& [time, value] : found) {
      const auto sent = expected.sent.find(time);
      ASSERT_TRUE(sent != expected.sent.end() && sent->second.count(value) > 0)
          << context << ": invented " << name << " " << time << " = " << value;
    }
    CheckCoarse(reopened, name, found, context);
    if (::testing::Test::HasFatalFailure()) return;
    if (expected.may_be_deleted && found.empty()) continue;
    for (const auto& [time, value] : expected.acked) {
      if (time <= now - kFineSec) continue;
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

// Every slot is of a series with a name: else nothing would ever free it.
void CheckSlots(EngineHarness* reopened, const std::string& context) {
  std::set<SeriesId> named;
  reopened->engine->ListNames([&](absl::string_view, SeriesId id) { named.insert(id); })
      .IgnoreError();
  for (SchemaId schema = 0; schema < 3; ++schema) {
    for (uint8_t archive = 0; archive < 3; ++archive) {
      for (const SeriesId id : reopened->engine->rings().SeriesIn({schema, archive})) {
        EXPECT_EQ(named.count(id), 1u)
            << context << ": slots of series " << id << " without a name";
      }
    }
  }
}

class Script {
 public:
  Script(EngineHarness* harness, uint64_t seed) : harness_(harness), random_(seed) {}

  // `after_op` runs between operations.
  void Run(const std::function<void()>& after_op) {
    ASSERT_TRUE(harness_->Open().ok());
    for (int op = 0; op < kOps && !::testing::Test::HasFailure(); ++op) {
      const uint64_t kind = random_() % 1000;
      if (kind < 930) {
        Write();
      } else if (kind < 965) {
        ASSERT_TRUE(harness_->engine->Flush().ok());
      } else if (kind < 985) {
        Delete();
      } else {
        ASSERT_TRUE(harness_->Open().ok());
      }
      after_op();
      // So that stripes fill and coarser steps pass while points come in.
      harness_->clock.Advance(op % 20 == 19 ? 250 : 1);
    }
  }

  // What is acknowledged and what is sent at this moment. From any thread.
  Model Now() {
    MutexLock lock(&mu_);
    return model_;
  }

 private:
  std::string RandomName() {
    return absl::StrCat("crash.s", random_() % kNames, ".", kKinds[random_() % 3]);
  }

  void Write() {
    const int64_t now = harness_->clock.NowSec();
    std::vector<std::pair<std::string, Point>> points;
    const size_t count = 1 + random_() % 8;
    for (size_t i = 0; i < count; ++i) {
      const int64_t age =
          static_cast<int64_t>(random_() % 16 == 0 ? random_() % 3000 : random_() % 40);
      const int64_t time = now - age - (now - age) % 10;
      // Values grow, so that an older value than the acknowledged one shows.
      points.push_back({RandomName(), {time, next_value_++}});
    }
    {
      MutexLock lock(&mu_);
      for (const auto& [name, point] : points)
        model_[name].sent[point.timestamp_sec].insert(point.value);
    }
    WriteBatch batch;
    for (const auto& [name, point] : points) {
      const auto id = harness_->engine->Resolve(name);
      ASSERT_TRUE(id.ok()) << id.status();
      batch.series.push_back(*id);
      batch.timestamps_sec.push_back(point.timestamp_sec);
      batch.values.push_back(point.value);
    }
    // Acknowledged from the callback on: a change of the disk that comes after it comes too late.
    bool done = false;
    CondVar finished;
    harness_->engine->Write(std::move(batch), [&](const WriteResult& result) {
      MutexLock lock(&mu_);
      EXPECT_TRUE(result.status.ok()) << result.status;
      for (const auto& [name, point] : points) {
        model_[name].acked[point.timestamp_sec] = point.value;
        model_[name].may_be_deleted = false;
      }
      done = true;
      finished.Signal();
    });
    MutexLock lock(&mu_);
    while (!done) finished.Wait(&mu_);
  }

  void Delete() {
    const std::string name = RandomName();
    {
      MutexLock lock(&mu_);
      model_[name].may_be_deleted = true;
    }
    const absl::Status status = harness_->engine->Delete(name);
    ASSERT_TRUE(status.ok() || absl::IsNotFound(status)) << status;
    MutexLock lock(&mu_);
    model_[name] = Expected();
  }

  EngineHarness* const harness_;
  std::mt19937_64 random_;
  double next_value_ = 1;
  Mutex mu_;
  Model model_ ABSL_GUARDED_BY(mu_);
};

// One place where the machine stops, and what it must hold then.
struct Stop {
  int64_t mutation = 0;
  std::unique_ptr<FaultFileSystem> state;
  Model model;
  int64_t now_sec = 0;
  uint64_t seed = 0;

  std::string Context(Unsynced unsynced) const {
    return absl::StrCat("crash after ", mutation, " mode ", static_cast<int>(unsynced));
  }

  // The machine stops, starts, flushes, and stops once more.
  void Once(Unsynced unsynced, bool verify) const {
    const std::string context = Context(unsynced);
    const auto fs = state->Copy();
    fs->PowerLoss(unsynced, seed);
    EngineHarness reopened;
    reopened.options.fs = fs.get();
    reopened.clock.Set(now_sec);
    const absl::Status status = reopened.Open();
    ASSERT_TRUE(status.ok()) << context << ": " << status;
    if (unsynced != Unsynced::kTear) {
      // Torn, the last group may show a later record whole and an earlier one not.
      EXPECT_EQ(reopened.engine->recovery().damaged_records, 0u) << context;
    }
    Check(model, &reopened, context);
    if (::testing::Test::HasFailure()) return;
    // From the ring files, and from what is durable of them.
    ASSERT_TRUE(reopened.engine->Flush().ok()) << context;
    CheckSlots(&reopened, context);
    if (verify) {
      EXPECT_TRUE(reopened.engine->rings().Verify().empty()) << context;
    }
    fs->CrashAfter(0);
    reopened.engine.reset();
    fs->PowerLoss(Unsynced::kDrop, seed);
    ASSERT_TRUE(reopened.Open().ok()) << context;
    Check(model, &reopened, context + " flushed");
    fs->CrashAfter(0);  // its end is no concern here
    reopened.engine.reset();
  }

  // Stops again after `mutations` of the start and the flush behind it; false when they had fewer.
  bool Twice(Unsynced unsynced, int64_t mutations) const {
    const std::string context = absl::StrCat(Context(unsynced), " then after ", mutations);
    const auto fs = state->Copy();
    fs->PowerLoss(unsynced, seed);
    EngineHarness reopened;
    reopened.options.fs = fs.get();
    reopened.clock.Set(now_sec);
    fs->CrashAfter(mutations);
    if (reopened.Open().ok()) reopened.engine->Flush().IgnoreError();
    const bool crashed = fs->crashed();
    fs->CrashAfter(0);
    reopened.engine.reset();
    fs->PowerLoss(unsynced, seed + 1);
    const absl::Status status = reopened.Open();
    EXPECT_TRUE(status.ok()) << context << ": " << status;
    if (status.ok()) Check(model, &reopened, context);
    fs->CrashAfter(0);
    reopened.engine.reset();
    return crashed;
  }
};

// Stops at every `step`-th change of the disk, and drops or tears; a second stop goes through the
// changes of the start in turn, and at every 64th place through all of them.
void CrashEverywhere(uint64_t seed, int64_t first, int64_t step) {
  EngineHarness harness;
  Script script(&harness, seed);
  Mutex mu;
  std::vector<Stop> stops;  // under mu
  // Only taken here: LevelDB's one background thread may be the one that changes the disk, and the
  // engines that are opened below need it.
  harness.fs.VisitStates(first, step, [&](int64_t k, std::unique_ptr<FaultFileSystem> state) {
    Stop stop;
    stop.mutation = k;
    stop.state = std::move(state);
    stop.model = script.Now();
    stop.now_sec = harness.clock.NowSec();
    stop.seed = seed + static_cast<uint64_t>(k);
    MutexLock lock(&mu);
    stops.push_back(std::move(stop));
  });
  int64_t places = 0;
  int64_t second_stops = 0;
  int64_t start_mutations = 1;  // of a start and a flush, the most seen
  const auto visit = [&](const Stop& stop) {
    // What is kept is what kill -9 leaves, the mildest of the three: not everywhere.
    for (const Unsynced unsynced : {Unsynced::kDrop, Unsynced::kTear, Unsynced::kKeep}) {
      if (unsynced == Unsynced::kKeep && places % 8 != 0) continue;
      if (!::testing::Test::HasFailure()) stop.Once(unsynced, places % 8 == 0);
    }
    const Unsynced unsynced = places % 2 == 0 ? Unsynced::kTear : Unsynced::kDrop;
    const bool thorough = places++ % 64 == 0;
    int64_t j = thorough ? 0 : stop.mutation * 7919 % start_mutations;
    while (!::testing::Test::HasFailure() && stop.Twice(unsynced, j++)) {
      ++second_stops;
      start_mutations = std::max(start_mutations, j);
      if (!thorough) break;
    }
  };
  script.Run([&] {
    std::vector<Stop> taken;
    {
      MutexLock lock(&mu);
      taken.swap(stops);
    }
    for (const Stop& stop : taken) visit(stop);
  });
  harness.fs.VisitStates(-1, 1, nullptr);
  if (!::testing::Test::HasFailure()) Check(script.Now(), &harness, "no crash");
  EXPECT_GT(harness.fs.mutations(), 2000);
  std::printf(
      "seed %d: %d operations changed the disk %d times; stopped at %d of them, %d times twice\n",
      static_cast<int>(seed), kOps, static_cast<int>(harness.fs.mutations()),
      static_cast<int>(places), static_cast<int>(second_stops));
}

// SHOAL_CRASH_STEP=1 visits every change of the disk (tests/run.sh crash); the default a sample.
int64_t Step() {
  int64_t step = 0;
  const char* const text = std::getenv("SHOAL_CRASH_STEP");
  return text != nullptr && absl::SimpleAtoi(text, &step) && step > 0 ? step : 23;
}

TEST(EngineCrashTest, KeepsEveryAcknowledgedPointWhereverItCrashes) {
  CrashEverywhere(1, 0, Step());
}

TEST(EngineCrashTest, KeepsThemWithAnotherScript) {
  CrashEverywhere(2, 17 % Step(), Step() == 1 ? 7 : 3 * Step());
}

}  // namespace
}  // namespace shoal
