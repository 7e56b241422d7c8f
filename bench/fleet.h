// The mixed fleet of the project's figures: 20 % constants, 30 % counters with increments uniform
// below 1,000, 40 % gauges that walk by up to 10.00 in two decimals, 10 % random doubles below
// 1,000 with twelve decimals. Its entropy is 1.54 bytes a point.
#pragma once

#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// A decimal number as senders write it.
struct DecimalValue {
  int64_t scaled = 0;  // below 2^53
  int decimals = 0;

  double AsDouble() const;  // the double that a parser makes of the text
  void AppendTo(std::string* text) const;
};

// The values of one series, a function of the seed and the series' number: the kind follows the
// number's last digit.
class FleetSeries {
 public:
  FleetSeries(uint64_t seed, int64_t series);
  DecimalValue Next();

 private:
  uint32_t Random();  // 31 bits

  int64_t series_;
  uint64_t state_;
  int64_t walk_;
};

// "PREFIX.host00012.metric034"
std::string FleetName(absl::string_view prefix, int64_t series);

}  // namespace shoal
