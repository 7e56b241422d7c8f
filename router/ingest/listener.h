// One event loop of ingest: its own thread, TCP acceptor and UDP socket (SO_REUSEPORT), connections
// and pipeline.
//
// Back-pressure: while the memory budget is exhausted nothing is read, so TCP senders slow down;
// datagrams that do not fit into the kernel's buffer are dropped there.
//
// The clean-close acknowledgement: sockets are set to reset when they are closed (SO_LINGER 0,
// inherited from the listening socket, so that also a connection which the kernel has accepted for
// us, and a router that is killed, answer with a reset). Only when the sender has closed its side
// and everything that came from it is durable, the socket is set back and closed: its FIN is the
// acknowledgement.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "base/config.h"
#include "router/forward/dispatcher.h"
#include "router/forward/memory_budget.h"
#include "router/ingest/ingest_stats.h"
#include "router/ingest/pipeline.h"

namespace shoal {

struct ListenerOptions {
  PipelineOptions pipeline;
  size_t line_bytes_max = 16 << 10;
  size_t read_bytes = 256 << 10;
  int64_t batch_age_ms = 5;
  int64_t idle_timeout_ms = 600'000;  // 0: none
  int64_t connections_max = 10'000;   // of all loops together
  int udp_buffer_bytes = 8 << 20;     // asked of the kernel, which may give less
};

class Listener {
 public:
  Listener(int number, const ListenerOptions& options, Dispatcher* dispatcher, MemoryBudget* budget,
           IngestStats* stats);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  // Before Start. Port 0 picks a free one for TCP, and the same for UDP.
  absl::Status Bind(const HostPort& address);
  uint16_t port() const;
  void Start();

  // Reads no more and sends off what is gathered. Returns when that is done.
  void StopReading();
  // Resets what is still open, ends the thread. The dispatcher has stopped. Idempotent.
  void Stop();

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
