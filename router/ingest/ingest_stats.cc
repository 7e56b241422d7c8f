#include "router/ingest/ingest_stats.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

constexpr std::chrono::seconds kBadLineLogInterval{10};
constexpr size_t kExampleBytes = 200;

const char* ListenerName(size_t transport) { return transport == 0 ? "tcp" : "udp"; }

}  // namespace

IngestStats::IngestStats(MetricRegistry* registry) {
  for (size_t t = 0; t < kTransportCount; ++t) {
    PerTransport& counters = transports_[t];
    const Labels labels = {{"listener", ListenerName(t)}};
    counters.lines = registry->AddCounter("shoal_router_lines_received_total",
                                          "Lines that were read, without blank ones.", labels);
    counters.bad_lines[0] = nullptr;
    for (size_t i = 1; i < kLineErrorCount; ++i) {
      counters.bad_lines[i] = registry->AddCounter(
          "shoal_router_lines_bad_total", "Lines that were refused.",
          {{"listener", ListenerName(t)}, {"reason", LineErrorName(static_cast<LineError>(i))}});
    }
    counters.points_received =
        registry->AddCounter("shoal_router_points_received_total", "Points of good lines.", labels);
    counters.points_acked = registry->AddCounter(
        "shoal_router_points_acked_total", "Points that are durable in enough places.", labels);
    for (size_t i = 0; i < kNodeRefusalCount; ++i) {
      counters.points_rejected[i] =
          registry->AddCounter("shoal_router_points_rejected_total", "Points that a node refused.",
                               {{"listener", ListenerName(t)},
                                {"reason", NodeRefusalName(static_cast<NodeRefusal>(i))}});
    }
    counters.points_dropped =
        registry->AddCounter("shoal_router_points_dropped_total", "Points that were given up.",
                             {{"listener", ListenerName(t)}, {"reason", "copies_lost"}});
    counters.points_in_flight = registry->AddGauge("shoal_router_points_in_flight",
                                                   "Points received whose fate is open.", labels);
    counters.bytes = registry->AddCounter("shoal_router_ingest_bytes_total", "Bytes read.", labels);
  }
  connections_accepted =
      registry->AddCounter("shoal_router_connections_accepted_total", "Line connections accepted.");
  connections_refused =
      registry->AddCounter("shoal_router_connections_refused_total",
                           "Line connections closed because there were too many.");
  connections_acknowledged =
      registry->AddCounter("shoal_router_connections_acknowledged_total",
                           "Clean closes that were answered when everything was durable.");
  connections_reset = registry->AddCounter("shoal_router_connections_reset_total",
                                           "Line connections closed by the router without the "
                                           "acknowledgement.");
  connections_idle = registry->AddCounter("shoal_router_connections_idle_total",
                                          "Line connections closed because nothing came.");
  connections_broken = registry->AddCounter("shoal_router_connections_broken_total",
                                            "Line connections that the sender or the network cut.");
  connections_open = registry->AddGauge("shoal_router_connections_open", "Line connections.");
  accept_errors =
      registry->AddCounter("shoal_router_accept_errors_total", "Failed accepts of connections.");
  pauses = registry->AddCounter("shoal_router_read_pauses_total",
                                "Times a loop stopped reading because ingest.memory_max was "
                                "reached.");
  udp_datagrams = registry->AddCounter("shoal_router_udp_datagrams_total", "Datagrams read.");
  name_generations = registry->AddCounter("shoal_router_name_generations_total",
                                          "Name tables begun: more than one per loop means that "
                                          "ingest.name_table_max was reached.");
  names = registry->AddGauge("shoal_router_names", "Names in the name tables of all loops.");
  for (auto& log : bad_line_log_) log = std::make_unique<LogEvery>(kBadLineLogInterval);
}

void IngestStats::BadLine(Transport transport, LineError error, absl::string_view line) {
  const size_t index = static_cast<size_t>(error);
  of(transport).bad_lines[index]->Add();
  uint64_t held_back = 0;
  if (!bad_line_log_[index]->Pass(&held_back)) return;
  LogWarning("ingest", "bad line (", LineErrorName(error), "): \"",
             line.substr(0, std::min(line.size(), kExampleBytes)),
             line.size() > kExampleBytes ? "...\"" : "\"",
             held_back > 0 ? absl::StrCat(", ", held_back, " more like it since the last") : "");
}

}  // namespace shoal
