// shoal-bench load: sends series over Graphite's line protocol and times the acknowledgements.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"

namespace shoal {

struct LoadOptions {
  std::string to = "127.0.0.1:2003";
  int64_t series = 10'000;
  int64_t points = 60;  // per series
  int64_t step_sec = 10;
  int64_t connections = 2;        // series are divided among them
  int64_t rate = 0;               // points per second over all connections; 0: as fast as it goes
  int64_t batch_points = 10'000;  // a connection is closed, and so acknowledged, after this many
  int64_t until_sec = 0;          // time of the newest points; 0: now
  std::string prefix = "bench";
  uint64_t seed = 1;
  bool json = false;
};

// Unavailable when an acknowledgement fails: the report says
// how far it came.
absl::Status RunLoad(const LoadOptions& options);

}  // namespace shoal
