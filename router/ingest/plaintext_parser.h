// One line of Graphite's plaintext protocol: "name value timestamp".
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace shoal {

// Why a line was refused. The names (LineErrorName) are label values that people alert on: frozen.
enum class LineError : uint8_t {
  kNone,
  kBadFieldCount,
  kBadValue,
  kNanValue,
  kInfiniteValue,
  kBadTimestamp,
  kEmptyName,
  kNameTooLong,
  kBadByte,
  kEmptyNode,
  kBadTag,
  kLineTooLong,
  kPartialLineAtClose,  // the connection was cut, or closed behind half a line
};
inline constexpr size_t kLineErrorCount = 13;
const char* LineErrorName(LineError error);  // "bad_field_count", ...; "none" for kNone

struct LineSyntax {
  bool accept_infinite = false;    // "inf" and "-inf", and numbers that overflow a double
  bool accept_two_fields = false;  // "name value" means now
};

struct ParsedLine {
  absl::string_view
      name;  // into the line; not validated yet: the name table does that once per name
  uint32_t timestamp_sec = 0;
  double value = 0;
};

// Parses a line without its newline; a trailing CR and blanks around the fields are ignored. Fields
// are separated by runs of spaces and tabs.
//
// Value: a decimal or scientific number with an optional sign, as Python's float() reads it,
// without '_' and without hex. NaN is refused as kNanValue. Timestamp: seconds as an integer or a
// decimal number (truncated), within 1 .. 2^32-1; -1, 0 and "N" mean `now_sec`.
//
// kNone and *parsed set, or the first thing that is wrong. A blank line is kBadFieldCount here:
// callers drop blank lines before (IsBlankLine). Does not allocate.
LineError ParseLine(absl::string_view line, uint32_t now_sec, const LineSyntax& syntax,
                    ParsedLine* parsed);

// Nothing but blanks and carriage returns.
bool IsBlankLine(absl::string_view line);

}  // namespace shoal
