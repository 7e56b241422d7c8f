// What the services of one node share.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "base/stats.h"
#include "node/node_config.h"
#include "storage/engine.h"

namespace shoal {

// Constant after construction but for `engine`. Outlives every service.
struct NodeContext {
  std::string name;
  std::string cluster;
  NodeLimits limits;
  int64_t started_sec = 0;
  MetricRegistry* metrics = nullptr;  // never null
  // Null until the engine is open and from the moment it is about to close; services then answer
  // Unavailable. It is closed only after the gRPC server has ended all calls, so a call may use
  // what it loaded until it returns.
  std::atomic<Engine*> engine{nullptr};
};

}  // namespace shoal
