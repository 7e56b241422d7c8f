#include "base/metric/series.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace shoal {

FetchGrid GridOf(int64_t from_sec, int64_t until_sec, int64_t step_sec) {
  FetchGrid grid;
  grid.step_sec = step_sec;
  grid.start_sec = from_sec - from_sec % step_sec + step_sec;
  grid.end_sec = until_sec - until_sec % step_sec + step_sec;
  if (grid.start_sec == grid.end_sec) grid.end_sec += step_sec;
  return grid;
}

void FillFrom(const Series& other, Series* into) {
  SHOAL_CHECK(other.step_sec == into->step_sec);
  if (other.values.empty()) return;
  if (into->values.empty()) {
    into->start_sec = other.start_sec;
    into->values = other.values;
    return;
  }
  const int64_t step = into->step_sec;
  const int64_t start = std::min(into->start_sec, other.start_sec);
  const int64_t end = std::max(into->end_sec(), other.end_sec());
  if (start != into->start_sec || end != into->end_sec()) {
    std::vector<double> wider(static_cast<size_t>((end - start) / step), kAbsent);
    std::copy(into->values.begin(), into->values.end(),
              wider.begin() + (into->start_sec - start) / step);
    into->values = std::move(wider);
    into->start_sec = start;
  }
  const size_t first = static_cast<size_t>((other.start_sec - start) / step);
  for (size_t i = 0; i < other.values.size(); ++i) {
    double& value = into->values[first + i];
    if (std::isnan(value)) value = other.values[i];
  }
}

}  // namespace shoal
