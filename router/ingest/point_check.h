// What a point's numbers must be, for the protocols that carry them as numbers. The plaintext
// parser holds its own to the same.
#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {

// Sets timestamp and value of *parsed, or says what is wrong. The timestamp is truncated to seconds
// and must lie within 1 .. 2^32-1; 0 and -1 mean `now_sec`.
LineError CheckNumbers(double timestamp, double value, uint32_t now_sec, const LineSyntax& syntax,
                       ParsedLine* parsed);

// A number written as text, as Python's float() reads it but without '_': blanks around it are
// ignored, "nan" and "inf" are numbers, an overflow is infinite.
bool ParseNumberText(absl::string_view text, double* number);

}  // namespace shoal
