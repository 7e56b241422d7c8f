// The render functions: signatures, defaults and documentation, traits for planning, and the code
// that runs them.
//
// A target is parsed (target_parser), bound here against the signatures, then planned and run
// (evaluator). Binding settles every argument that is not a series, so a wrong call is refused
// before any data is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/query/series_source.h"
#include "router/query/target_parser.h"
#include "router/query/time_series.h"

namespace shoal {

// A literal argument; monostate is "none", and an optional parameter that was not given.
using Value = std::variant<std::monostate, bool, int64_t, double, std::string>;

// Graphite's types of parameters, with the checks that go with them.
enum class ParamType {
  kSeriesList,
  kString,   // anything that is no series, as text
  kFloat,    // a number, or text that is one
  kInteger,  // a whole number
  kIntOrInf,
  kBoolean,   // true, false, 0, 1
  kInterval,  // "10min"
  kIntOrInterval,
  kNode,             // index of a node, negative from the end
  kNodeOrTag,        // the same, or the name of a tag
  kAggFunc,          // "sum", also "sumSeries"
  kAggOrSeriesFunc,  // the same, or the name of an aggregating function
};
const char* ParamTypeName(ParamType type);

struct ParamDef {
  std::string name;
  ParamType type = ParamType::kSeriesList;
  bool required = false;
  bool multiple = false;  // the last parameter only: takes all further arguments
  Value default_value = {};
  std::vector<std::string> options = {};  // when not empty, the only values allowed
  std::vector<Value> suggestions = {};
};

// What bounds the work of one request. Not thread safe.
class EvalBudget {
 public:
  EvalBudget(int64_t points_max, Deadline deadline)
      : points_left_(points_max), deadline_(deadline) {}
  // Before `points` more values are made or gone through: ResourceExhausted, or DeadlineExceeded.
  absl::Status Charge(int64_t points);

 private:
  int64_t points_left_;
  Deadline deadline_;
};

// What a running function sees of its request.
struct EvalContext {
  FetchRange range;  // the window asked for, as this function's result must cover it
  double x_files_factor = 0;
  EvalBudget* budget = nullptr;
};

// The arguments of a call other than series, by parameter; each has the type that its parameter
// says.
class Arguments {
 public:
  explicit Arguments(std::vector<std::vector<Value>> values = {}) : values_(std::move(values)) {}
  const std::vector<Value>& All(size_t param) const { return values_[param]; }
  bool Has(size_t param) const;
  const Value& Get(size_t param) const { return values_[param].front(); }
  double Float(size_t param) const { return std::get<double>(Get(param)); }
  int64_t Integer(size_t param) const { return std::get<int64_t>(Get(param)); }
  bool Boolean(size_t param) const { return std::get<bool>(Get(param)); }
  const std::string& String(size_t param) const { return std::get<std::string>(Get(param)); }

 private:
  std::vector<std::vector<Value>> values_;
};

// How much data before the window a function reads: seconds, or points of the coarsest series of
// its input.
struct Preview {
  int64_t seconds = 0;
  int64_t points = 0;
};

struct FunctionCall {
  const EvalContext& context;
  const Arguments& args;
  SeriesList series = {};   // all series arguments, in order
  int64_t preview_sec = 0;  // by how much the series start before the window
};

struct FunctionDef {
  std::string name = {};
  std::string group = {};
  std::string description = {};
  std::vector<ParamDef> params = {};
  absl::StatusOr<SeriesList> (*run)(FunctionCall call) = nullptr;
  // Set for functions that need data from before the window; the evaluator widens the window of
  // their input.
  absl::StatusOr<Preview> (*preview)(const Arguments& args) = nullptr;
  // Set for functions that choose the aggregate of the coarser archives below them.
  std::optional<AggregateSpec> (*aggregate)(const Arguments& args) = nullptr;
  bool aggregator = false;  // may be named as the callback of groupByNode
};

// By name, aliases as entries of their own. Made once, immutable.
const std::map<std::string, FunctionDef, std::less<>>& AllFunctions();
const FunctionDef* FindFunction(absl::string_view name);  // null when unknown

// A target ready to run: calls with their signatures, leaves with their patterns.
struct QueryNode {
  const FunctionDef* function = nullptr;  // null: a leaf
  std::string pattern;                    // of a leaf
  Arguments args;
  std::vector<QueryNode> inputs;  // the series arguments
};

// InvalidArgument with the position for an unknown function, a missing, unknown or superfluous
// argument, or a value that its parameter does not take.
absl::StatusOr<QueryNode> BindTarget(const Expr& expr);

// Python's str(): for names and tags.
std::string ValueText(const Value& value);

// Each file of functions adds its own.
using FunctionMap = std::map<std::string, FunctionDef, std::less<>>;
void AddAggregateFunctions(FunctionMap* functions);
void AddTransformFunctions(FunctionMap* functions);
void AddWindowFunctions(FunctionMap* functions);
void AddFilterFunctions(FunctionMap* functions);
void AddAliasFunctions(FunctionMap* functions);

}  // namespace shoal
