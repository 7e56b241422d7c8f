// Random writes (fresh, late, far too late), flushes, restarts and the passing of time against a
// map as the model.
#include <random>

#include "absl/strings/str_cat.h"
#include "tests/storage/engine_harness.h"

namespace shoal {
namespace {

constexpr int64_t kStep0 = 10, kStep1 = 60, kStep2 = 600;
constexpr int64_t kKept0 = 3600, kKept1 = 6 * 3600;

// One series: every raw point that was acknowledged.
struct Model {
  std::map<int64_t, double> raw;

  std::vector<double> Fine(int64_t start, int64_t end) const {
    std::vector<double> values;
    for (int64_t t = start; t < end; t += kStep0) {
      const auto it = raw.find(t);
      values.push_back(it == raw.end() ? kAbsent : it->second);
    }
    return values;
  }
  // The (sum, count) of an average, or the value; NaN value when absent.
  struct Cell {
    double value = kAbsent;
    double count = 0;
    bool known() const { return !std::isnan(value); }
  };
  Cell Coarse1(const AggregationRule& rule, int64_t start) const {
    const std::vector<double> fine = Fine(start, start + kStep1);
    Cell cell;
    if (std::isnan(Aggregate(rule.method, fine, rule.x_files_factor))) return cell;
    if (rule.method != AggregationMethod::kAverage) {
      return {Aggregate(rule.method, fine, rule.x_files_factor), 1};
    }
    cell.value = 0;
    for (const double v : fine) {
      if (std::isnan(v)) continue;
      cell.value += v;
      cell.count += 1;
    }
    return cell;
  }
  Cell Coarse2(const AggregationRule& rule, int64_t start) const {
    std::vector<double> values;
    Cell sum{0, 0};
    size_t known = 0;
    for (int64_t t = start; t < start + kStep2; t += kStep1) {
      const Cell cell = Coarse1(rule, t);
      values.push_back(cell.value);
      if (!cell.known()) continue;
      sum.value += cell.value;
      sum.count += cell.count;
      ++known;
    }
    if (rule.method == AggregationMethod::kAverage) {
      const double share = static_cast<double>(known) / (kStep2 / kStep1);
      return known > 0 && share >= rule.x_files_factor ? sum : Cell();
    }
    return {Aggregate(rule.method, values, rule.x_files_factor), 1};
  }
};

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : random_(seed), context_(absl::StrCat("seed ", seed)) {
    EXPECT_TRUE(harness_.Open().ok());
    rules_ = *AggregationRules::Parse(harness_.aggregations_text, "test");
  }

  void Run(int ops) {
    for (int op = 0; op < ops && !::testing::Test::HasFailure(); ++op) {
      const uint64_t kind = random_() % 100;
      // As the flusher would: points do not outlive the finest archive in the buffer.
      if (harness_.clock.NowSec() > last_flush_ + 600) Flush();
      if (kind < 80) {
        Write();
      } else if (kind < 90) {
        harness_.clock.Advance(static_cast<int64_t>(random_() % 120));
      } else if (kind < 92) {
        harness_.clock.Advance(static_cast<int64_t>(random_() % 1200));
      } else if (kind < 96) {
        Flush();
      } else if (kind < 97) {
        ASSERT_TRUE(harness_.Open().ok()) << context_;  // closes first: flushes
      } else if (kind < 98) {
        // kill -9
        harness_.fs.CrashAfter(0);
        harness_.engine.reset();
        harness_.fs.PowerLoss(FaultFileSystem::Unsynced::kKeep, 1);
        ASSERT_TRUE(harness_.Open().ok()) << context_;
      } else {
        Check();
      }
    }
    Check();
  }

 private:
  std::string Name(uint64_t i) const {
    static const char* const kKinds[] = {"avg", "sum", "max"};
    return absl::StrCat("model.n", i / 3, ".", kKinds[i % 3]);
  }

  void Flush() {
    ASSERT_TRUE(harness_.engine->Flush().ok()) << context_;
    last_flush_ = harness_.clock.NowSec();
  }

  void Write() {
    std::vector<std::pair<std::string, Point>> points;
    const int64_t now = harness_.clock.NowSec();
    const size_t count = 1 + random_() % 10;
    for (size_t i = 0; i < count; ++i) {
      // Late points are flushed while the finest archive has their step: later the coarser ones
      // cannot be exact.
      const int64_t age =
          static_cast<int64_t>(random_() % 10 == 0 ? random_() % 1500 : random_() % 60);
      const int64_t time = now - age;
      points.push_back({Name(random_() % 9), {time, static_cast<double>(random_() % 1000)}});
    }
    ASSERT_TRUE(harness_.Write(points).ok()) << context_;
    for (const auto& [name, point] : points) {
      models_[name].raw[point.timestamp_sec - point.timestamp_sec % kStep0] = point.value;
    }
  }

  void Check() {
    const int64_t now = harness_.clock.NowSec();
    for (const auto& [name, model] : models_) {
      const AggregationRule rule = rules_.Find(name);
      CheckRange(name, now - kKept0, now, kStep0, [&](int64_t t) {
        const auto it = model.raw.find(t);
        return it == model.raw.end() ? kAbsent : it->second;
      });
      CheckRange(name, now - kKept1, now, kStep1,
                 [&](int64_t t) { return Finished(rule, model.Coarse1(rule, t)); });
      CheckRange(name, now - 2 * 86400, now, kStep2,
                 [&](int64_t t) { return Finished(rule, model.Coarse2(rule, t)); });
    }
  }

  static double Finished(const AggregationRule& rule, const Model::Cell& cell) {
    if (!cell.known()) return kAbsent;
    return rule.method == AggregationMethod::kAverage ? cell.value / cell.count : cell.value;
  }

  template <typename Want>
  void CheckRange(const std::string& name, int64_t from, int64_t until, int64_t step, Want want) {
    int64_t found_step = 0;
    const EngineHarness::Points found = harness_.Read(name, from, until, &found_step);
    ASSERT_EQ(found_step, step);
    const FetchGrid grid = GridOf(from, until, step);
    for (int64_t t = grid.start_sec; t < grid.end_sec; t += step) {
      const double expected = want(t);
      const auto it = found.find(t);
      ASSERT_EQ(it == found.end(), std::isnan(expected))
          << context_ << " " << name << " step " << step << " at now" << t - until << " expected "
          << expected << " found " << (it == found.end() ? kAbsent : it->second);
      if (it != found.end()) {
        ASSERT_EQ(it->second, expected)
            << context_ << " " << name << " step " << step << " at now" << t - until;
      }
    }
  }

  EngineHarness harness_;
  std::mt19937_64 random_;
  int64_t last_flush_ = kStartSec;
  const std::string context_;
  AggregationRules rules_;
  std::map<std::string, Model> models_;
};

TEST(EngineModelTest, ReadsWhatTheModelHoldsInEveryArchive) {
  for (uint64_t seed = 1; seed <= 12 && !::testing::Test::HasFailure(); ++seed) {
    ModelRun run(seed);
    run.Run(1500);
  }
}

}  // namespace
}  // namespace shoal
