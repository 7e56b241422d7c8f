#include "router/query/evaluator.h"

#include <algorithm>
#include <map>
#include <optional>
#include <tuple>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Each level doubles the work: its input is evaluated once to learn the step and once over the
// wider window.
constexpr int kPointWindowsNestedMax = 4;
constexpr int64_t kPreviewSecMax = int64_t{100} * 365 * 86400;

// What has been fetched and what is still wanted, by pattern and window.
class Fetched {
 public:
  Fetched(SeriesSource* source, const EvalLimits& limits, EvalBudget* budget, Deadline deadline)
      : source_(source), limits_(limits), budget_(budget), deadline_(deadline) {}

  void Want(const std::string& pattern, const FetchRange& range) {
    ++uses_[KeyOf(pattern, range)];
    if (Find(pattern, range) == nullptr)
      wanted_.insert_or_assign(KeyOf(pattern, range), FetchSpec{pattern, range});
  }
  bool complete() const { return wanted_.empty(); }

  std::vector<Series>* Find(const std::string& pattern, const FetchRange& range) {
    const auto it = lists_.find(KeyOf(pattern, range));
    return it == lists_.end() ? nullptr : &it->second;
  }
  // How many leaves of the plan ask for this list: the last one may take it instead of copying.
  int Uses(const std::string& pattern, const FetchRange& range) const {
    const auto it = uses_.find(KeyOf(pattern, range));
    return it == uses_.end() ? 0 : it->second;
  }

  // Asks the source for everything wanted.
  absl::Status Get() {
    std::vector<FetchSpec> specs;
    std::vector<Key> keys;
    for (auto& [key, spec] : wanted_) {
      keys.push_back(key);
      specs.push_back(std::move(spec));
    }
    wanted_.clear();
    SHOAL_ASSIGN_OR_RETURN(std::vector<std::vector<Series>> lists,
                           source_->Fetch(specs, deadline_));
    if (lists.size() != specs.size()) {
      return absl::InternalError(
          absl::StrCat("asked for ", specs.size(), " lists of series, got ", lists.size()));
    }
    for (size_t i = 0; i < lists.size(); ++i) {
      SHOAL_RETURN_IF_ERROR(Admit(lists[i]));
      lists_.insert_or_assign(std::move(keys[i]), std::move(lists[i]));
    }
    return absl::OkStatus();
  }

 private:
  using Key = std::tuple<std::string, int64_t, int64_t, uint32_t>;
  static Key KeyOf(const std::string& pattern, const FetchRange& range) {
    return Key(pattern, range.from_sec, range.until_sec,
               range.aggregate ? AggregateCode(*range.aggregate) : 0);
  }

  absl::Status Admit(const std::vector<Series>& list) {
    series_ += list.size();
    if (series_ > limits_.series_max) {
      return absl::ResourceExhaustedError(absl::StrCat(
          "the targets match more than ", limits_.series_max, " series: make them narrower"));
    }
    for (const Series& series : list) {
      if (series.step_sec <= 0) {
        return absl::InternalError(
            absl::StrCat("series \"", series.name, "\" has step ", series.step_sec));
      }
      SHOAL_RETURN_IF_ERROR(budget_->Charge(static_cast<int64_t>(series.values.size())));
    }
    return absl::OkStatus();
  }

  SeriesSource* const source_;
  const EvalLimits& limits_;
  EvalBudget* const budget_;
  const Deadline deadline_;
  std::map<Key, FetchSpec> wanted_;
  std::map<Key, std::vector<Series>> lists_;
  std::map<Key, int> uses_;
  size_t series_ = 0;
};

FetchRange Widened(FetchRange range, int64_t preview_sec) {
  range.from_sec = std::max<int64_t>(0, range.from_sec - preview_sec);
  return range;
}

absl::StatusOr<int64_t> CheckedPreview(int64_t seconds) {
  if (seconds > kPreviewSecMax)
    return absl::InvalidArgumentError("windowSize spans more than 100 years");
  return seconds;
}

bool HasPointWindow(const QueryNode& node) {
  if (node.function != nullptr && node.function->preview != nullptr &&
      std::holds_alternative<int64_t>(node.args.Get(1))) {
    return true;
  }
  return std::any_of(node.inputs.begin(), node.inputs.end(), HasPointWindow);
}

// The innermost call decides.
void ChooseAggregate(const QueryNode& node, EvalContext* inner) {
  if (node.function->aggregate == nullptr) return;
  const std::optional<AggregateSpec> aggregate = node.function->aggregate(node.args);
  if (aggregate.has_value()) inner->range.aggregate = aggregate;
}

class Evaluator {
 public:
  Evaluator(const EvalRequest& request, const EvalLimits& limits, SeriesSource* source)
      : request_(request),
        limits_(limits),
        budget_(limits.points_max, request.deadline),
        fetched_(source, limits, &budget_, request.deadline) {}

  absl::StatusOr<SeriesList> Run() {
    SHOAL_RETURN_IF_ERROR(BindAll());
    const EvalContext context{
        .range = request_.range, .x_files_factor = request_.x_files_factor, .budget = &budget_};
    for (size_t i = 0; i < roots_.size(); ++i) {
      SHOAL_RETURN_IF_ERROR(InTarget(i, Plan(roots_[i], context, 0)));
    }
    std::vector<SeriesList> results(roots_.size());
    std::vector<bool> done(roots_.size());
    while (std::find(done.begin(), done.end(), false) != done.end()) {
      if (!fetched_.complete()) SHOAL_RETURN_IF_ERROR(fetched_.Get());
      for (size_t i = 0; i < roots_.size(); ++i) {
        if (done[i]) continue;
        missing_ = false;
        absl::StatusOr<SeriesList> result = Evaluate(roots_[i], context);
        if (!result.ok()) return InTarget(i, result.status());
        done[i] = !missing_;
        if (!missing_) results[i] = *std::move(result);
      }
    }
    SeriesList all;
    for (SeriesList& result : results) {
      std::move(result.begin(), result.end(), std::back_inserter(all));
    }
    if (all.size() > limits_.series_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("the answer has more than ", limits_.series_max, " series"));
    }
    return all;
  }

 private:
  absl::Status BindAll() {
    if (request_.targets.size() > limits_.targets_max) {
      return absl::InvalidArgumentError(absl::StrCat(request_.targets.size(), " targets, at most ",
                                                     limits_.targets_max, " are allowed"));
    }
    for (const std::string& target : request_.targets) {
      if (absl::StripAsciiWhitespace(target).empty()) continue;
      sources_.push_back(&target);
      absl::StatusOr<Expr> expr = ParseTarget(target, limits_.parse);
      if (!expr.ok()) return InTarget(sources_.size() - 1, expr.status());
      absl::StatusOr<QueryNode> root = BindTarget(*expr);
      if (!root.ok()) return InTarget(sources_.size() - 1, root.status());
      has_point_windows_ = has_point_windows_ || HasPointWindow(*root);
      roots_.push_back(*std::move(root));
    }
    return absl::OkStatus();
  }

  // The user's mistakes name the target that they are in; other errors are not about a target.
  absl::Status InTarget(size_t index, const absl::Status& status) const {
    if (status.code() != absl::StatusCode::kInvalidArgument) return status;
    constexpr size_t kShownBytes = 200;
    const std::string& target = *sources_[index];
    return Annotate(status, absl::StrCat("target \"", target.substr(0, kShownBytes),
                                         target.size() > kShownBytes ? "..." : "", "\""));
  }

  // Wants every leaf whose window is known before anything is fetched.
  absl::Status Plan(const QueryNode& node, const EvalContext& context, int point_windows) {
    if (node.function == nullptr) {
      fetched_.Want(node.pattern, context.range);
      return absl::OkStatus();
    }
    EvalContext inner = context;
    if (node.function->preview != nullptr) {
      SHOAL_ASSIGN_OR_RETURN(const Preview preview, node.function->preview(node.args));
      if (preview.points > 0 && ++point_windows > kPointWindowsNestedMax) {
        return absl::InvalidArgumentError(
            absl::StrCat("more than ", kPointWindowsNestedMax, " nested windows in points"));
      }
      SHOAL_ASSIGN_OR_RETURN(const int64_t seconds, CheckedPreview(preview.seconds));
      inner.range = Widened(inner.range, seconds);
    }
    ChooseAggregate(node, &inner);
    for (const QueryNode& input : node.inputs) {
      SHOAL_RETURN_IF_ERROR(Plan(input, inner, point_windows));
    }
    return absl::OkStatus();
  }

  // When a leaf is not there yet, it is wanted, missing_ is set, and the result means nothing.
  absl::StatusOr<SeriesList> Evaluate(const QueryNode& node, const EvalContext& context) {
    if (node.function == nullptr) return EvaluateLeaf(node, context);
    FunctionCall call{.context = context, .args = node.args};
    EvalContext inner = context;
    if (node.function->preview != nullptr) {
      SHOAL_ASSIGN_OR_RETURN(call.preview_sec, PreviewSec(node, context));
      if (missing_) return SeriesList();
      inner.range = Widened(inner.range, call.preview_sec);
    }
    ChooseAggregate(node, &inner);
    SHOAL_ASSIGN_OR_RETURN(call.series, EvaluateInputs(node, inner));
    if (missing_) return SeriesList();
    return node.function->run(std::move(call));
  }

  absl::StatusOr<SeriesList> EvaluateInputs(const QueryNode& node, const EvalContext& context) {
    SeriesList all;
    for (const QueryNode& input : node.inputs) {
      SHOAL_ASSIGN_OR_RETURN(SeriesList series, Evaluate(input, context));
      if (all.empty()) {
        all = std::move(series);
      } else {
        std::move(series.begin(), series.end(), std::back_inserter(all));
      }
    }
    return all;
  }

  // A window in points is as long as the coarsest step of the input over the plain window says.
  absl::StatusOr<int64_t> PreviewSec(const QueryNode& node, const EvalContext& context) {
    SHOAL_ASSIGN_OR_RETURN(const Preview preview, node.function->preview(node.args));
    if (preview.points == 0) return preview.seconds;
    SHOAL_ASSIGN_OR_RETURN(const SeriesList plain, EvaluateInputs(node, context));
    int64_t step_sec = 0;
    for (const TimeSeries& s : plain) step_sec = std::max(step_sec, s.step_sec);
    if (step_sec > kPreviewSecMax / preview.points) return CheckedPreview(kPreviewSecMax + 1);
    return preview.points * step_sec;
  }

  absl::StatusOr<SeriesList> EvaluateLeaf(const QueryNode& node, const EvalContext& context) {
    SeriesList result;
    std::vector<Series>* list = fetched_.Find(node.pattern, context.range);
    if (list == nullptr) {
      fetched_.Want(node.pattern, context.range);
      missing_ = true;
      return result;
    }
    // A target may be evaluated twice when it has windows in points; otherwise the only user of a
    // list may take it.
    const bool take = !has_point_windows_ && fetched_.Uses(node.pattern, context.range) == 1;
    result.reserve(list->size());
    for (Series& series : *list) {
      if (!take) SHOAL_RETURN_IF_ERROR(budget_.Charge(static_cast<int64_t>(series.values.size())));
      result.push_back(
          FromFetched(take ? std::move(series) : series, node.pattern, request_.x_files_factor));
    }
    return result;
  }

  const EvalRequest& request_;
  const EvalLimits& limits_;
  EvalBudget budget_;
  Fetched fetched_;
  std::vector<const std::string*> sources_;  // the targets that are not blank
  std::vector<QueryNode> roots_;             // one for each
  bool has_point_windows_ = false;
  bool missing_ = false;
};

}  // namespace

absl::StatusOr<SeriesList> EvaluateTargets(const EvalRequest& request, const EvalLimits& limits,
                                           SeriesSource* source) {
  return Evaluator(request, limits, source).Run();
}

}  // namespace shoal
