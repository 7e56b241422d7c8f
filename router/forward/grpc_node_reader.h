// NodeReader over gRPC.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "router/query/node_reader.h"

namespace shoal {

struct GrpcNodeReaderOptions {
  std::string name;     // in the topology; appears in errors
  std::string address;  // HOST:PORT
  int64_t message_bytes_max = 16 << 20;
};

// Connects when it is first needed and keeps the connection; after a failure it reconnects in the
// background with a back-off of at most a second, and calls meanwhile fail at once.
std::unique_ptr<NodeReader> MakeGrpcNodeReader(GrpcNodeReaderOptions options);

}  // namespace shoal
