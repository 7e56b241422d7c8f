#include "bench/load.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <optional>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/status_macros.h"
#include "bench/fleet.h"
#include "bench/latency.h"
#include "bench/tcp_connection.h"

namespace shoal {
namespace {

using SteadyClock = std::chrono::steady_clock;

double SecondsSince(SteadyClock::time_point begun) {
  return std::chrono::duration<double>(SteadyClock::now() - begun).count();
}

struct Worker {
  int64_t first_series = 0;
  int64_t last_series = 0;  // exclusive
  int64_t sent = 0;
  int64_t acknowledged = 0;
  Latencies acknowledgements;
  absl::Status status;
};

// One connection's share: step after step, all its series in each.
absl::Status SendShare(const LoadOptions& options, const HostPort& to, int64_t first_sec,
                       SteadyClock::time_point begun, Worker* worker) {
  std::vector<FleetSeries> shapes;
  std::vector<std::string> names;
  for (int64_t series = worker->first_series; series < worker->last_series; ++series) {
    shapes.emplace_back(options.seed, series);
    names.push_back(FleetName(options.prefix, series));
  }
  const double rate = static_cast<double>(options.rate) / static_cast<double>(options.connections);
  std::string buffer;
  std::optional<TcpConnection> connection;
  int64_t in_batch = 0;
  auto finish_batch = [&]() -> absl::Status {
    if (!connection) return absl::OkStatus();
    SHOAL_RETURN_IF_ERROR(connection->Send(buffer));
    buffer.clear();
    const auto closed = SteadyClock::now();
    SHOAL_RETURN_IF_ERROR(connection->FinishAcknowledged());
    worker->acknowledgements.Add(SecondsSince(closed));
    worker->acknowledged += in_batch;
    in_batch = 0;
    connection.reset();
    return absl::OkStatus();
  };
  for (int64_t point = 0; point < options.points; ++point) {
    const std::string tail = absl::StrCat(" ", first_sec + point * options.step_sec, "\n");
    for (size_t i = 0; i < names.size(); ++i) {
      if (!connection) {
        SHOAL_ASSIGN_OR_RETURN(TcpConnection opened, TcpConnection::Connect(to));
        connection.emplace(std::move(opened));
      }
      buffer.append(names[i]).push_back(' ');
      shapes[i].Next().AppendTo(&buffer);
      buffer.append(tail);
      ++worker->sent;
      ++in_batch;
      if (buffer.size() >= 256 * 1024) {
        SHOAL_RETURN_IF_ERROR(connection->Send(buffer));
        buffer.clear();
      }
      if (in_batch >= options.batch_points) SHOAL_RETURN_IF_ERROR(finish_batch());
      if (rate > 0 && (worker->sent & 255) == 0) {
        const double ahead = static_cast<double>(worker->sent) / rate - SecondsSince(begun);
        if (ahead > 0.001) std::this_thread::sleep_for(std::chrono::duration<double>(ahead));
      }
    }
  }
  return finish_batch();
}

}  // namespace

absl::Status RunLoad(const LoadOptions& options) {
  SHOAL_ASSIGN_OR_RETURN(const HostPort to, ParseHostPort(options.to));
  const int64_t connections = std::clamp<int64_t>(options.connections, 1, options.series);
  const int64_t now_sec = std::chrono::duration_cast<std::chrono::seconds>(
                              std::chrono::system_clock::now().time_since_epoch())
                              .count();
  const int64_t until_sec = options.until_sec > 0 ? options.until_sec : now_sec;
  const int64_t first_sec =
      until_sec - until_sec % options.step_sec - (options.points - 1) * options.step_sec;
  std::vector<Worker> workers(static_cast<size_t>(connections));
  std::vector<std::thread> threads;
  const auto begun = SteadyClock::now();
  for (int64_t i = 0; i < connections; ++i) {
    Worker& worker = workers[static_cast<size_t>(i)];
    worker.first_series = options.series * i / connections;
    worker.last_series = options.series * (i + 1) / connections;
    threads.emplace_back([&options, &to, first_sec, begun, &worker] {
      worker.status = SendShare(options, to, first_sec, begun, &worker);
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = SecondsSince(begun);

  int64_t sent = 0;
  int64_t acknowledged = 0;
  Latencies latencies;
  absl::Status status;
  for (Worker& worker : workers) {
    sent += worker.sent;
    acknowledged += worker.acknowledged;
    latencies.Merge(worker.acknowledgements);
    if (!worker.status.ok()) status = worker.status;
  }
  const double rate = static_cast<double>(acknowledged) / seconds;
  if (options.json) {
    absl::PrintF(
        "{\"points_sent\":%d,\"points_acknowledged\":%d,\"seconds\":%.3f,\"points_per_second\":%."
        "0f,"
        "\"ack_ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
        sent, acknowledged, seconds, rate, latencies.PercentileMs(50), latencies.PercentileMs(99),
        latencies.PercentileMs(100));
  } else {
    absl::PrintF("%d points sent, %d acknowledged in %.2f s: %.0f points/s\n", sent, acknowledged,
                 seconds, rate);
    absl::PrintF("acknowledgement after the last byte of a batch: %s\n", latencies.Summary());
  }
  return status;
}

}  // namespace shoal
