#include "router/query/series_node.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "base/metric/metric_name.h"
#include "router/query/target_parser.h"

namespace shoal {
namespace {

std::string NodeOrTag(const TimeSeries& series, const std::vector<absl::string_view>& nodes,
                      const Value& which) {
  if (const auto* index = std::get_if<int64_t>(&which)) {
    const int64_t size = static_cast<int64_t>(nodes.size());
    const int64_t at = *index < 0 ? *index + size : *index;
    if (at >= 0 && at < size) return std::string(nodes[static_cast<size_t>(at)]);
  }
  const std::string* tag = series.tags.Find(ValueText(which));
  return tag == nullptr ? "" : *tag;
}

}  // namespace

std::string NodesKey(const TimeSeries& series, const std::vector<Value>& nodes) {
  std::string path;
  if (!series.name.empty() && series.name.back() == ')') path = FirstPath(series.name);
  if (path.empty()) path = series.name;
  const absl::string_view metric = absl::string_view(path).substr(0, path.find(';'));
  const std::vector<absl::string_view> parts = SplitNodes(metric);
  std::string key;
  for (size_t i = 0; i < nodes.size(); ++i) {
    if (i > 0) key.push_back('.');
    key.append(NodeOrTag(series, parts, nodes[i]));
  }
  return key;
}

Slice PythonSlice(int64_t start, int64_t stop, size_t size) {
  const int64_t count = static_cast<int64_t>(size);
  const auto bound = [count](int64_t at) {
    return std::clamp<int64_t>(at < 0 ? (at < -count ? 0 : at + count) : at, 0, count);
  };
  Slice slice;
  slice.begin = static_cast<size_t>(bound(start));
  slice.end = std::max(slice.begin, static_cast<size_t>(bound(stop)));
  return slice;
}

}  // namespace shoal
