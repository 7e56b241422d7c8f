// /metrics/find, /metrics/expand and /metrics/index.json.

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"
#include "router/api/api.h"
#include "router/api/json_text.h"
#include "router/api/request_params.h"
#include "router/api/time_spec.h"

namespace shoal {
namespace {

absl::string_view NodeName(absl::string_view path) { return path.substr(path.rfind('.') + 1); }

// The source's matches in the order in which Graphite lists them: by the last node, branches before
// leaves.
absl::StatusOr<std::vector<FindEntry>> FindMatches(absl::string_view query, bool leaves_only,
                                                   SeriesSource* source,
                                                   const ApiOptions& options) {
  // A backslash takes the next character as it is in a target; the finder knows no such thing and
  // neither has Graphite's.
  const std::string pattern = absl::StrReplaceAll(query, {{"\\", ""}});
  SHOAL_ASSIGN_OR_RETURN(std::vector<FindEntry> matches,
                         source->Find(pattern, RequestDeadline(options)));
  if (matches.size() > options.find_results_max) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "the query matches more than ", options.find_results_max, " nodes: make it narrower"));
  }
  if (leaves_only) std::erase_if(matches, [](const FindEntry& entry) { return !entry.is_leaf; });
  std::sort(matches.begin(), matches.end(), [](const FindEntry& a, const FindEntry& b) {
    return std::make_tuple(NodeName(a.path), absl::string_view(a.path), a.is_leaf) <
           std::make_tuple(NodeName(b.path), absl::string_view(b.path), b.is_leaf);
  });
  return matches;
}

void AppendTreeNode(absl::string_view text, absl::string_view id, bool is_leaf, std::string* out) {
  if (out->back() != '[') out->push_back(',');
  out->append("{\"text\":");
  AppendJsonString(text, out);
  out->append(",\"id\":");
  AppendJsonString(id, out);
  out->append(is_leaf ? ",\"allowChildren\":0,\"expandable\":0,\"leaf\":1}"
                      : ",\"allowChildren\":1,\"expandable\":1,\"leaf\":0}");
}

// Branches, then leaves; of nodes with the same name, the first.
std::string TreeJson(const std::vector<FindEntry>& matches, absl::string_view query,
                     bool wildcards) {
  const size_t dot = query.rfind('.');
  const std::string base(query.substr(0, dot == absl::string_view::npos ? 0 : dot + 1));
  std::string out = "[";
  if (wildcards && matches.size() > 1) {
    const bool leaves =
        std::all_of(matches.begin(), matches.end(), [](const FindEntry& m) { return m.is_leaf; });
    AppendTreeNode("*", absl::StrCat(base, "*"), leaves, &out);
  }
  std::vector<const FindEntry*> leaves;
  absl::flat_hash_set<absl::string_view> seen;
  for (const FindEntry& match : matches) {
    const absl::string_view name = NodeName(match.path);
    if (!seen.insert(name).second) continue;
    if (match.is_leaf) {
      leaves.push_back(&match);
    } else {
      AppendTreeNode(UrlDecode(name, /*plus_is_space=*/true), absl::StrCat(base, name), false,
                     &out);
    }
  }
  for (const FindEntry* leaf : leaves) {
    const absl::string_view name = NodeName(leaf->path);
    AppendTreeNode(UrlDecode(name, /*plus_is_space=*/true), absl::StrCat(base, name), true, &out);
  }
  out.push_back(']');
  return out;
}

std::string CompleterJson(const std::vector<FindEntry>& matches, bool wildcards) {
  std::string out = "{\"metrics\":[";
  for (const FindEntry& match : matches) {
    if (out.back() != '[') out.push_back(',');
    out.append("{\"path\":");
    AppendJsonString(match.is_leaf ? match.path : absl::StrCat(match.path, "."), &out);
    out.append(",\"name\":");
    AppendJsonString(NodeName(match.path), &out);
    out.append(match.is_leaf ? ",\"is_leaf\":\"1\"}" : ",\"is_leaf\":\"0\"}");
  }
  if (wildcards && matches.size() > 1) out.append(",{\"name\":\"*\"}");
  out.append("]}");
  return out;
}

// The time that a leaf has data for is not kept anywhere, so it is said to be all of it.
std::string NodesJson(std::vector<FindEntry> matches, int64_t now_sec) {
  std::sort(matches.begin(), matches.end(), [](const FindEntry& a, const FindEntry& b) {
    return std::tie(a.path, a.is_leaf) < std::tie(b.path, b.is_leaf);
  });
  std::string out = "[";
  for (const FindEntry& match : matches) {
    if (out.back() != '[') out.push_back(',');
    out.append("{\"path\":");
    AppendJsonString(match.path, &out);
    if (match.is_leaf) {
      absl::StrAppend(&out, ",\"is_leaf\":true,\"intervals\":[{\"start\":0,\"end\":", now_sec,
                      "}]}");
    } else {
      out.append(",\"is_leaf\":false}");
    }
  }
  out.push_back(']');
  return out;
}

template <typename Strings>
void AppendStrings(const Strings& strings, std::string* out) {
  out->push_back('[');
  bool first = true;
  for (const auto& text : strings) {
    if (!first) out->push_back(',');
    first = false;
    AppendJsonString(text, out);
  }
  out->push_back(']');
}

// The distinct nodes at one position of the matching paths.
absl::StatusOr<std::string> NodeListJson(const std::vector<FindEntry>& matches, int64_t position) {
  std::set<std::string> nodes;
  for (const FindEntry& match : matches) {
    const std::vector<absl::string_view> parts = SplitNodes(match.path);
    const int64_t size = static_cast<int64_t>(parts.size());
    const int64_t at = position < 0 ? position + size : position;
    if (at < 0 || at >= size) {
      return absl::InvalidArgumentError(
          absl::StrCat("parameter position: \"", match.path, "\" has ", size, " nodes"));
    }
    nodes.emplace(parts[static_cast<size_t>(at)]);
  }
  std::string out = "{\"nodes\":";
  AppendStrings(nodes, &out);
  out.push_back('}');
  return out;
}

// What the user has typed so far, as a pattern for what may follow.
std::string CompleterPattern(absl::string_view query) {
  std::string pattern = absl::StrReplaceAll(query, {{"..", "*."}});
  if (!absl::EndsWith(pattern, "*")) pattern.push_back('*');
  return pattern;
}

// from and until are checked, and then every node is listed whatever its time.
absl::Status CheckTimes(const HttpParams& params, absl::TimeZone zone, int64_t now_sec) {
  for (const absl::string_view name : {"from", "until"}) {
    if (!params.Has(name) || params.Get(name) == "-1") continue;
    SHOAL_RETURN_IF_ERROR(Annotate(ParseTimeSpec(params.Get(name), zone, now_sec).status(),
                                   absl::StrCat("parameter ", name)));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Find(const HttpParams& params, SeriesSource* source,
                                 const ApiOptions& options) {
  SHOAL_ASSIGN_OR_RETURN(const int64_t leaves_only, IntegerParam(params, "leavesOnly", 0));
  SHOAL_ASSIGN_OR_RETURN(const int64_t wildcards, IntegerParam(params, "wildcards", 0));
  SHOAL_ASSIGN_OR_RETURN(const int64_t position, IntegerParam(params, "position", -1));
  const absl::TimeZone zone = RequestTimeZone(params, options);
  SHOAL_ASSIGN_OR_RETURN(const int64_t now_sec, RequestNow(params, zone, options));
  SHOAL_RETURN_IF_ERROR(CheckTimes(params, zone, now_sec));
  const absl::string_view query = params.Get("query");
  if (query.empty()) return absl::InvalidArgumentError("parameter query is missing or empty");
  const absl::string_view format = params.Get("format", "treejson");
  constexpr absl::string_view kFormats[] = {"treejson", "completer", "json", "nodelist"};
  if (std::find(std::begin(kFormats), std::end(kFormats), format) == std::end(kFormats)) {
    return absl::InvalidArgumentError(
        "parameter format takes treejson, completer, json or nodelist");
  }
  const std::string pattern = format == "completer" ? CompleterPattern(query) : std::string(query);
  SHOAL_ASSIGN_OR_RETURN(std::vector<FindEntry> matches,
                         FindMatches(pattern, leaves_only != 0, source, options));
  if (format == "completer") return CompleterJson(matches, wildcards != 0);
  if (format == "json") return NodesJson(std::move(matches), now_sec);
  if (format == "nodelist") return NodeListJson(matches, position);
  return TreeJson(matches, query, wildcards != 0);
}

absl::StatusOr<std::string> Expand(const HttpParams& params, SeriesSource* source,
                                   const ApiOptions& options) {
  SHOAL_ASSIGN_OR_RETURN(const int64_t leaves_only, IntegerParam(params, "leavesOnly", 0));
  SHOAL_ASSIGN_OR_RETURN(const int64_t group_by_expr, IntegerParam(params, "groupByExpr", 0));
  const std::vector<std::string> queries = params.GetAll("query");
  if (queries.size() > options.eval.targets_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("more than ", options.eval.targets_max, " queries"));
  }
  std::map<std::string, std::set<std::string>> by_query;
  std::set<std::string> all;
  for (const std::string& query : queries) {
    SHOAL_ASSIGN_OR_RETURN(const std::vector<FindEntry> matches,
                           FindMatches(query, leaves_only != 0, source, options));
    std::set<std::string>& paths = group_by_expr != 0 ? by_query[query] : all;
    for (const FindEntry& match : matches) paths.insert(match.path);
  }
  std::string out = "{\"results\":";
  if (group_by_expr == 0) {
    AppendStrings(all, &out);
  } else {
    out.push_back('{');
    for (const auto& [query, paths] : by_query) {
      if (out.back() != '{') out.push_back(',');
      AppendJsonString(query, &out);
      out.push_back(':');
      AppendStrings(paths, &out);
    }
    out.push_back('}');
  }
  out.push_back('}');
  return out;
}

HttpResponse Respond(const HttpParams& params, absl::StatusOr<std::string> json) {
  if (!json.ok()) return ErrorResponse(json.status());
  return UncachedJsonResponse(params, *std::move(json));
}

}  // namespace

HttpResponse HandleFind(const HttpRequest& request, SeriesSource* source,
                        const ApiOptions& options) {
  return Respond(request.params, Find(request.params, source, options));
}

HttpResponse HandleExpand(const HttpRequest& request, SeriesSource* source,
                          const ApiOptions& options) {
  return Respond(request.params, Expand(request.params, source, options));
}

HttpResponse HandleIndex(const HttpRequest& request, SeriesSource* source,
                         const ApiOptions& options) {
  const absl::StatusOr<std::vector<std::string>> names =
      source->ListNames(RequestDeadline(options));
  if (!names.ok()) return ErrorResponse(names.status());
  std::string json;
  AppendStrings(*names, &json);
  return JsonResponse(request.params, std::move(json));
}

}  // namespace shoal
