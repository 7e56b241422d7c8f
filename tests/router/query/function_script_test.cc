// Runs the scripts in tests/router/query/scripts; their syntax is explained at the top of
// functions.test.

#include <gtest/gtest.h>

#include <charconv>
#include <cmath>
#include <fstream>
#include <sstream>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "router/query/evaluator.h"
#include "tests/router/query/memory_source.h"

namespace shoal {
namespace {

std::vector<double> Values(absl::string_view text) {
  std::vector<double> values;
  for (const absl::string_view word : absl::StrSplit(text, ' ', absl::SkipEmpty())) {
    double value = kAbsent;
    if (word != "_") {
      EXPECT_EQ(std::from_chars(word.data(), word.data() + word.size(), value).ec, std::errc())
          << word;
    }
    values.push_back(value);
  }
  return values;
}

std::string Shown(const TimeSeries& s) {
  std::string text =
      absl::StrCat(s.name.empty() ? "<empty>" : s.name, " | ", s.start_sec, " ", s.step_sec, " :");
  for (const double v : s.values)
    absl::StrAppend(&text, " ", std::isnan(v) ? "_" : absl::StrCat(v));
  return text;
}

// The same text with its numbers as StrCat writes them.
std::string Normalized(const std::string& line) {
  const size_t colon = line.rfind(" :");
  TimeSeries numbers;
  numbers.values = Values(absl::string_view(line).substr(colon + 2));
  const std::string shown = Shown(numbers);
  return line.substr(0, colon) + shown.substr(shown.rfind(" :"));
}

absl::StatusOr<SeriesList> Evaluate(const std::string& command, MemorySource* source) {
  std::istringstream words(command);
  std::string verb;
  EvalRequest request;
  words >> verb >> request.range.from_sec >> request.range.until_sec >> std::ws;
  request.range.now_sec = 1000;
  std::getline(words, request.targets.emplace_back());
  return EvaluateTargets(request, EvalLimits(), source);
}

void RunScript(const std::string& path) {
  std::ifstream file(path);
  ASSERT_TRUE(file.is_open()) << path;
  MemorySource source;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  int checks = 0;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string& command = lines[i];
    if (command.empty() || command.front() == '#') continue;
    SCOPED_TRACE(absl::StrCat(path, ":", i + 1, ": ", command));
    if (absl::StartsWith(command, "load ")) {
      std::istringstream words(command);
      std::string verb, name;
      int64_t start, step;
      words >> verb >> name >> start >> step;
      source.Add(name, start, step, Values(command.substr(command.find(" : ") + 3)));
      continue;
    }
    std::vector<std::string> expected;
    while (i + 1 < lines.size() && absl::StartsWith(lines[i + 1], "  "))
      expected.push_back(lines[++i].substr(2));
    const absl::StatusOr<SeriesList> result = Evaluate(command, &source);
    ++checks;
    if (absl::StartsWith(command, "fail ")) {
      ASSERT_EQ(expected.size(), 1u);
      EXPECT_EQ(result.status().code(), absl::StatusCode::kInvalidArgument);
      EXPECT_TRUE(absl::StrContains(result.status().message(), expected[0])) << result.status();
      continue;
    }
    ASSERT_TRUE(absl::StartsWith(command, "eval "));
    ASSERT_TRUE(result.ok()) << result.status();
    std::vector<std::string> got;
    for (const TimeSeries& s : *result) got.push_back(Shown(s));
    for (std::string& line : expected) line = Normalized(line);
    EXPECT_EQ(got, expected);
  }
  EXPECT_GT(checks, 0);
}

TEST(FunctionScriptTest, Functions) { RunScript("tests/router/query/scripts/functions.test"); }

}  // namespace
}  // namespace shoal
