#include "storage/ring/rollup.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/metric/series.h"

namespace shoal {
namespace {

using Method = AggregationMethod;

bool Enough(size_t known, size_t slots, double x_files_factor) {
  return known > 0 && static_cast<double>(known) / static_cast<double>(slots) >= x_files_factor;
}

// The columns of some finer steps of a coarse step that are known.
struct KnownSteps {
  absl::Span<const double> cells;  // of all finer steps
  size_t stride = 0;
  const std::vector<size_t>* steps = nullptr;

  double at(size_t column, size_t i) const { return cells[column * stride + (*steps)[i]]; }
  size_t size() const { return steps->size(); }
};

// Deviations around a common mean: those around each step's own mean, and of these means.
double MergeSquares(const AggregateColumns& columns, const KnownSteps& known, size_t column) {
  const size_t sum = static_cast<size_t>(columns.Find({Method::kSum, 0}));
  const size_t count = static_cast<size_t>(columns.Find({Method::kCount, 0}));
  double mean = 0;
  double total = 0;
  double squares = 0;
  for (size_t i = 0; i < known.size(); ++i) {
    const double n = known.at(count, i);
    const double delta = known.at(sum, i) / n - mean;
    squares += known.at(column, i) + delta * delta * total * n / (total + n);
    total += n;
    mean += delta * n / total;
  }
  return squares;
}

// What makes a column of the finer steps' same column.
AggregateSpec OverCoarse(AggregateSpec spec) {
  return spec.method == Method::kCount ? AggregateSpec{Method::kSum, 0} : spec;
}

}  // namespace

size_t RollUpFine(const AggregateColumns& columns, double x_files_factor, size_t per_step,
                  absl::Span<const double> fine, absl::Span<double> cells) {
  SHOAL_CHECK(per_step > 0 && fine.size() % per_step == 0);
  const size_t steps = fine.size() / per_step;
  SHOAL_CHECK(cells.size() >= columns.size() * steps);
  static thread_local std::vector<double> scratch;
  scratch.resize(per_step);
  size_t known_steps = 0;
  for (size_t step = 0; step < steps; ++step) {
    const double* const from = fine.data() + step * per_step;
    size_t known = 0;
    for (size_t i = 0; i < per_step; ++i) {
      // Without a branch: gaps come as they like.
      scratch[known] = from[i];
      known += std::isnan(from[i]) ? 0 : 1;
    }
    const bool enough = Enough(known, per_step, x_files_factor);
    known_steps += enough ? 1 : 0;
    const absl::Span<const double> values(scratch.data(), known);
    for (size_t column = 0; column < columns.size(); ++column) {
      cells[column * steps + step] =
          enough ? AggregateKnown(columns.specs()[column], values, per_step) : kAbsent;
    }
  }
  return known_steps;
}

size_t RollUpCoarse(const AggregateColumns& columns, double x_files_factor, size_t per_step,
                    absl::Span<const double> finer, absl::Span<double> cells) {
  SHOAL_CHECK(per_step > 0 && finer.size() % (columns.size() * per_step) == 0);
  const size_t finer_steps = finer.size() / columns.size();
  const size_t steps = finer_steps / per_step;
  SHOAL_CHECK(cells.size() >= columns.size() * steps);
  static thread_local std::vector<size_t> at;
  static thread_local std::vector<double> values;
  size_t known_steps = 0;
  for (size_t step = 0; step < steps; ++step) {
    at.clear();
    for (size_t i = step * per_step; i < (step + 1) * per_step; ++i) {
      if (!std::isnan(finer[i])) at.push_back(i);
    }
    const bool enough = Enough(at.size(), per_step, x_files_factor);
    known_steps += enough ? 1 : 0;
    const KnownSteps known{finer, finer_steps, &at};
    for (size_t column = 0; column < columns.size(); ++column) {
      double& cell = cells[column * steps + step];
      const AggregateSpec spec = columns.specs()[column];
      if (!enough) {
        cell = kAbsent;
      } else if (spec.method == Method::kSquares) {
        cell = MergeSquares(columns, known, column);
      } else {
        values.clear();
        for (size_t i = 0; i < known.size(); ++i) values.push_back(known.at(column, i));
        cell = AggregateKnown(OverCoarse(spec), values, per_step);
      }
    }
  }
  return known_steps;
}

size_t RollUpArchive(const SeriesSchema& schema, const AggregateColumns& columns, size_t k,
                     absl::Span<const double> finer, absl::Span<double> cells) {
  const auto roll_up = k == 1 ? &RollUpFine : &RollUpCoarse;
  return roll_up(columns, schema.aggregation.x_files_factor, StepsPerStep(schema, k), finer, cells);
}

}  // namespace shoal
