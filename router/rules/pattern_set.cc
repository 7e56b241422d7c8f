#include "router/rules/pattern_set.h"

#include <re2/re2.h>
#include <re2/set.h>

#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr size_t kPatternsMax = 20'000;
constexpr size_t kPatternBytesMax = 8192;
constexpr int64_t kPatternMemoryMax = 8 << 20;
constexpr int64_t kSetMemoryMax = 128 << 20;

re2::StringPiece Piece(absl::string_view text) {
  return re2::StringPiece(text.data(), text.size());
}

RE2::Options SetOptions() {
  RE2::Options options;
  options.set_log_errors(false);
  options.set_max_mem(kSetMemoryMax);
  return options;
}

}  // namespace

class PatternSet::Impl {
 public:
  Impl() : set_(SetOptions(), RE2::UNANCHORED) {}
  RE2::Set* set() { return &set_; }

 private:
  RE2::Set set_;
};

PatternSet::PatternSet() : set_(std::make_unique<Impl>()) {}
PatternSet::~PatternSet() = default;
PatternSet::PatternSet(PatternSet&&) noexcept = default;
PatternSet& PatternSet::operator=(PatternSet&&) noexcept = default;

absl::StatusOr<uint32_t> PatternSet::Add(absl::string_view pattern, const PatternOptions& options) {
  if (patterns_.size() >= kPatternsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", kPatternsMax, " regular expressions"));
  }
  if (pattern.size() > kPatternBytesMax) {
    return absl::InvalidArgumentError(absl::StrCat("a regular expression of ", pattern.size(),
                                                   " bytes, at most ", kPatternBytesMax,
                                                   " are taken"));
  }
  RE2::Options re_options;
  re_options.set_log_errors(false);
  re_options.set_case_sensitive(!options.ignore_case);
  re_options.set_longest_match(options.longest_match);
  re_options.set_max_mem(kPatternMemoryMax);
  auto regex = std::make_unique<RE2>(Piece(pattern), re_options);
  std::string error = regex->error();
  // The set has one option for all; what matches does not depend on the length of the match.
  if (regex->ok()) {
    const std::string in_set =
        options.ignore_case ? absl::StrCat("(?i:", pattern, ")") : std::string(pattern);
    if (set_->set()->Add(in_set, &error) >= 0) {
      patterns_.push_back(std::move(regex));
      texts_.emplace_back(pattern);
      return static_cast<uint32_t>(patterns_.size() - 1);
    }
  }
  return absl::InvalidArgumentError(
      absl::StrCat("regular expression \"", pattern, "\" cannot be used: ", error));
}

absl::Status PatternSet::Compile() {
  if (!patterns_.empty() && !set_->set()->Compile()) {
    return absl::InvalidArgumentError(absl::StrCat(patterns_.size(),
                                                   " regular expressions together take more than ",
                                                   kSetMemoryMax, " bytes"));
  }
  return absl::OkStatus();
}

void PatternSet::Match(absl::string_view name, std::vector<bool>* matches) const {
  matches->assign(patterns_.size(), false);
  if (patterns_.empty()) return;
  std::vector<int> found;
  RE2::Set::ErrorInfo error;
  error.kind = RE2::Set::kNoError;
  if (!set_->set()->Match(Piece(name), &found, &error) && error.kind != RE2::Set::kNoError) {
    // The automaton outgrew its memory: one by one they have more of it, and can do without.
    for (size_t i = 0; i < patterns_.size(); ++i) {
      (*matches)[i] = RE2::PartialMatch(Piece(name), *patterns_[i]);
    }
    return;
  }
  for (const int pattern : found) (*matches)[static_cast<size_t>(pattern)] = true;
}

const std::string& PatternSet::text(uint32_t pattern) const { return texts_[pattern]; }

}  // namespace shoal
