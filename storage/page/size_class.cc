#include "storage/page/size_class.h"

#include <algorithm>

namespace shoal {

uint8_t SizeClassFor(size_t bytes, uint32_t steps, uint8_t columns) {
  const auto holds = [&](uint8_t size_class) {
    return PageBytesFor(size_class, steps, columns) >= bytes;
  };
  size_t low = 0;
  size_t high = kSizeClassCount - 1;
  while (low < high) {
    const size_t middle = (low + high) / 2;
    if (holds(kSizeClasses[middle])) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return kSizeClasses[low];
}

uint8_t PickSizeClass(const PageShape& shape, const PageSize& size) {
  return SizeClassFor(std::max(size.bytes, size.full_bytes), shape.steps, shape.columns);
}

uint8_t PickSizeClass(const PageShape& shape, absl::Span<const double> dense) {
  return PickSizeClass(shape, MeasurePage(shape, dense));
}

}  // namespace shoal
