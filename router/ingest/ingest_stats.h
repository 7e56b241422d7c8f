// The books of ingest: every line and every point ends in exactly one counter.
//
//   lines received  = points received + bad lines (by reason)
//   points received = acked + rejected (by reason) + dropped (by reason) + in flight
//
// Blank lines are not lines. Each equation holds for each listener by itself.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "absl/strings/string_view.h"
#include "base/logging.h"
#include "base/stats.h"
#include "router/forward/chunk.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {

enum class Transport : uint8_t { kTcp, kUdp };
inline constexpr size_t kTransportCount = 2;

// Shared by all loops. Thread safe.
class IngestStats {
 public:
  explicit IngestStats(MetricRegistry* registry);

  struct PerTransport {
    Counter* lines;
    std::array<Counter*, kLineErrorCount> bad_lines;  // [kNone] is null
    Counter* points_received;
    Counter* points_acked;
    std::array<Counter*, kNodeRefusalCount> points_rejected;
    Counter* points_dropped;
    Gauge* points_in_flight;
    Counter* bytes;
  };
  PerTransport& of(Transport transport) { return transports_[static_cast<size_t>(transport)]; }

  // Counts a bad line and, now and then, logs it as an example.
  void BadLine(Transport transport, LineError error, absl::string_view line);

  Counter* connections_accepted;
  Counter* connections_refused;       // past connections_max
  Counter* connections_acknowledged;  // clean closes that were answered
  Counter* connections_reset;         // closed by us without the acknowledgement
  Counter* connections_idle;          // of those, for saying nothing
  Counter* connections_broken;        // ended by the sender's reset or an error
  Gauge* connections_open;
  Counter* accept_errors;
  Counter* pauses;  // times a loop stopped reading because memory was full
  Counter* udp_datagrams;
  Counter* name_generations;
  Gauge* names;

 private:
  std::array<PerTransport, kTransportCount> transports_;
  std::array<std::unique_ptr<LogEvery>, kLineErrorCount> bad_line_log_;
};

}  // namespace shoal
