#include "router/rules/aggregator_state.h"

#include <cmath>
#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/metric/metric_name.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// Frozen: "SHAG", then the version; XXH3-64 of all before it at the end.
constexpr uint32_t kMagic = 0x47414853;
constexpr uint32_t kVersion = 1;
constexpr size_t kChecksumBytes = sizeof(uint64_t);
constexpr uint64_t kFileBytesMax = uint64_t{1} << 32;
constexpr int64_t kSecondsMax = int64_t{1} << 32;

absl::Status Damaged(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("aggregator state: ", what));
}

bool IsKnown(AggregateMethod method) { return method <= AggregateMethod::kStddev; }
bool IsKnown(BucketStamp stamp) { return stamp <= BucketStamp::kEnd; }

}  // namespace

void Aggregator::AppendOutput(const Output& output, std::string* to) {
  AppendLengthPrefixed(to, output.name);
  AppendLengthPrefixed(to, output.origin);
  AppendLE(to, static_cast<uint8_t>(output.compute.method));
  AppendLE(to, output.compute.percentile);
  AppendLE(to, static_cast<uint8_t>(output.compute.interpolate));
  AppendLE(to, static_cast<uint8_t>(output.stamp));
  AppendVarint(to, static_cast<uint64_t>(output.interval_sec));
  AppendVarint(to, static_cast<uint64_t>(output.expire_sec));
  AppendVarint(to, output.buckets.size());
  for (const auto& [start, bucket] : output.buckets) {
    AppendVarint(to, static_cast<uint64_t>(start));
    AppendLE(to, static_cast<uint8_t>(bucket.changed));
    AppendVarint(to, bucket.count);
    AppendLE(to, bucket.sum);
    AppendLE(to, bucket.min);
    AppendLE(to, bucket.max);
    AppendVarint(to, bucket.values.size());
    for (const double value : bucket.values) AppendLE(to, value);
  }
}

std::string Aggregator::Save() const {
  std::string saved;
  AppendLE(&saved, kMagic);
  AppendLE(&saved, kVersion);
  AppendVarint(&saved, by_name_.size());
  for (const auto& [name, slot] : by_name_) AppendOutput(outputs_[slot], &saved);
  AppendLE(&saved, Hash64(saved));
  return saved;
}

absl::Status Aggregator::Restore(absl::string_view saved, int64_t now_sec) {
  if (!by_name_.empty()) return absl::FailedPreconditionError("the aggregator is not empty");
  const absl::Status status = RestoreAll(saved, now_sec);
  if (!status.ok()) {
    while (!by_name_.empty()) {
      const uint32_t slot = by_name_.begin()->second;
      for (const auto& [start, bucket] : outputs_[slot].buckets) {
        bytes_ -= kBucketBytes + bucket.values.capacity() * sizeof(double);
      }
      Forget(slot);
    }
  }
  return status;
}

absl::Status Aggregator::RestoreAll(absl::string_view saved, int64_t now_sec) {
  ByteReader reader(saved);
  uint32_t magic = 0;
  uint32_t version = 0;
  if (!reader.Get(&magic) || !reader.Get(&version) || magic != kMagic) {
    return Damaged("not such a file");
  }
  // Before the checksum: another version may have another one.
  if (version != kVersion) {
    return absl::FailedPreconditionError(absl::StrCat("aggregator state: version ", version,
                                                      ", this program reads version ", kVersion));
  }
  if (reader.rest().size() < kChecksumBytes ||
      LoadLE<uint64_t>(saved.data() + saved.size() - kChecksumBytes) !=
          Hash64(saved.substr(0, saved.size() - kChecksumBytes))) {
    return Damaged("wrong checksum");
  }
  reader = ByteReader(reader.rest().substr(0, reader.rest().size() - kChecksumBytes));

  uint64_t outputs = 0;
  if (!reader.GetVarint(&outputs)) return Damaged("cut off");
  for (uint64_t o = 0; o < outputs; ++o) {
    Output output;
    absl::string_view name, origin;
    uint8_t method, interpolate, stamp;
    uint64_t interval, expire, buckets;
    if (!reader.GetLengthPrefixed(&name) || !reader.GetLengthPrefixed(&origin) ||
        !reader.Get(&method) || !reader.Get(&output.compute.percentile) ||
        !reader.Get(&interpolate) || !reader.Get(&stamp) || !reader.GetVarint(&interval) ||
        !reader.GetVarint(&expire) || !reader.GetVarint(&buckets)) {
      return Damaged("cut off");
    }
    output.name = std::string(name);
    output.origin = std::string(origin);
    output.compute.method = static_cast<AggregateMethod>(method);
    output.compute.interpolate = interpolate != 0;
    output.stamp = static_cast<BucketStamp>(stamp);
    output.idle_since_sec = std::numeric_limits<int64_t>::max();
    if (ValidateName(name) != NameError::kNone || by_name_.contains(output.name) ||
        !IsKnown(output.compute.method) || !IsKnown(output.stamp) || interval < 1 ||
        interval > kSecondsMax || expire > kSecondsMax ||
        !(output.compute.percentile >= 0 && output.compute.percentile <= 100)) {
      return Damaged("an output that cannot be");
    }
    output.interval_sec = static_cast<int64_t>(interval);
    output.expire_sec = static_cast<int64_t>(expire);
    if (by_name_.size() >= options_.outputs_max ||
        bytes_ + kOutputBytes + name.size() > options_.bytes_max) {
      return absl::ResourceExhaustedError("aggregator state: more than there is room for");
    }
    const Handle handle = Insert(std::move(output));
    for (uint64_t b = 0; b < buckets; ++b) {
      uint64_t start, values;
      uint8_t changed;
      Bucket bucket;
      if (!reader.GetVarint(&start) || !reader.Get(&changed) || !reader.GetVarint(&bucket.count) ||
          !reader.Get(&bucket.sum) || !reader.Get(&bucket.min) || !reader.Get(&bucket.max) ||
          !reader.GetVarint(&values) || values > reader.rest().size() / sizeof(double)) {
        return Damaged("cut off");
      }
      const bool keeps_values = KeepsValues(outputs_[handle.slot].compute.method);
      if (start > static_cast<uint64_t>(kSecondsMax) || start % interval != 0 ||
          bucket.count == 0 || values != (keeps_values ? bucket.count : 0)) {
        return Damaged("a bucket that cannot be");
      }
      if (bytes_ + kBucketBytes + values * sizeof(double) > options_.bytes_max) {
        return absl::ResourceExhaustedError("aggregator state: more than there is room for");
      }
      bucket.changed = changed != 0;
      bucket.values.resize(values);
      bool numbers = true;
      for (double& value : bucket.values) numbers &= reader.Get(&value) && !std::isnan(value);
      // They will be sorted.
      if (!numbers) return Damaged("a value that is no number");
      // One that has never been emitted is, by the next Flush, however old it is.
      if (static_cast<int64_t>(start + expire) <= now_sec && !bucket.changed) continue;
      const size_t bytes = kBucketBytes + bucket.values.capacity() * sizeof(double);
      if (!outputs_[handle.slot]
               .buckets.emplace(static_cast<int64_t>(start), std::move(bucket))
               .second) {
        return Damaged("a bucket twice");
      }
      bytes_ += bytes;
    }
  }
  return reader.empty() ? absl::OkStatus() : Damaged("bytes behind its end");
}

absl::Status SaveAggregator(FileSystem* fs, const std::string& path, const Aggregator& aggregator) {
  return WriteFileAtomically(fs, path, aggregator.Save());
}

absl::Status RestoreAggregator(FileSystem* fs, const std::string& path, int64_t now_sec,
                               Aggregator* aggregator) {
  SHOAL_ASSIGN_OR_RETURN(const bool exists, fs->Exists(path));
  if (!exists) return absl::OkStatus();
  SHOAL_ASSIGN_OR_RETURN(const std::string saved, ReadFile(fs, path, kFileBytesMax));
  return Annotate(aggregator->Restore(saved, now_sec), path);
}

}  // namespace shoal
