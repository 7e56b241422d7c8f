// shoal.v1.Node as gRPC calls it: hands every call to the service that does the work.
#pragma once

#include <memory>

namespace grpc {
class Service;
}

namespace shoal {

class QueryService;
class WriteService;

// Both services outlive the result.
std::unique_ptr<grpc::Service> MakeNodeService(WriteService* write, QueryService* query);

}  // namespace shoal
