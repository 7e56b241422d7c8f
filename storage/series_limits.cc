#include "storage/series_limits.h"

#include <algorithm>
#include <utility>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/logging.h"

namespace shoal {
namespace {

constexpr auto kLogInterval = std::chrono::seconds(10);

}  // namespace

SeriesLimits::SeriesLimits(SeriesLimit node, std::vector<SeriesLimit> prefixes,
                           MetricRegistry* metrics)
    : has_prefixes_(!prefixes.empty()) {
  SHOAL_CHECK(prefixes.size() <= kPrefixesMax);
  node.prefix.clear();
  MutexLock lock(&mu_);
  const auto make = [&](SeriesLimit limit) {
    Group group;
    group.tokens = static_cast<double>(limit.creations_per_sec * kBurstSec);
    group.limit = std::move(limit);
    if (metrics != nullptr) {
      // The prefixes are the operator's own and few; names never become labels.
      const std::string label = group.limit.prefix;
      const auto refused = [&](const char* reason) {
        return metrics->AddCounter("shoal_node_series_refused_total",
                                   "New names that were not taken, by the limit's prefix",
                                   {{"prefix", label}, {"reason", reason}});
      };
      group.refused_count = refused("series_max");
      group.refused_rate = refused("creations_per_sec");
      if (!label.empty()) {
        group.series_gauge =
            metrics->AddGauge("shoal_node_prefix_series",
                              "Series that count against a prefix's limit", {{"prefix", label}});
      }
    }
    return group;
  };
  groups_.push_back(make(std::move(node)));
  for (SeriesLimit& limit : prefixes) groups_.push_back(make(std::move(limit)));
}

SeriesLimits::Group* SeriesLimits::PrefixGroup(absl::string_view name) {
  for (size_t i = 1; i < groups_.size(); ++i) {
    if (absl::StartsWith(name, groups_[i].limit.prefix)) return &groups_[i];
  }
  return nullptr;
}

void SeriesLimits::Fill(Group* group, TimePoint now) {
  if (group->filled == TimePoint()) group->filled = now;
  const double seconds = std::chrono::duration<double>(now - group->filled).count();
  const double rate = static_cast<double>(group->limit.creations_per_sec);
  group->tokens = std::min(group->tokens + seconds * rate, rate * kBurstSec);
  group->filled = now;
}

absl::Status SeriesLimits::Refuse(const Group& group, bool rate, absl::string_view name,
                                  TimePoint now) {
  if (Counter* const counter = rate ? group.refused_rate : group.refused_count) counter->Add();
  const std::string whose = group.limit.prefix.empty()
                                ? std::string("this node")
                                : absl::StrCat("the prefix \"", group.limit.prefix, "\"");
  const std::string why =
      rate ? absl::StrCat(whose, " takes ", group.limit.creations_per_sec,
                          " new series a second, its limit")
           : absl::StrCat(whose, " has ", group.limit.series_max, " series, its limit");
  ++unlogged_;
  if (now >= next_log_) {
    LogWarning("limits", unlogged_, " new names refused, the latest ", absl::CHexEscape(name), ": ",
               why);
    next_log_ = now + kLogInterval;
    unlogged_ = 0;
  }
  return absl::ResourceExhaustedError(why);
}

absl::Status SeriesLimits::Admit(absl::string_view name, TimePoint now) {
  MutexLock lock(&mu_);
  Group* const candidates[] = {&groups_[0], PrefixGroup(name)};
  // All of them first: what one refuses must cost the other no token.
  for (Group* const group : candidates) {
    if (group == nullptr) continue;
    const SeriesLimit& limit = group->limit;
    if (limit.series_max > 0 && group->series >= limit.series_max) {
      return Refuse(*group, false, name, now);
    }
    if (limit.creations_per_sec <= 0) continue;
    Fill(group, now);
    if (group->tokens < 1) return Refuse(*group, true, name, now);
  }
  for (Group* const group : candidates) {
    if (group == nullptr) continue;
    ++group->series;
    group->tokens -= 1;
    if (group->series_gauge != nullptr) group->series_gauge->Set(group->series);
  }
  return absl::OkStatus();
}

void SeriesLimits::Start(uint64_t series) {
  MutexLock lock(&mu_);
  groups_[0].series = static_cast<int64_t>(series);
}

void SeriesLimits::AddedToPrefix(absl::string_view name) {
  MutexLock lock(&mu_);
  Group* const group = PrefixGroup(name);
  if (group == nullptr) return;
  ++group->series;
  if (group->series_gauge != nullptr) group->series_gauge->Set(group->series);
}

void SeriesLimits::Removed(absl::string_view name) {
  MutexLock lock(&mu_);
  for (Group* const group : {&groups_[0], PrefixGroup(name)}) {
    if (group == nullptr) continue;
    group->series -= std::min<int64_t>(group->series, 1);
    if (group->series_gauge != nullptr) group->series_gauge->Set(group->series);
  }
}

}  // namespace shoal
