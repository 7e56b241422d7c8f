#include "node/node_service.h"

#include "node.grpc.pb.h"
#include "node/query_service.h"
#include "node/write_service.h"

namespace shoal {
namespace {

class NodeService final : public v1::Node::Service {
 public:
  NodeService(WriteService* write, QueryService* query) : write_(write), query_(query) {}

  grpc::Status Write(
      grpc::ServerContext* call,
      grpc::ServerReaderWriter<v1::WriteResponse, v1::WriteRequest>* stream) override {
    return write_->Serve(call, stream);
  }
  grpc::Status Fetch(grpc::ServerContext* call, const v1::FetchRequest* request,
                     grpc::ServerWriter<v1::FetchResponse>* writer) override {
    return query_->Fetch(call, *request, writer);
  }
  grpc::Status Find(grpc::ServerContext* call, const v1::FindRequest* request,
                    grpc::ServerWriter<v1::FindResponse>* writer) override {
    return query_->Find(call, *request, writer);
  }
  grpc::Status ListNames(grpc::ServerContext* call, const v1::ListNamesRequest* request,
                         grpc::ServerWriter<v1::ListNamesResponse>* writer) override {
    return query_->ListNames(call, *request, writer);
  }
  grpc::Status Status(grpc::ServerContext*, const v1::StatusRequest*,
                      v1::StatusResponse* response) override {
    return query_->Status(response);
  }

 private:
  WriteService* const write_;
  QueryService* const query_;
};

}  // namespace

std::unique_ptr<grpc::Service> MakeNodeService(WriteService* write, QueryService* query) {
  return std::make_unique<NodeService>(write, query);
}

}  // namespace shoal
