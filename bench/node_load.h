// shoal-bench node: writes to one node as a router does, and times the acknowledgements.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace shoal {

struct NodeLoadOptions {
  std::string to = "127.0.0.1:7401";
  std::string cluster;
  std::string node;
  std::string router = "shoal-bench";
  int64_t series = 10'000;
  int64_t points = 60;  // per series
  int64_t step_sec = 10;
  int64_t batch_points = 16'384;
  int64_t window_batches = 64;  // sent and not acknowledged
  int64_t until_sec = 0;        // time of the newest points; 0: now
  std::string prefix = "bench";
  uint64_t seed = 1;
  bool json = false;
};

// Step after step, all series in each, over one Write stream.
absl::Status RunNodeLoad(const NodeLoadOptions& options);

}  // namespace shoal
