// Aggregated series in the making: the points of other series in buckets of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "router/rules/rule_set.h"

namespace shoal {

// A bucket is emitted when its interval has ended, and again whenever late points have changed it;
// it is forgotten when it is older than the rule's expiration. Intervals begin at multiples of
// their length. Time comes from the caller. Belongs to one thread: whoever has points for it hands
// them over in batches.
class Aggregator {
 public:
  struct Options {
    size_t outputs_max = 1'000'000;
    // Of outputs, buckets, and the values that percentiles, variance and deviation keep.
    size_t bytes_max = 256 << 20;
  };
  explicit Aggregator(const Options& options) : options_(options) {}

  // An output that has been forgotten meanwhile is not found under its old handle.
  struct Handle {
    uint32_t slot = 0;
    uint32_t serial = 0;
  };
  // The output `name` of one compute of a rule. The first rule that opens a name fixes its method
  // and interval, as in carbon; others feed it all the same. Nothing when there is no room.
  std::optional<Handle> Open(absl::string_view name, const Aggregation& rule, uint32_t compute);

  enum class Taken : uint8_t {
    kYes,
    kTooOld,     // its bucket is forgotten, or would be at once
    kTooNew,     // further ahead of the clock than the expiration is behind it
    kNoRoom,     // Options::bytes_max
    kForgotten,  // the handle: open the output again
  };
  // `value` is a number, not NaN.
  Taken Add(Handle output, int64_t now_sec, uint32_t timestamp_sec, double value);

  struct Emitted {
    absl::string_view name;
    absl::string_view origin;  // of the rule, "FILE:LINE": where its outputs go is up to the rules
    uint32_t timestamp_sec;
    double value;
  };
  // Emits what is due, by name and time, and forgets what has expired. Call it every second or so.
  void Flush(int64_t now_sec, absl::FunctionRef<void(const Emitted&)> emit);

  size_t outputs() const { return by_name_.size(); }
  size_t bytes() const { return bytes_; }

  // Everything that is held, as the contents of a file (docs/format/aggregator.md).
  std::string Save() const;
  // Into an aggregator that holds nothing yet. Buckets that have expired by `now_sec` and have been
  // emitted are left out.
  // DataLoss for bytes that are not what Save gave, FailedPrecondition for another version,
  // ResourceExhausted when they need more room than there is; nothing is held after an error.
  absl::Status Restore(absl::string_view saved, int64_t now_sec);

 private:
  // What an output and a bucket take besides names and values, with the nodes of their maps.
  static constexpr size_t kOutputBytes = 400;
  static constexpr size_t kBucketBytes = 160;

  struct Bucket {
    bool changed = false;  // since it was emitted
    uint64_t count = 0;
    double sum = 0;
    double min = 0;
    double max = 0;
    std::vector<double> values;  // only where the method needs them
  };
  struct Output {
    std::string name;
    std::string origin;
    Aggregation::Compute compute;
    BucketStamp stamp = BucketStamp::kStart;
    int64_t interval_sec = 0;
    int64_t expire_sec = 0;
    int64_t idle_since_sec = 0;         // when its last bucket was forgotten
    uint32_t serial = 0;                // of the slot's use
    std::map<int64_t, Bucket> buckets;  // by the start of the interval
  };

  Handle Insert(Output output);
  void Forget(uint32_t slot);
  static bool KeepsValues(AggregateMethod method);
  static double Compute(const Aggregation::Compute& compute, const Bucket& bucket);
  static void AppendOutput(const Output& output, std::string* to);
  absl::Status RestoreAll(absl::string_view saved, int64_t now_sec);

  const Options options_;
  std::vector<Output> outputs_;  // by slot; a free one has no name
  std::vector<uint32_t> free_slots_;
  std::map<std::string, uint32_t, std::less<>> by_name_;
  size_t bytes_ = 0;
};

}  // namespace shoal
