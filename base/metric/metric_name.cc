#include "base/metric/metric_name.h"

#include <algorithm>
#include <cstddef>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shoal {
namespace {

bool IsContinuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

// Length of the well-formed UTF-8 sequence at `text[0]`, which is not ASCII; 0 for overlong forms,
// surrogates, code points past U+10FFFF, cut sequences, and the control characters U+0080..U+009F.
size_t PrintableUtf8Length(absl::string_view text) {
  const auto at = [text](size_t i) {
    return i < text.size() ? static_cast<unsigned char>(text[i]) : static_cast<unsigned char>(0);
  };
  const unsigned char first = at(0);
  const unsigned char second = at(1);
  if (first < 0xc2 || first > 0xf4 || !IsContinuation(second)) return 0;
  if (first < 0xe0) return first == 0xc2 && second < 0xa0 ? 0 : 2;
  if (!IsContinuation(at(2))) return 0;
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first < 0xf0) return 3;
  if (!IsContinuation(at(3))) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return 4;
}

bool HasOnlyGoodBytes(absl::string_view name) {
  for (size_t i = 0; i < name.size();) {
    const auto byte = static_cast<unsigned char>(name[i]);
    if (byte < 0x80) {
      if (byte <= 0x20 || byte == 0x7f || byte == '/') return false;
      ++i;
      continue;
    }
    const size_t length = PrintableUtf8Length(name.substr(i));
    if (length == 0) return false;
    i += length;
  }
  return true;
}

// `tag` is "k=v".
bool IsGoodTag(absl::string_view tag) {
  const size_t equals = tag.find('=');
  if (equals == absl::string_view::npos || equals == 0) return false;
  const absl::string_view key = tag.substr(0, equals);
  const absl::string_view value = tag.substr(equals + 1);
  if (key.find_first_of("!^") != absl::string_view::npos) return false;
  return !value.empty() && value.front() != '~';
}

absl::string_view WithoutTildes(absl::string_view name_part) {
  const size_t start = name_part.find_first_not_of('~');
  return start == absl::string_view::npos ? absl::string_view() : name_part.substr(start);
}

}  // namespace

const char* NameErrorText(NameError error) {
  switch (error) {
    case NameError::kNone:
      return "none";
    case NameError::kEmpty:
      return "empty_name";
    case NameError::kTooLong:
      return "name_too_long";
    case NameError::kBadByte:
      return "bad_byte";
    case NameError::kEmptyNode:
      return "empty_node";
    case NameError::kBadTag:
      return "bad_tag";
  }
  return "unknown";
}

NameError ValidateName(absl::string_view name) {
  if (name.empty()) return NameError::kEmpty;
  if (name.size() > kNameBytesMax) return NameError::kTooLong;
  if (!HasOnlyGoodBytes(name)) return NameError::kBadByte;
  absl::string_view path = name;
  const size_t semicolon = name.find(';');
  if (semicolon != absl::string_view::npos) {
    // What CanonicalName leaves of the name part is what has to be a good path.
    path = WithoutTildes(name.substr(0, semicolon));
    if (path.empty()) return NameError::kEmpty;
    absl::string_view tags = name.substr(semicolon + 1);
    while (true) {
      const size_t next = tags.find(';');
      if (!IsGoodTag(tags.substr(0, next))) return NameError::kBadTag;
      if (next == absl::string_view::npos) break;
      tags.remove_prefix(next + 1);
    }
  }
  if (path.front() == '.' || path.back() == '.' || path.find("..") != absl::string_view::npos) {
    return NameError::kEmptyNode;
  }
  return NameError::kNone;
}

std::string CanonicalName(absl::string_view name) {
  const size_t semicolon = name.find(';');
  if (semicolon == absl::string_view::npos) return std::string(name);
  // Views of "k=v", with the length of "k=".
  struct Tag {
    absl::string_view text;
    size_t key_size;
    absl::string_view key() const { return text.substr(0, key_size); }
  };
  absl::InlinedVector<Tag, 16> tags;
  for (absl::string_view tag : absl::StrSplit(name.substr(semicolon + 1), ';')) {
    tags.push_back({tag, tag.find('=') + 1});
  }
  // No key holds a '=', so that "k=" decides between different keys just as the whole "k=v" would,
  // and stability keeps the values of one key in their order of arrival.
  std::stable_sort(tags.begin(), tags.end(),
                   [](const Tag& a, const Tag& b) { return a.key() < b.key(); });
  std::string canonical(WithoutTildes(name.substr(0, semicolon)));
  canonical.reserve(name.size());
  for (size_t i = 0; i < tags.size(); ++i) {
    const bool is_last_of_key = i + 1 == tags.size() || tags[i + 1].key() != tags[i].key();
    // In Graphite the tag "name" is the metric name itself, whatever the sender says.
    if (!is_last_of_key || tags[i].key() == "name=") continue;
    absl::StrAppend(&canonical, ";", tags[i].text);
  }
  return canonical;
}

std::vector<absl::string_view> SplitNodes(absl::string_view name) {
  const size_t path_size = std::min(name.find(';'), name.size());
  std::vector<absl::string_view> nodes;
  nodes.reserve(static_cast<size_t>(std::count(name.begin(), name.begin() + path_size, '.')) + 1);
  size_t start = 0;
  for (size_t i = 0; i < path_size; ++i) {
    if (name[i] != '.') continue;
    nodes.push_back(name.substr(start, i - start));
    start = i + 1;
  }
  nodes.push_back(name.substr(start));
  return nodes;
}

}  // namespace shoal
