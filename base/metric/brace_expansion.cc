#include "base/metric/brace_expansion.h"

#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

void DropDuplicates(std::vector<std::string>* texts) {
  if (texts->size() < 2) return;
  absl::flat_hash_set<std::string> seen;
  std::vector<std::string> kept;
  kept.reserve(texts->size());
  for (std::string& text : *texts) {
    if (seen.insert(text).second) kept.push_back(std::move(text));
  }
  *texts = std::move(kept);
}

// A brace expression: what lies between its outer braces, cut at its own commas.
struct Group {
  size_t size = 0;  // with both braces
  bool has_dot = false;
  std::vector<absl::string_view> choices;
};

class Expander {
 public:
  Expander(absl::string_view pattern, BraceFilter filter, size_t count_max)
      : pattern_(pattern), filter_(filter), count_max_(count_max) {}

  absl::StatusOr<std::vector<std::string>> Expand(absl::string_view text, int depth) const {
    std::vector<std::string> results(1);
    size_t copied = 0;  // text before this offset is in the results
    for (size_t i = 0; i < text.size();) {
      if (text[i] == '[') {
        const size_t size = BracketSize(text.substr(i));
        if (size == 0) return Error("a bracket is not closed");
        i += size;
        continue;
      }
      if (text[i] != '{') {
        ++i;
        continue;
      }
      SHOAL_ASSIGN_OR_RETURN(const Group group, ParseGroup(text.substr(i), depth));
      if (filter_ == BraceFilter::kAll || group.has_dot) {
        SHOAL_RETURN_IF_ERROR(AppendToAll(text.substr(copied, i - copied), &results));
        SHOAL_RETURN_IF_ERROR(AppendGroup(group, depth, &results));
        copied = i + group.size;
      }
      i += group.size;
    }
    SHOAL_RETURN_IF_ERROR(AppendToAll(text.substr(copied), &results));
    return results;
  }

 private:
  absl::Status Error(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat("pattern \"", pattern_, "\": ", message));
  }

  absl::StatusOr<Group> ParseGroup(absl::string_view text, int outer_depth) const {
    Group group;
    int depth = 0;
    size_t choice_start = 1;
    for (size_t i = 0; i < text.size(); ++i) {
      switch (text[i]) {
        case '[': {
          const size_t size = BracketSize(text.substr(i));
          if (size == 0) return Error("a bracket is not closed");
          i += size - 1;
          break;
        }
        case '.':
          group.has_dot = true;
          break;
        case '{':
          if (outer_depth + ++depth > kBraceDepthMax) return Error("too many braces in braces");
          break;
        case ',':
          if (depth == 1) {
            group.choices.push_back(text.substr(choice_start, i - choice_start));
            choice_start = i + 1;
          }
          break;
        case '}':
          if (--depth > 0) break;
          group.choices.push_back(text.substr(choice_start, i - choice_start));
          group.size = i + 1;
          return group;
        default:
          break;
      }
    }
    return Error("a brace is not closed");
  }

  absl::Status AppendGroup(const Group& group, int depth, std::vector<std::string>* results) const {
    std::vector<std::string> tails;
    size_t tail_bytes = 0;
    for (absl::string_view choice : group.choices) {
      SHOAL_ASSIGN_OR_RETURN(std::vector<std::string> expanded, Expand(choice, depth + 1));
      for (std::string& tail : expanded) {
        tail_bytes += tail.size();
        tails.push_back(std::move(tail));
      }
      SHOAL_RETURN_IF_ERROR(CheckBounds(tails.size(), tail_bytes));
    }
    // Without duplicates here the results multiply by two or more, or else grow in place: the work
    // stays within the bounds however many groups follow each other.
    DropDuplicates(&tails);
    if (tails.size() == 1) return AppendToAll(tails.front(), results);
    tail_bytes = 0;
    for (const std::string& tail : tails) tail_bytes += tail.size();
    size_t bytes = 0;
    for (const std::string& result : *results) bytes += result.size();
    SHOAL_RETURN_IF_ERROR(CheckBounds(results->size() * tails.size(),
                                      bytes * tails.size() + tail_bytes * results->size()));
    std::vector<std::string> product;
    product.reserve(results->size() * tails.size());
    for (const std::string& result : *results) {
      for (const std::string& tail : tails) product.push_back(absl::StrCat(result, tail));
    }
    *results = std::move(product);
    return absl::OkStatus();
  }

  absl::Status AppendToAll(absl::string_view text, std::vector<std::string>* results) const {
    if (text.empty()) return absl::OkStatus();
    size_t bytes = 0;
    for (std::string& result : *results) {
      absl::StrAppend(&result, text);
      bytes += result.size();
    }
    return CheckBounds(results->size(), bytes);
  }

  absl::Status CheckBounds(size_t count, size_t bytes) const {
    if (count > count_max_) {
      return Error(absl::StrCat("its braces stand for more than ", count_max_, " texts"));
    }
    if (bytes > kExpandedBytesMax) {
      return Error(absl::StrCat("its braces stand for more than ", kExpandedBytesMax, " bytes"));
    }
    return absl::OkStatus();
  }

  const absl::string_view pattern_;
  const BraceFilter filter_;
  const size_t count_max_;
};

}  // namespace

absl::StatusOr<std::vector<std::string>> ExpandBraces(absl::string_view pattern, BraceFilter filter,
                                                      size_t count_max) {
  SHOAL_ASSIGN_OR_RETURN(std::vector<std::string> texts,
                         Expander(pattern, filter, count_max).Expand(pattern, 0));
  DropDuplicates(&texts);
  return texts;
}

size_t BracketSize(absl::string_view text) {
  size_t member = 1;
  if (member < text.size() && text[member] == '!') ++member;
  const size_t end = text.find(']', member + 1);
  return end == absl::string_view::npos ? 0 : end + 1;
}

}  // namespace shoal
