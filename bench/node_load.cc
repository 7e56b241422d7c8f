#include "bench/node_load.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <deque>
#include <memory>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/mutex.h"
#include "base/status_macros.h"
#include "bench/fleet.h"
#include "bench/latency.h"
#include "proto/grpc_runtime.h"
#include "router/forward/grpc_transport.h"
#include "router/forward/node_transport.h"

namespace shoal {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::chrono::seconds kConnectTimeout(5);

double SecondsSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

// What was sent and is not acknowledged yet.
class Window {
 public:
  explicit Window(size_t batches_max) : batches_max_(batches_max) {}

  // False when the stream has ended.
  bool Enter(size_t points) {
    MutexLock lock(&mu_);
    while (!ended_ && sent_.size() >= batches_max_) changed_.Wait(&mu_);
    if (ended_) return false;
    sent_.push_back({SteadyClock::now(), points});
    return true;
  }
  void Acknowledge(size_t refused) {
    MutexLock lock(&mu_);
    if (sent_.empty()) return;
    latencies_.Add(SecondsSince(sent_.front().at));
    acknowledged_ += sent_.front().points - refused;
    refused_ += refused;
    sent_.pop_front();
    changed_.SignalAll();
  }
  void End() {
    MutexLock lock(&mu_);
    ended_ = true;
    changed_.SignalAll();
  }
  // Until everything is acknowledged, or the stream has ended.
  void AwaitEmpty() {
    MutexLock lock(&mu_);
    while (!ended_ && !sent_.empty()) changed_.Wait(&mu_);
  }

  // After the end.
  uint64_t acknowledged() const {
    MutexLock lock(&mu_);
    return acknowledged_;
  }
  uint64_t refused() const {
    MutexLock lock(&mu_);
    return refused_;
  }
  Latencies latencies() const {
    MutexLock lock(&mu_);
    return latencies_;
  }

 private:
  struct Sent {
    SteadyClock::time_point at;
    size_t points = 0;
  };
  const size_t batches_max_;
  mutable Mutex mu_;
  CondVar changed_;
  std::deque<Sent> sent_ ABSL_GUARDED_BY(mu_);
  bool ended_ ABSL_GUARDED_BY(mu_) = false;
  uint64_t acknowledged_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t refused_ ABSL_GUARDED_BY(mu_) = 0;
  Latencies latencies_ ABSL_GUARDED_BY(mu_);
};

// The columns of the next batches.
class Generator {
 public:
  explicit Generator(const NodeLoadOptions& options, int64_t first_sec)
      : options_(options), sec_(first_sec) {
    for (int64_t series = 0; series < options.series; ++series) {
      shapes_.emplace_back(options.seed, series);
      names_.push_back(FleetName(options.prefix, series));
    }
  }

  // False when all points are sent. The spans of `batch` hold until the next call.
  bool Next(WireBatch* batch) {
    defined_refs_.clear();
    defined_names_.clear();
    refs_.clear();
    timestamps_sec_.clear();
    values_.clear();
    while (step_ < options_.points && refs_.size() < static_cast<size_t>(options_.batch_points)) {
      const size_t i = static_cast<size_t>(series_);
      if (step_ == 0) {
        defined_refs_.push_back(static_cast<uint32_t>(i));
        defined_names_.push_back(names_[i]);
      }
      refs_.push_back(static_cast<uint32_t>(i));
      timestamps_sec_.push_back(static_cast<uint32_t>(sec_));
      values_.push_back(shapes_[i].Next().AsDouble());
      if (++series_ < options_.series) continue;
      series_ = 0;
      ++step_;
      sec_ += options_.step_sec;
    }
    if (refs_.empty()) return false;
    ++batch->sequence;
    batch->defined_refs = defined_refs_;
    batch->defined_names = defined_names_;
    batch->refs = refs_;
    batch->timestamps_sec = timestamps_sec_;
    batch->values = values_;
    return true;
  }

 private:
  const NodeLoadOptions& options_;
  int64_t sec_;
  int64_t step_ = 0;
  int64_t series_ = 0;
  std::vector<FleetSeries> shapes_;
  std::vector<std::string> names_;
  std::vector<uint32_t> defined_refs_;
  std::vector<absl::string_view> defined_names_;
  std::vector<uint32_t> refs_;
  std::vector<uint32_t> timestamps_sec_;
  std::vector<double> values_;
};

void Report(const NodeLoadOptions& options, const Window& window, double seconds) {
  const uint64_t acknowledged = window.acknowledged();
  Latencies latencies = window.latencies();
  const double rate = static_cast<double>(acknowledged) / seconds;
  if (options.json) {
    absl::PrintF(
        "{\"points_acknowledged\":%d,\"points_refused\":%d,\"seconds\":%.3f,"
        "\"points_per_second\":%.0f,\"ack_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
        acknowledged, window.refused(), seconds, rate, latencies.PercentileMs(50),
        latencies.PercentileMs(99), latencies.PercentileMs(100));
    return;
  }
  absl::PrintF("%d points acknowledged, %d refused in %.2f s: %.0f points/s\n", acknowledged,
               window.refused(), seconds, rate);
  absl::PrintF("acknowledgement of a batch: %s\n", latencies.Summary());
}

}  // namespace

absl::Status RunNodeLoad(const NodeLoadOptions& options) {
  InitGrpcRuntime();
  const int64_t now_sec = std::chrono::duration_cast<std::chrono::seconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
  const int64_t until_sec = options.until_sec > 0 ? options.until_sec : now_sec;
  Generator generator(
      options, until_sec - until_sec % options.step_sec - (options.points - 1) * options.step_sec);

  StreamHello hello;
  hello.cluster = options.cluster;
  hello.router = options.router;
  // Later than every stream of an earlier run.
  hello.incarnation = static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                std::chrono::system_clock::now().time_since_epoch())
                                                .count());
  hello.node = options.node;
  const std::unique_ptr<WriteStream> stream =
      MakeGrpcTransport({.address = options.to})->NewStream();
  SHOAL_RETURN_IF_ERROR(stream->Connect(hello, kConnectTimeout));

  Window window(static_cast<size_t>(options.window_batches));
  std::thread receiver([&] {
    WireAck ack;
    while (stream->Receive(&ack)) window.Acknowledge(ack.refused.size());
    window.End();
  });
  const auto begun = SteadyClock::now();
  WireBatch batch;
  uint64_t sent = 0;
  while (generator.Next(&batch)) {
    if (!window.Enter(batch.refs.size())) break;
    if (!stream->Send(batch)) break;
    sent += batch.refs.size();
  }
  window.AwaitEmpty();
  const double seconds = SecondsSince(begun);
  const bool complete = window.acknowledged() + window.refused() == sent &&
                        sent == static_cast<uint64_t>(options.series * options.points);
  stream->Cancel();
  receiver.join();
  const absl::Status end = stream->Finish();
  Report(options, window, seconds);
  if (complete) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("the stream ended early: ", end.ToString()));
}

}  // namespace shoal
