// Metric names: validation, canonical form of tagged names, nodes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

enum class NameError : uint8_t {
  kNone,
  kEmpty,
  kTooLong,
  kBadByte,    // control character, space, '/', NUL, or not UTF-8
  kEmptyNode,  // "a..b", ".a" or "a."
  kBadTag,     // a tag without key, value or '='
};
const char* NameErrorText(
    NameError error);  // stable, used as the `reason` label: "empty_name", "name_too_long", ...

inline constexpr size_t kNameBytesMax = 1024;

// Checks a name as it came off the wire, dotted or tagged ("name;k=v;k2=v2"). Does not allocate. A
// name that passes can never act as a path: it has no '/', no NUL, no empty node, and no node that
// is "." or "..".
NameError ValidateName(absl::string_view name);

// Canonical form: tags sorted as Graphite does (the strings "k=v" in byte order), the last of a
// repeated key wins, a tag called "name" goes (Graphite overwrites it with the metric name), and
// leading '~' of the name part are stripped for tagged names. Untagged names come back as they are.
// `name` must have passed ValidateName; so does the result.
std::string CanonicalName(absl::string_view name);
inline bool IsTagged(absl::string_view name) { return name.find(';') != absl::string_view::npos; }

// "a.b.c" -> {a, b, c}; the tags of a tagged name stay with its last node, dots and all. Views into
// `name`.
std::vector<absl::string_view> SplitNodes(absl::string_view name);

}  // namespace shoal
