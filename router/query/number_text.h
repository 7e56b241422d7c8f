// Numbers as Python prints them: Graphite's names, tags, raw and CSV answers are made of these
// texts.
#pragma once

#include <cstdint>
#include <string>

namespace shoal {

// Enough for every double that AppendFloat writes ("-1.7976931348623157e+308" and its like).
inline constexpr size_t kFloatTextBytesMax = 32;

// Writes what Python's repr(float) gives: the shortest text that reads back as the same double,
// "1.0", "1e-05", "1e+16", "inf", "-inf", "nan". Returns the end; `out` has room for
// kFloatTextBytesMax bytes. Not terminated.
char* WriteFloat(double value, char* out);
std::string FloatText(double value);

// printf's "%g": six significant digits, as in the names scale(x,0.1) and scale(x,1e+06).
std::string ShortFloatText(double value);

// round(value, 6) of Python: correctly rounded to six decimals, ties to even. NaN and infinities
// come back as they are.
double RoundToMicro(double value);

}  // namespace shoal
