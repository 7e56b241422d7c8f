#include "deploy/shoalctl/node_admin.h"

#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include "absl/strings/str_cat.h"
#include "admin.grpc.pb.h"
#include "base/status_macros.h"
#include "proto/convert.h"
#include "proto/grpc_runtime.h"

namespace shoal {
namespace {

class GrpcNodeAdmin : public NodeAdmin {
 public:
  GrpcNodeAdmin(const std::string& name, const std::string& address)
      : label_(absl::StrCat("node ", name, " (", address, ")")) {
    grpc::ChannelArguments arguments;
    arguments.SetMaxReceiveMessageSize(kMessageBytesMax);
    arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
    stub_ = v1::Admin::NewStub(
        grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  }

  absl::StatusOr<std::chrono::milliseconds> Flush(bool all_rollups,
                                                  std::chrono::seconds timeout) override {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + timeout);
    v1::FlushRequest request;
    request.set_all_rollups(all_rollups);
    v1::FlushResponse response;
    SHOAL_RETURN_IF_ERROR(
        Annotate(FromGrpcStatus(stub_->Flush(&call, request, &response)), label_));
    return std::chrono::milliseconds(response.duration_ms());
  }

 private:
  const std::string label_;
  std::unique_ptr<v1::Admin::Stub> stub_;
};

}  // namespace

std::unique_ptr<NodeAdmin> MakeNodeAdmin(const std::string& name, const std::string& address) {
  InitGrpcRuntime();
  return std::make_unique<GrpcNodeAdmin>(name, address);
}

}  // namespace shoal
