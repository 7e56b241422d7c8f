// Small pieces of JSON text.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Appends `text` in quotes. Control characters are escaped; bytes that are not UTF-8 become U+FFFD,
// so that the answer is always valid JSON.
void AppendJsonString(absl::string_view text, std::string* out);

// Appends the number as Python's json module writes it, with Graphite's substitutes: null for NaN,
// 1e9999 for infinity.
void AppendJsonNumber(double value, std::string* out);

}  // namespace shoal
