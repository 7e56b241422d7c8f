// Ingest as a whole: the loops on one port.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "base/config.h"
#include "base/stats.h"
#include "router/ingest/listener.h"

namespace shoal {

struct IngestOptions {
  HostPort address;
  int loops = 0;  // 0: one per hardware thread
  ListenerOptions listener;
};

// Init, Start, StopReading, then (the dispatcher drains and stops) Stop.
class IngestServer {
 public:
  // The dispatcher, the budget and the registry outlive it.
  IngestServer(const IngestOptions& options, Dispatcher* dispatcher, MemoryBudget* budget,
               MetricRegistry* metrics);
  ~IngestServer();

  // Binds all loops. Unavailable: "listen 127.0.0.1:2003 (TCP): Address already in use".
  absl::Status Init();
  uint16_t port() const;
  void Start();
  void StopReading();
  // Waits until every point received has its verdict; false when that takes longer than `timeout`.
  bool WaitSettled(std::chrono::milliseconds timeout);
  void Stop();

 private:
  IngestOptions options_;
  Dispatcher* const dispatcher_;
  MemoryBudget* const budget_;
  IngestStats stats_;
  std::vector<std::unique_ptr<Listener>> listeners_;
};

}  // namespace shoal
