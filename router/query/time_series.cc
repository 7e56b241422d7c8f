#include "router/query/time_series.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_split.h"

namespace shoal {
namespace {

// sum(...): what Graphite recognises as the name of a computed series.
bool LooksComputed(absl::string_view name) {
  size_t letters = 0;
  while (letters < name.size() && absl::ascii_isalpha(static_cast<unsigned char>(name[letters]))) {
    ++letters;
  }
  return letters > 0 && name.size() >= letters + 3 && name[letters] == '(' && name.back() == ')';
}

bool IsValidTag(absl::string_view key, absl::string_view value) {
  return !key.empty() && !value.empty() && value.front() != '~' &&
         key.find_first_of(";!^=") == absl::string_view::npos;
}

}  // namespace

Tags Tags::FromName(absl::string_view name) {
  Tags tags;
  Tags whole;
  whole.Set("name", name);
  if (LooksComputed(name)) return whole;
  absl::string_view metric = name.substr(0, name.find(';'));
  if (metric.size() < name.size()) {
    for (absl::string_view segment : absl::StrSplit(name.substr(metric.size() + 1), ';')) {
      const size_t equals = segment.find('=');
      if (equals == absl::string_view::npos) return whole;
      const absl::string_view key = segment.substr(0, equals);
      const absl::string_view value = segment.substr(equals + 1);
      if (!IsValidTag(key, value)) return whole;
      tags.Set(key, value);
    }
  }
  while (!metric.empty() && metric.front() == '~') metric.remove_prefix(1);
  if (metric.empty()) return whole;
  tags.Set("name", metric);
  return tags;
}

void Tags::Set(absl::string_view key, absl::string_view value) {
  for (auto& [known, text] : items_) {
    if (known == key) {
      text.assign(value.data(), value.size());
      return;
    }
  }
  items_.emplace_back(key, value);
}

const std::string* Tags::Find(absl::string_view key) const {
  for (const auto& [known, text] : items_) {
    if (known == key) return &text;
  }
  return nullptr;
}

void Tags::KeepCommon(const Tags& other) {
  std::erase_if(items_, [&other](const std::pair<std::string, std::string>& item) {
    const std::string* value = other.Find(item.first);
    return value == nullptr || *value != item.second;
  });
}

void TimeSeries::Rename(std::string new_name) {
  name = std::move(new_name);
  path_expression = name;
}

TimeSeries FromFetched(Series series, absl::string_view pattern, double x_files_factor) {
  TimeSeries result;
  result.tags = Tags::FromName(series.name);
  result.name = std::move(series.name);
  result.path_expression = std::string(pattern);
  result.start_sec = series.start_sec;
  result.end_sec = series.start_sec + series.step_sec * static_cast<int64_t>(series.values.size());
  result.step_sec = series.step_sec;
  result.values = std::move(series.values);
  result.x_files_factor = x_files_factor;
  return result;
}

}  // namespace shoal
