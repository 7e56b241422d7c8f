#include "router/query/function_registry.h"

#include <cmath>
#include <limits>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"
#include "router/query/aggregate_func.h"
#include "router/query/number_text.h"
#include "router/query/time_offset.h"

namespace shoal {
namespace {

absl::Status At(const Expr& expr, absl::string_view message) {
  return absl::InvalidArgumentError(absl::StrCat("position ", expr.position, ": ", message));
}

Value LiteralOf(const Expr& expr) {
  switch (expr.kind) {
    case Expr::Kind::kString:
      return expr.text;
    case Expr::Kind::kInt:
      return expr.integer;
    case Expr::Kind::kFloat:
      return expr.number;
    case Expr::Kind::kBool:
      return expr.truth;
    case Expr::Kind::kNone:
    case Expr::Kind::kPath:
    case Expr::Kind::kCall:
      break;
  }
  return std::monostate();
}

bool IsSeries(const Expr& expr) {
  return expr.kind == Expr::Kind::kPath || expr.kind == Expr::Kind::kCall;
}

std::optional<double> ToFloat(const Value& value) {
  if (const auto* number = std::get_if<double>(&value)) return *number;
  if (const auto* integer = std::get_if<int64_t>(&value)) return static_cast<double>(*integer);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? 1.0 : 0.0;
  if (const auto* text = std::get_if<std::string>(&value)) {
    double number;
    if (!absl::StrContains(*text, "x") && absl::SimpleAtod(*text, &number)) return number;
  }
  return std::nullopt;
}

// 5, "5" and 5.0, but not 5.5.
std::optional<int64_t> ToInteger(const Value& value) {
  if (const auto* integer = std::get_if<int64_t>(&value)) return *integer;
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? 1 : 0;
  if (const auto* number = std::get_if<double>(&value)) {
    if (std::trunc(*number) == *number && std::fabs(*number) < 1e15) {
      return static_cast<int64_t>(*number);
    }
  }
  if (const auto* text = std::get_if<std::string>(&value)) {
    int64_t integer;
    if (absl::SimpleAtoi(*text, &integer)) return integer;
  }
  return std::nullopt;
}

std::optional<bool> ToBoolean(const Value& value) {
  if (const auto* truth = std::get_if<bool>(&value)) return *truth;
  if (const auto* text = std::get_if<std::string>(&value)) {
    if (absl::EqualsIgnoreCase(*text, "true")) return true;
    if (absl::EqualsIgnoreCase(*text, "false")) return false;
    return std::nullopt;
  }
  const std::optional<double> number = ToFloat(value);
  if (number == 0.0) return false;
  if (number == 1.0) return true;
  return std::nullopt;
}

template <typename T>
std::optional<Value> AsValue(const std::optional<T>& value) {
  if (!value) return std::nullopt;
  return Value(*value);
}

bool IsAggFuncName(absl::string_view name) {
  return ParseAggFunc(absl::StripSuffix(name, "Series")).has_value();
}

std::optional<Value> IfString(const Value& value, bool (*valid)(absl::string_view)) {
  const auto* text = std::get_if<std::string>(&value);
  if (text == nullptr || !valid(*text)) return std::nullopt;
  return value;
}

// The value as its parameter wants it; nullopt when it does not take it.
std::optional<Value> Convert(ParamType type, const Value& value) {
  switch (type) {
    case ParamType::kSeriesList:
      return std::nullopt;
    case ParamType::kString:
      return Value(ValueText(value));
    case ParamType::kFloat:
      return AsValue(ToFloat(value));
    case ParamType::kInteger:
    case ParamType::kNode:
      return AsValue(ToInteger(value));
    case ParamType::kIntOrInf:
      if (const auto integer = ToInteger(value)) return Value(*integer);
      if (ToFloat(value) == std::numeric_limits<double>::infinity()) return Value(*ToFloat(value));
      return std::nullopt;
    case ParamType::kBoolean:
      return AsValue(ToBoolean(value));
    case ParamType::kInterval:
      return IfString(value, [](absl::string_view text) { return ParseTimeOffset(text).ok(); });
    case ParamType::kIntOrInterval:
      if (std::holds_alternative<std::string>(value)) return Convert(ParamType::kInterval, value);
      // Kept as written, for the name shows it.
      if (std::holds_alternative<bool>(value) || !ToInteger(value)) return std::nullopt;
      return value;
    case ParamType::kNodeOrTag:
      if (std::holds_alternative<std::string>(value)) return value;
      return AsValue(ToInteger(value));
    case ParamType::kAggFunc:
      return IfString(value, IsAggFuncName);
    case ParamType::kAggOrSeriesFunc:
      return IfString(value, [](absl::string_view text) {
        const FunctionDef* function = FindFunction(text);
        if (function != nullptr) return function->aggregator;
        // countSeries and its like count and multiply otherwise than the plain aggregation of that
        // name.
        return ParseAggFunc(text).has_value();
      });
  }
  return std::nullopt;
}

std::string Shown(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) {
    return absl::StrCat("\"", text->substr(0, 64), "\"");
  }
  return ValueText(value);
}

class Binder {
 public:
  Binder(const Expr& call, const FunctionDef& function) : call_(call), function_(function) {}

  absl::StatusOr<QueryNode> Bind() {
    QueryNode node;
    node.function = &function_;
    std::vector<std::vector<Value>> values(function_.params.size());
    std::vector<bool> given(function_.params.size());
    for (size_t i = 0; i < call_.args.size(); ++i) {
      SHOAL_ASSIGN_OR_RETURN(const size_t param, ParamAt(i));
      given[param] = true;
      SHOAL_RETURN_IF_ERROR(BindOne(param, call_.args[i], &values[param], &node));
    }
    for (const Expr& arg : call_.named_args) {
      SHOAL_ASSIGN_OR_RETURN(const size_t param, ParamNamed(arg));
      if (given[param]) {
        return At(arg, absl::StrCat(Quoted(param), " is given twice"));
      }
      given[param] = true;
      SHOAL_RETURN_IF_ERROR(BindOne(param, arg, &values[param], &node));
    }
    for (size_t i = 0; i < function_.params.size(); ++i) {
      const ParamDef& param = function_.params[i];
      if (!given[i] && param.required) {
        return At(call_, absl::StrCat(Quoted(i), " is missing"));
      }
      if (values[i].empty() && !param.multiple) values[i].push_back(param.default_value);
    }
    node.args = Arguments(std::move(values));
    return node;
  }

 private:
  std::string Quoted(size_t param) const {
    return absl::StrCat(function_.name, "(): parameter \"", function_.params[param].name, "\"");
  }

  absl::StatusOr<size_t> ParamAt(size_t index) const {
    const std::vector<ParamDef>& params = function_.params;
    if (index < params.size()) return index;
    if (!params.empty() && params.back().multiple) return params.size() - 1;
    return At(
        call_.args[index],
        absl::StrCat(function_.name, "(): too many arguments, it takes at most ", params.size()));
  }

  absl::StatusOr<size_t> ParamNamed(const Expr& arg) const {
    const std::string& name = arg.arg_name;
    for (size_t i = 0; i < function_.params.size(); ++i) {
      if (function_.params[i].name == name) return i;
    }
    return At(arg, absl::StrCat(function_.name, "(): no parameter is named \"", name.substr(0, 64),
                                "\""));
  }

  absl::Status BindOne(size_t index, const Expr& arg, std::vector<Value>* values,
                       QueryNode* node) const {
    const ParamDef& param = function_.params[index];
    if (param.type == ParamType::kSeriesList) {
      if (!IsSeries(arg)) {
        return At(arg, absl::StrCat(Quoted(index), " takes series, not ", Shown(LiteralOf(arg))));
      }
      SHOAL_ASSIGN_OR_RETURN(QueryNode input, BindTarget(arg));
      node->inputs.push_back(std::move(input));
      return absl::OkStatus();
    }
    if (IsSeries(arg)) {
      return At(arg, absl::StrCat(Quoted(index), " takes a ", ParamTypeName(param.type),
                                  ", not a series (is it missing its quotes?)"));
    }
    const Value literal = LiteralOf(arg);
    if (std::holds_alternative<std::monostate>(literal) && !param.required) return absl::OkStatus();
    std::optional<Value> value = Convert(param.type, literal);
    if (value && !param.options.empty()) {
      bool found = false;
      for (const std::string& option : param.options) found = found || *value == Value(option);
      if (!found) value.reset();
    }
    if (!value) {
      return At(arg, absl::StrCat(Quoted(index), " takes a ", ParamTypeName(param.type), ", not ",
                                  Shown(literal)));
    }
    values->push_back(*std::move(value));
    return absl::OkStatus();
  }

  const Expr& call_;
  const FunctionDef& function_;
};

}  // namespace

const char* ParamTypeName(ParamType type) {
  switch (type) {
    case ParamType::kSeriesList:
      return "seriesList";
    case ParamType::kString:
      return "string";
    case ParamType::kFloat:
      return "float";
    case ParamType::kInteger:
      return "integer";
    case ParamType::kIntOrInf:
      return "intOrInf";
    case ParamType::kBoolean:
      return "boolean";
    case ParamType::kInterval:
      return "interval";
    case ParamType::kIntOrInterval:
      return "intOrInterval";
    case ParamType::kNode:
      return "node";
    case ParamType::kNodeOrTag:
      return "nodeOrTag";
    case ParamType::kAggFunc:
      return "aggFunc";
    case ParamType::kAggOrSeriesFunc:
      return "aggOrSeriesFunc";
  }
  return "any";
}

std::string ValueText(const Value& value) {
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  if (const auto* integer = std::get_if<int64_t>(&value)) return absl::StrCat(*integer);
  if (const auto* number = std::get_if<double>(&value)) return FloatText(*number);
  if (const auto* truth = std::get_if<bool>(&value)) return *truth ? "True" : "False";
  return "None";
}

absl::Status EvalBudget::Charge(int64_t points) {
  points_left_ -= points;
  if (points_left_ < 0) {
    return absl::ResourceExhaustedError(
        "the request works on too many points: ask for fewer series or a shorter time");
  }
  if (std::chrono::steady_clock::now() > deadline_) {
    return absl::DeadlineExceededError("the request took too long");
  }
  return absl::OkStatus();
}

bool Arguments::Has(size_t param) const {
  return !values_[param].empty() && !std::holds_alternative<std::monostate>(values_[param].front());
}

const std::map<std::string, FunctionDef, std::less<>>& AllFunctions() {
  static const FunctionMap& functions = *[] {
    auto* map = new FunctionMap();
    AddAggregateFunctions(map);
    AddTransformFunctions(map);
    AddWindowFunctions(map);
    AddFilterFunctions(map);
    AddAliasFunctions(map);
    return map;
  }();
  return functions;
}

const FunctionDef* FindFunction(absl::string_view name) {
  const auto& functions = AllFunctions();
  const auto it = functions.find(std::string_view(name.data(), name.size()));
  return it == functions.end() ? nullptr : &it->second;
}

absl::StatusOr<QueryNode> BindTarget(const Expr& expr) {
  if (expr.kind == Expr::Kind::kPath) {
    QueryNode leaf;
    leaf.pattern = expr.text;
    return leaf;
  }
  const FunctionDef* function = FindFunction(expr.text);
  if (function == nullptr) {
    return At(expr, absl::StrCat("unknown function \"", expr.text.substr(0, 64), "\""));
  }
  return Binder(expr, *function).Bind();
}

}  // namespace shoal
