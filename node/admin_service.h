// shoal.v1.Admin: what operators and their tools ask of a node.
#pragma once

#include <memory>

#include "node/node_context.h"

namespace grpc {
class Service;
}

namespace shoal {

// Thread safe. `context` outlives the result.
std::unique_ptr<grpc::Service> MakeAdminService(NodeContext* context);

}  // namespace shoal
