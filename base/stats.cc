#include "base/stats.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/check.h"

namespace shoal {
namespace {

void AppendEscaped(absl::string_view text, bool quotes, std::string* out) {
  for (const char c : text) {
    if (c == '\\') {
      out->append("\\\\");
    } else if (c == '\n') {
      out->append("\\n");
    } else if (c == '"' && quotes) {
      out->append("\\\"");
    } else {
      out->push_back(c);
    }
  }
}

// The shortest text that reads back as the same double, with Prometheus' spelling of what is not a
// number.
std::string NumberText(double value) {
  if (std::isnan(value)) return "NaN";
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  char buffer[32];
  const auto end = std::to_chars(buffer, buffer + sizeof(buffer), value);
  return std::string(buffer, end.ptr);
}

// "k=\"v\",k2=\"v2\"" without the braces.
std::string LabelsText(const Labels& labels) {
  std::string text;
  for (const auto& [key, value] : labels) {
    if (!text.empty()) text.push_back(',');
    absl::StrAppend(&text, key, "=\"");
    AppendEscaped(value, /*quotes=*/true, &text);
    text.push_back('"');
  }
  return text;
}

void AppendSample(absl::string_view name, absl::string_view labels, absl::string_view value,
                  std::string* out) {
  out->append(name.data(), name.size());
  if (!labels.empty()) absl::StrAppend(out, "{", labels, "}");
  absl::StrAppend(out, " ", value, "\n");
}

}  // namespace

Histogram::Histogram(std::vector<double> bounds)
    : bounds_(std::move(bounds)),
      buckets_(std::make_unique<std::atomic<uint64_t>[]>(bounds_.size() + 1)) {
  SHOAL_CHECK(std::is_sorted(bounds_.begin(), bounds_.end()));
}

void Histogram::Observe(double value) {
  const auto bound = std::lower_bound(bounds_.begin(), bounds_.end(), value);
  buckets_[static_cast<size_t>(bound - bounds_.begin())].fetch_add(1, std::memory_order_relaxed);
  sum_.fetch_add(value, std::memory_order_relaxed);
}

uint64_t Histogram::Count() const {
  uint64_t count = 0;
  for (size_t i = 0; i <= bounds_.size(); ++i) count += buckets_[i].load(std::memory_order_relaxed);
  return count;
}

// All metrics of one name. Invariant: exactly one of the pointers of a member is set, the one for
// the family's type.
struct MetricRegistry::Family {
  struct Member {
    std::string labels;
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<Histogram> histogram;
    std::function<double()> read;
  };
  std::string name;
  std::string help;
  std::string type;
  std::deque<Member> members;

  // Sets *added when the member is new, and still without its metric.
  Member& FindOrAdd(const Labels& labels, bool* added) {
    std::string text = LabelsText(labels);
    *added = false;
    for (Member& member : members) {
      if (member.labels == text) return member;
    }
    *added = true;
    members.emplace_back();
    members.back().labels = std::move(text);
    return members.back();
  }
};

MetricRegistry::MetricRegistry() = default;
MetricRegistry::~MetricRegistry() = default;

MetricRegistry::Family* MetricRegistry::FindOrAddFamily(absl::string_view name,
                                                        absl::string_view help,
                                                        absl::string_view type) {
  for (const auto& family : families_) {
    if (family->name != name) continue;
    SHOAL_CHECK(family->type == type);
    return family.get();
  }
  auto family = std::make_unique<Family>();
  family->name = std::string(name);
  family->help = std::string(help);
  family->type = std::string(type);
  families_.push_back(std::move(family));
  return families_.back().get();
}

Counter* MetricRegistry::AddCounter(absl::string_view name, absl::string_view help, Labels labels) {
  MutexLock lock(&mu_);
  bool added;
  auto& member = FindOrAddFamily(name, help, "counter")->FindOrAdd(labels, &added);
  if (added) member.counter = std::make_unique<Counter>();
  return member.counter.get();
}

Gauge* MetricRegistry::AddGauge(absl::string_view name, absl::string_view help, Labels labels) {
  MutexLock lock(&mu_);
  bool added;
  auto& member = FindOrAddFamily(name, help, "gauge")->FindOrAdd(labels, &added);
  if (added) member.gauge = std::make_unique<Gauge>();
  // The same name and labels as a callback gauge would be our own bug.
  SHOAL_CHECK(member.gauge != nullptr);
  return member.gauge.get();
}

Histogram* MetricRegistry::AddHistogram(absl::string_view name, absl::string_view help,
                                        std::vector<double> bounds, Labels labels) {
  MutexLock lock(&mu_);
  bool added;
  auto& member = FindOrAddFamily(name, help, "histogram")->FindOrAdd(labels, &added);
  if (added) member.histogram = std::make_unique<Histogram>(std::move(bounds));
  return member.histogram.get();
}

void MetricRegistry::AddCallbackGauge(absl::string_view name, absl::string_view help, Labels labels,
                                      std::function<double()> read) {
  MutexLock lock(&mu_);
  bool added;
  auto& member = FindOrAddFamily(name, help, "gauge")->FindOrAdd(labels, &added);
  SHOAL_CHECK(added || member.gauge == nullptr);
  member.read = std::move(read);
}

std::string MetricRegistry::PrometheusText() const {
  MutexLock lock(&mu_);
  std::string out;
  for (const auto& family : families_) {
    absl::StrAppend(&out, "# HELP ", family->name, " ");
    AppendEscaped(family->help, /*quotes=*/false, &out);
    absl::StrAppend(&out, "\n# TYPE ", family->name, " ", family->type, "\n");
    for (const Family::Member& member : family->members) {
      if (member.counter != nullptr) {
        AppendSample(family->name, member.labels, absl::StrCat(member.counter->Value()), &out);
      } else if (member.gauge != nullptr) {
        AppendSample(family->name, member.labels, absl::StrCat(member.gauge->Value()), &out);
      } else if (member.read) {
        AppendSample(family->name, member.labels, NumberText(member.read()), &out);
      } else {
        const Histogram& histogram = *member.histogram;
        const absl::string_view comma = member.labels.empty() ? "" : ",";
        // Counted once, so that the +Inf bucket and the count agree while others observe.
        uint64_t cumulative = 0;
        for (size_t i = 0; i <= histogram.bounds_.size(); ++i) {
          cumulative += histogram.buckets_[i].load(std::memory_order_relaxed);
          const std::string bound =
              i < histogram.bounds_.size() ? NumberText(histogram.bounds_[i]) : "+Inf";
          AppendSample(absl::StrCat(family->name, "_bucket"),
                       absl::StrCat(member.labels, comma, "le=\"", bound, "\""),
                       absl::StrCat(cumulative), &out);
        }
        AppendSample(absl::StrCat(family->name, "_sum"), member.labels,
                     NumberText(histogram.sum_.load(std::memory_order_relaxed)), &out);
        AppendSample(absl::StrCat(family->name, "_count"), member.labels, absl::StrCat(cumulative),
                     &out);
      }
    }
  }
  return out;
}

std::vector<double> MetricRegistry::LatencyBounds() {
  return {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025,
          0.05,   0.1,     0.25,   0.5,   1.0,    2.5,   5.0,  10.0};
}

}  // namespace shoal
