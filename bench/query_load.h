// shoal-bench query: asks one or more URLs over and over and times the answers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"

namespace shoal {

struct QueryLoadOptions {
  std::vector<std::string> urls;  // http://HOST:PORT/PATH?QUERY, asked in turn
  int64_t clients = 1;            // each with one keep-alive connection
  int64_t requests = 1000;        // of all clients together
  int64_t warmup = 50;            // of each client, not counted
  bool json = false;
};

// Any answer but 200 counts as an error and is not timed. InvalidArgument for a bad URL;
// Unavailable when nothing answered.
absl::Status RunQueryLoad(const QueryLoadOptions& options);

}  // namespace shoal
