// Functions that only rename.

#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/status_macros.h"
#include "router/query/function_registry.h"
#include "router/query/regex_replace.h"
#include "router/query/series_node.h"

namespace shoal {
namespace {

absl::StatusOr<SeriesList> Alias(FunctionCall call) {
  for (TimeSeries& s : call.series) s.name = call.args.String(1);
  return std::move(call.series);
}

absl::StatusOr<SeriesList> AliasByNode(FunctionCall call) {
  for (TimeSeries& s : call.series) s.name = NodesKey(s, call.args.All(1));
  return std::move(call.series);
}

// Names grow with every replacement of every match; nobody wants one of this size.
constexpr size_t kAliasBytesMax = 64 << 10;

absl::StatusOr<SeriesList> AliasSub(FunctionCall call) {
  absl::StatusOr<RegexReplace> replace =
      RegexReplace::Compile(call.args.String(1), call.args.String(2));
  if (!replace.ok()) return Annotate(replace.status(), "aliasSub()");
  for (TimeSeries& s : call.series) {
    s.name = replace->Apply(s.name);
    if (s.name.size() > kAliasBytesMax)
      return absl::InvalidArgumentError("aliasSub(): the new name is too long");
  }
  return std::move(call.series);
}

// Nodes [start, stop) of the innermost name; stop 0 means to the end.
std::string NodeRange(absl::string_view name, int64_t start, int64_t stop) {
  const size_t open = name.rfind('(');
  const size_t begin = open == absl::string_view::npos ? 0 : open + 1;
  const size_t close = std::min(name.find(')'), name.size());
  const absl::string_view inner =
      begin < close ? name.substr(begin, close - begin) : absl::string_view();
  const std::vector<absl::string_view> nodes = absl::StrSplit(inner, '.');
  const Slice slice =
      PythonSlice(start, stop == 0 ? static_cast<int64_t>(nodes.size()) : stop, nodes.size());
  const auto first = nodes.begin();
  std::string joined = absl::StrJoin(first + static_cast<std::ptrdiff_t>(slice.begin),
                                     first + static_cast<std::ptrdiff_t>(slice.end), ".");
  return joined.substr(0, joined.find(','));
}

absl::StatusOr<SeriesList> Substr(FunctionCall call) {
  for (TimeSeries& s : call.series)
    s.name = NodeRange(s.name, call.args.Integer(1), call.args.Integer(2));
  return std::move(call.series);
}

absl::StatusOr<SeriesList> AliasByMetric(FunctionCall call) {
  for (TimeSeries& s : call.series) s.name = NodeRange(s.name, -1, 0);
  return std::move(call.series);
}

}  // namespace

void AddAliasFunctions(FunctionMap* functions) {
  const auto add = [functions](FunctionDef def) { (*functions)[def.name] = std::move(def); };
  const ParamDef list{.name = "seriesList", .required = true};
  add({.name = "alias",
       .group = "Alias",
       .description = "Names the series as given.",
       .params = {list, {.name = "newName", .type = ParamType::kString, .required = true}},
       .run = &Alias});
  add({.name = "aliasByNode",
       .group = "Alias",
       .description = "Names each series by the chosen nodes of its path (or tags), joined with "
                      "dots. Negative numbers "
                      "count from the end.",
       .params =
           {list,
            {.name = "nodes", .type = ParamType::kNodeOrTag, .required = true, .multiple = true}},
       .run = &AliasByNode});
  add({.name = "aliasByTags",
       .group = "Alias",
       .description =
           "Names each series by the chosen tags (or nodes of its path), joined with dots.",
       .params =
           {list,
            {.name = "tags", .type = ParamType::kNodeOrTag, .required = true, .multiple = true}},
       .run = &AliasByNode});
  add({.name = "aliasByMetric",
       .group = "Alias",
       .description = "Names each series by the last node of its path.",
       .params = {list},
       .run = &AliasByMetric});
  add({.name = "aliasSub",
       .group = "Alias",
       .description = "Replaces what the regular expression matches in each name; \\1 stands for "
                      "the first group.",
       .params = {list,
                  {.name = "search", .type = ParamType::kString, .required = true},
                  {.name = "replace", .type = ParamType::kString, .required = true}},
       .run = &AliasSub});
  add({.name = "substr",
       .group = "Special",
       .description = "Names each series by the nodes from start up to, not including, stop.",
       .params = {list,
                  {.name = "start", .type = ParamType::kNode, .default_value = int64_t{0}},
                  {.name = "stop", .type = ParamType::kNode, .default_value = int64_t{0}}},
       .run = &Substr});
}

}  // namespace shoal
