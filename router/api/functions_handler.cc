// /functions: what the query editor of a dashboard offers.

#include <algorithm>
#include <map>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "router/api/api.h"
#include "router/api/json_text.h"
#include "router/api/request_params.h"
#include "router/query/aggregate_func.h"
#include "router/query/function_registry.h"

namespace shoal {
namespace {

// Graphite names the Python module here; clients only show it.
constexpr absl::string_view kModule = "graphite.render.functions";

std::string ValueJson(const Value& value) {
  std::string out;
  if (const auto* text = std::get_if<std::string>(&value)) {
    AppendJsonString(*text, &out);
  } else if (const auto* number = std::get_if<double>(&value)) {
    AppendJsonNumber(*number, &out);
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    absl::StrAppend(&out, *integer);
  } else if (const auto* truth = std::get_if<bool>(&value)) {
    out = *truth ? "true" : "false";
  } else {
    out = "null";
  }
  return out;
}

// "scale(seriesList, factor)", optional parameters with their defaults as Python shows them.
std::string Signature(const FunctionDef& function) {
  std::string out = absl::StrCat(function.name, "(");
  for (size_t i = 0; i < function.params.size(); ++i) {
    const ParamDef& param = function.params[i];
    absl::StrAppend(&out, i > 0 ? ", " : "", param.multiple ? "*" : "", param.name);
    if (param.required || param.multiple) continue;
    const auto* text = std::get_if<std::string>(&param.default_value);
    absl::StrAppend(
        &out, "=",
        text != nullptr ? absl::StrCat("'", *text, "'") : ValueText(param.default_value));
  }
  return absl::StrCat(out, ")");
}

std::vector<std::string> Options(const ParamDef& param) {
  std::vector<std::string> options = param.options;
  if (param.type == ParamType::kAggFunc || param.type == ParamType::kAggOrSeriesFunc) {
    options = AggFuncNames();
  }
  if (param.type == ParamType::kAggOrSeriesFunc) {
    for (const auto& [name, function] : AllFunctions()) {
      if (function.aggregator) options.push_back(name);
    }
  }
  std::sort(options.begin(), options.end());
  options.erase(std::unique(options.begin(), options.end()), options.end());
  return options;
}

void AppendParam(const ParamDef& param, std::string* out) {
  absl::StrAppend(out, "{\"name\":\"", param.name, "\",\"type\":\"", ParamTypeName(param.type),
                  "\"");
  if (param.required) out->append(",\"required\":true");
  if (!std::holds_alternative<std::monostate>(param.default_value)) {
    absl::StrAppend(out, ",\"default\":", ValueJson(param.default_value));
  }
  if (param.multiple) out->append(",\"multiple\":true");
  const std::vector<std::string> options = Options(param);
  if (!options.empty()) {
    out->append(",\"options\":[");
    for (size_t i = 0; i < options.size(); ++i)
      absl::StrAppend(out, i > 0 ? ",\"" : "\"", options[i], "\"");
    out->push_back(']');
  }
  if (!param.suggestions.empty()) {
    out->append(",\"suggestions\":[");
    for (size_t i = 0; i < param.suggestions.size(); ++i) {
      absl::StrAppend(out, i > 0 ? "," : "", ValueJson(param.suggestions[i]));
    }
    out->push_back(']');
  }
  out->push_back('}');
}

std::string FunctionJson(const FunctionDef& function) {
  std::string out = "{\"name\":";
  AppendJsonString(function.name, &out);
  out.append(",\"function\":");
  AppendJsonString(Signature(function), &out);
  out.append(",\"description\":");
  AppendJsonString(function.description, &out);
  absl::StrAppend(&out, ",\"module\":\"", kModule, "\",\"group\":\"", function.group,
                  "\",\"params\":[");
  for (size_t i = 0; i < function.params.size(); ++i) {
    if (i > 0) out.push_back(',');
    AppendParam(function.params[i], &out);
  }
  out.append("]}");
  return out;
}

// {"name": {...}, ...}
std::string MapJson(const std::vector<const FunctionDef*>& functions) {
  std::string out = "{";
  for (const FunctionDef* function : functions) {
    absl::StrAppend(&out, out.size() > 1 ? "," : "", "\"", function->name,
                    "\":", FunctionJson(*function));
  }
  out.push_back('}');
  return out;
}

std::string ListJson(const HttpParams& params) {
  std::vector<const FunctionDef*> functions;
  // Graphite's pie reducers are functions of their own kind; there are none here.
  if (params.Get("type") != "pie") {
    for (const auto& [name, function] : AllFunctions()) {
      if (!params.Has("group") || params.Get("group") == function.group)
        functions.push_back(&function);
    }
  }
  if (params.Get("grouped") != "1" && !absl::EqualsIgnoreCase(params.Get("grouped"), "true")) {
    return MapJson(functions);
  }
  std::map<std::string, std::vector<const FunctionDef*>> groups;
  for (const FunctionDef* function : functions) groups[function->group].push_back(function);
  std::string out = "{";
  for (const auto& [group, members] : groups) {
    absl::StrAppend(&out, out.size() > 1 ? "," : "", "\"", group, "\":", MapJson(members));
  }
  out.push_back('}');
  return out;
}

}  // namespace

HttpResponse HandleFunctions(const HttpRequest& request) {
  absl::string_view name = request.path;
  absl::ConsumePrefix(&name, "/functions");
  absl::ConsumePrefix(&name, "/");
  absl::ConsumeSuffix(&name, "/");
  if (name.empty()) return JsonResponse(request.params, ListJson(request.params));
  const FunctionDef* function = FindFunction(name);
  if (function == nullptr) {
    std::string json = "{\"error\":";
    AppendJsonString(absl::StrCat("Function not found: ", name.substr(0, 64)), &json);
    json.push_back('}');
    return HttpResponse::Json(404, std::move(json));
  }
  return JsonResponse(request.params, FunctionJson(*function));
}

}  // namespace shoal
