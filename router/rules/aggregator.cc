#include "router/rules/aggregator.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace shoal {
namespace {

// values[] need not be sorted. The rank of carbon-c-relay, or carbon's between two values.
double Percentile(std::vector<double> values, double percentile, bool interpolate) {
  std::sort(values.begin(), values.end());
  const double count = static_cast<double>(values.size());
  if (!interpolate) {
    const auto rank = static_cast<size_t>(percentile / 100 * count + 0.9);
    return values[std::min(std::max<size_t>(rank, 1), values.size()) - 1];
  }
  const double rank = percentile / 100 * (count - 1);
  const auto left = static_cast<size_t>(std::floor(rank));
  const auto right = static_cast<size_t>(std::ceil(rank));
  if (left == right) return values[left];
  return values[left] * (static_cast<double>(right) - rank) +
         values[right] * (rank - static_cast<double>(left));
}

}  // namespace

bool Aggregator::KeepsValues(AggregateMethod method) {
  return method == AggregateMethod::kMedian || method == AggregateMethod::kPercentile ||
         method == AggregateMethod::kVariance || method == AggregateMethod::kStddev;
}

std::optional<Aggregator::Handle> Aggregator::Open(absl::string_view name, const Aggregation& rule,
                                                   uint32_t compute) {
  if (const auto found = by_name_.find(name); found != by_name_.end()) {
    return Handle{found->second, outputs_[found->second].serial};
  }
  if (by_name_.size() >= options_.outputs_max ||
      bytes_ + kOutputBytes + name.size() > options_.bytes_max) {
    return std::nullopt;
  }
  Output output;
  output.name = std::string(name);
  output.origin = rule.origin;
  output.compute = rule.computes[compute];
  output.stamp = rule.stamp;
  output.interval_sec = rule.interval_sec;
  output.expire_sec = rule.expire_sec;
  // Not known yet: the first Flush sets it.
  output.idle_since_sec = std::numeric_limits<int64_t>::max();
  return Insert(std::move(output));
}

Aggregator::Handle Aggregator::Insert(Output output) {
  uint32_t slot = static_cast<uint32_t>(outputs_.size());
  if (free_slots_.empty()) {
    outputs_.emplace_back();
  } else {
    slot = free_slots_.back();
    free_slots_.pop_back();
  }
  output.serial = outputs_[slot].serial + 1;
  by_name_.emplace(output.name, slot);
  bytes_ += kOutputBytes + output.name.size();
  outputs_[slot] = std::move(output);
  return Handle{slot, outputs_[slot].serial};
}

void Aggregator::Forget(uint32_t slot) {
  Output& output = outputs_[slot];
  bytes_ -= kOutputBytes + output.name.size();
  by_name_.erase(output.name);
  const uint32_t serial = output.serial;
  output = Output();
  output.serial = serial;
  free_slots_.push_back(slot);
}

Aggregator::Taken Aggregator::Add(Handle handle, int64_t now_sec, uint32_t timestamp_sec,
                                  double value) {
  if (handle.slot >= outputs_.size() || outputs_[handle.slot].serial != handle.serial ||
      outputs_[handle.slot].name.empty()) {
    return Taken::kForgotten;
  }
  Output& output = outputs_[handle.slot];
  const int64_t start = timestamp_sec - timestamp_sec % output.interval_sec;
  if (start + output.expire_sec <= now_sec) return Taken::kTooOld;
  if (start > now_sec + output.expire_sec) return Taken::kTooNew;

  const bool keeps_values = KeepsValues(output.compute.method);
  auto bucket = output.buckets.find(start);
  size_t more = bucket == output.buckets.end() ? kBucketBytes : 0;
  if (keeps_values && more == 0 &&
      bucket->second.values.size() == bucket->second.values.capacity()) {
    // The vector is about to double.
    more = std::max<size_t>(bucket->second.values.capacity(), 1) * sizeof(double);
  } else if (keeps_values && more != 0) {
    more += sizeof(double);
  }
  if (bytes_ + more > options_.bytes_max) return Taken::kNoRoom;
  bytes_ += more;
  if (bucket == output.buckets.end()) bucket = output.buckets.emplace(start, Bucket()).first;

  Bucket& to = bucket->second;
  to.min = to.count == 0 ? value : std::min(to.min, value);
  to.max = to.count == 0 ? value : std::max(to.max, value);
  to.sum += value;
  ++to.count;
  to.changed = true;
  if (keeps_values) {
    if (to.values.size() == to.values.capacity()) {
      to.values.reserve(std::max<size_t>(2 * to.values.capacity(), 1));
    }
    to.values.push_back(value);
  }
  return Taken::kYes;
}

double Aggregator::Compute(const Aggregation::Compute& compute, const Bucket& bucket) {
  const double count = static_cast<double>(bucket.count);
  switch (compute.method) {
    case AggregateMethod::kSum:
      return bucket.sum;
    case AggregateMethod::kCount:
      return count;
    case AggregateMethod::kMax:
      return bucket.max;
    case AggregateMethod::kMin:
      return bucket.min;
    case AggregateMethod::kAverage:
      return bucket.sum / count;
    case AggregateMethod::kMedian:
      return Percentile(bucket.values, 50, compute.interpolate);
    case AggregateMethod::kPercentile:
      return Percentile(bucket.values, compute.percentile, compute.interpolate);
    case AggregateMethod::kVariance:
    case AggregateMethod::kStddev:
      break;
  }
  // Of the whole bucket, not of a sample.
  const double mean = bucket.sum / count;
  double squares = 0;
  for (const double value : bucket.values) squares += (value - mean) * (value - mean);
  const double variance = squares / count;
  return compute.method == AggregateMethod::kVariance ? variance : std::sqrt(variance);
}

void Aggregator::Flush(int64_t now_sec, absl::FunctionRef<void(const Emitted&)> emit) {
  std::vector<uint32_t> idle;
  for (const auto& [name, slot] : by_name_) {
    Output& output = outputs_[slot];
    for (auto it = output.buckets.begin(); it != output.buckets.end();) {
      const int64_t start = it->first;
      Bucket& bucket = it->second;
      if (start + output.interval_sec > now_sec) break;  // has not ended, nor have later ones
      if (bucket.changed) {
        int64_t stamp = start;
        if (output.stamp == BucketStamp::kMiddle) stamp += output.interval_sec / 2;
        if (output.stamp == BucketStamp::kEnd) stamp += output.interval_sec;
        bucket.changed = false;
        const double value = Compute(output.compute, bucket);
        // Infinite values, and sums that overflow, may have made none of it.
        if (!std::isnan(value) && stamp <= std::numeric_limits<uint32_t>::max()) {
          emit({output.name, output.origin, static_cast<uint32_t>(stamp), value});
        }
      }
      if (start + output.expire_sec > now_sec) {
        ++it;
        continue;
      }
      bytes_ -= kBucketBytes + bucket.values.capacity() * sizeof(double);
      it = output.buckets.erase(it);
    }
    if (!output.buckets.empty()) {
      output.idle_since_sec = std::numeric_limits<int64_t>::max();
    } else if (output.idle_since_sec == std::numeric_limits<int64_t>::max()) {
      output.idle_since_sec = now_sec;
    } else if (output.idle_since_sec + output.expire_sec <= now_sec) {
      idle.push_back(slot);
    }
  }
  for (const uint32_t slot : idle) Forget(slot);
}

}  // namespace shoal
