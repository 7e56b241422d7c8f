// NodeTransport over gRPC: service Node, Write.
#pragma once

#include <memory>
#include <string>

#include "router/forward/node_transport.h"

namespace shoal {

struct GrpcTransportOptions {
  std::string address;  // HOST:PORT
};

std::unique_ptr<NodeTransport> MakeGrpcTransport(GrpcTransportOptions options);

}  // namespace shoal
