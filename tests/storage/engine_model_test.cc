// Random writes (fresh, late, far too late), flushes, restarts and the passing of time against a
// map as the model.
#include <algorithm>
#include <cmath>
#include <optional>
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
  // What archive 1 or 2 shows of the step at `start` for an aggregate: of archive 2, over the
  // points of the steps of archive 1 that are known, unless it does not re-aggregate.
  double Coarse1(const AggregationRule& rule, AggregateSpec spec, int64_t start) const {
    return Aggregate(spec, Fine(start, start + kStep1), rule.x_files_factor);
  }
  double Coarse2(const AggregationRule& rule, AggregateSpec spec, int64_t start) const {
    std::vector<double> points;
    std::vector<double> steps;
    size_t known = 0;
    for (int64_t t = start; t < start + kStep2; t += kStep1) {
      const double step = Coarse1(rule, spec, t);
      steps.push_back(step);
      const std::vector<double> fine = Fine(t, t + kStep1);
      points.insert(points.end(), fine.size(), kAbsent);
      if (std::isnan(step)) continue;
      std::copy(fine.begin(), fine.end(), points.end() - static_cast<ptrdiff_t>(fine.size()));
      ++known;
    }
    if (known == 0 || static_cast<double>(known) / (kStep2 / kStep1) < rule.x_files_factor)
      return kAbsent;
    const bool of_steps = rule.whisper || spec.method == AggregationMethod::kMedian ||
                          spec.method == AggregationMethod::kPercentile;
    return Aggregate(spec, of_steps ? steps : points, 0);
  }
};

// Every method, with an xFilesFactor of its own; two that keep more aggregates, and whisper's.
const std::vector<std::string> kKinds = {"average",  "sum",     "max",    "min",    "last",
                                         "first",    "count",   "absmax", "absmin", "avg_zero",
                                         "median",   "range",   "stddev", "diff",   "p90",
                                         "multiply", "several", "more",   "whisper"};

std::string Rules() {
  std::string text;
  for (size_t i = 0; i < kKinds.size(); ++i) {
    const std::string& kind = kKinds[i];
    const bool named = ParseAggregate(kind).ok();
    // Where an absent step is no zero, only without a factor does avg_zero re-aggregate exactly.
    const char* const factor = kind == "avg_zero" ? "0"
                               : i % 3 == 0       ? "0.5"
                               : i % 3 == 1       ? "0"
                                                  : "0.3";
    absl::StrAppend(&text, "[", kind, "]\npattern = \\.", kind, "$\nxFilesFactor = ", factor,
                    "\naggregationMethod = ",
                    named            ? kind
                    : kind == "more" ? "range"
                                     : "average",
                    "\n");
    if (kind == "several") absl::StrAppend(&text, "aggregates = min, max, last, count, p99.9\n");
    if (kind == "more")
      absl::StrAppend(&text, "aggregates = stddev, average, diff, absmax, median, sum\n");
    if (kind == "whisper") absl::StrAppend(&text, "whisper = true\n");
  }
  return text;
}

class ModelRun {
 public:
  explicit ModelRun(uint64_t seed) : random_(seed), context_(absl::StrCat("seed ", seed)) {
    harness_.aggregations_text = Rules();
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
  static std::string Name(uint64_t i) {
    return absl::StrCat("model.n", i / kKinds.size(), ".", kKinds[i % kKinds.size()]);
  }

  void Flush() {
    ASSERT_TRUE(harness_.engine->Flush().ok()) << context_;
    last_flush_ = harness_.clock.NowSec();
  }

  void Write() {
    std::vector<std::pair<std::string, Point>> points;
    const int64_t now = harness_.clock.NowSec();
    const size_t count = 1 + random_() % 40;
    for (size_t i = 0; i < count; ++i) {
      // Late points are flushed while the finest archive has their step: later the coarser ones
      // cannot be exact.
      const int64_t age =
          static_cast<int64_t>(random_() % 10 == 0 ? random_() % 1500 : random_() % 60);
      const int64_t time = now - age;
      // Small, so that products of a hundred points stay exact.
      const double value = static_cast<double>(random_() % 7) - 2;
      points.push_back({Name(random_() % (2 * kKinds.size())), {time, value}});
    }
    ASSERT_TRUE(harness_.Write(points).ok()) << context_;
    for (const auto& [name, point] : points) {
      models_[name].raw[point.timestamp_sec - point.timestamp_sec % kStep0] = point.value;
    }
  }

  void Check() {
    const int64_t now = harness_.clock.NowSec();
    for (const auto& [name, model] : models_) {
      if (random_() % 3 != 0) continue;
      const AggregationRule rule = rules_.Find(name);
      CheckRange(name, {now - kKept0, now, now}, kStep0, [&](int64_t t) {
        const auto it = model.raw.find(t);
        return it == model.raw.end() ? kAbsent : it->second;
      });
      std::vector<std::optional<AggregateSpec>> asked = {std::nullopt};
      for (const AggregateSpec& spec : rule.also) asked.push_back(spec);
      asked.push_back(AggregateSpec{AggregationMethod::kMultiply, 0});  // mostly not kept
      for (const std::optional<AggregateSpec>& aggregate : asked) {
        const AggregateSpec spec =
            aggregate.has_value() && rule.Offers(*aggregate) ? *aggregate : rule.aggregate();
        CheckRange(name, {now - kKept1, now, now, aggregate}, kStep1,
                   [&](int64_t t) { return model.Coarse1(rule, spec, t); });
        CheckRange(name, {now - 2 * 86400, now, now, aggregate}, kStep2,
                   [&](int64_t t) { return model.Coarse2(rule, spec, t); });
      }
    }
  }

  template <typename Want>
  void CheckRange(const std::string& name, const FetchRange& range, int64_t step, Want want) {
    Series found;
    const SeriesId id = harness_.Find(name);
    ASSERT_NE(id, kNoSeries) << context_ << " " << name;
    const absl::Status status = harness_.engine->Read(id, range, &found);
    ASSERT_TRUE(status.ok()) << context_ << " " << status;
    ASSERT_EQ(found.step_sec, step);
    const FetchGrid grid = GridOf(range.from_sec, range.until_sec, step);
    ASSERT_EQ(found.start_sec, grid.start_sec);
    ASSERT_EQ(static_cast<int64_t>(found.values.size()), grid.count());
    for (size_t i = 0; i < found.values.size(); ++i) {
      const int64_t t = grid.start_sec + static_cast<int64_t>(i) * step;
      const double expected = want(t);
      // Deviations are added up in another order.
      const double error = std::abs(found.values[i] - expected);
      ASSERT_TRUE(std::isnan(expected) ? std::isnan(found.values[i])
                                       : error <= 1e-9 * std::max(1.0, std::abs(expected)))
          << context_ << " " << name << " "
          << (range.aggregate ? AggregateName(*range.aggregate) : "own") << " step " << step
          << " at now" << t - range.until_sec << " expected " << expected << " found "
          << found.values[i];
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
  for (uint64_t seed = 1; seed <= 6 && !::testing::Test::HasFailure(); ++seed) {
    ModelRun run(seed);
    run.Run(1500);
  }
}

}  // namespace
}  // namespace shoal
