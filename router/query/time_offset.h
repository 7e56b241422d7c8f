// Lengths of time in Graphite's notation: "10min", "1h30min", "-1d".
#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

// Seconds, signed. An optional sign, then one or more of number and unit; a unit is known by its
// beginning: s, min, h, d, w, mon (30 days), y (365 days). "m" alone is ambiguous and an error, as
// in Graphite. Empty text is 0. InvalidArgument says what is wrong; so does a length of more than
// 10,000 years.
absl::StatusOr<int64_t> ParseTimeOffset(absl::string_view text);

}  // namespace shoal
