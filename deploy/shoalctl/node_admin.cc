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

  absl::StatusOr<Deleted> DeleteSeries(const std::string& pattern, bool dry_run, uint32_t names_max,
                                       std::chrono::seconds timeout) override {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + timeout);
    v1::DeleteSeriesRequest request;
    request.set_pattern(pattern);
    request.set_dry_run(dry_run);
    request.set_names_max(names_max);
    v1::DeleteSeriesResponse response;
    SHOAL_RETURN_IF_ERROR(
        Annotate(FromGrpcStatus(stub_->DeleteSeries(&call, request, &response)), label_));
    return Deleted{response.series(), {response.names().begin(), response.names().end()}};
  }

  absl::StatusOr<UsageReport> Usage(const UsageQuery& query,
                                    std::chrono::seconds timeout) override {
    grpc::ClientContext call;
    call.set_deadline(std::chrono::system_clock::now() + timeout);
    v1::UsageRequest request;
    request.set_prefix_nodes(query.prefix_nodes);
    request.set_prefixes_max(static_cast<uint32_t>(query.prefixes_max));
    v1::UsageResponse from;
    SHOAL_RETURN_IF_ERROR(Annotate(FromGrpcStatus(stub_->Usage(&call, request, &from)), label_));
    UsageReport report;
    for (const v1::ArchiveUsage& usage : from.archives()) {
      ArchiveUsage& archive = report.archives.emplace_back();
      archive.archive = {static_cast<SchemaId>(usage.schema()),
                         static_cast<uint8_t>(usage.archive())};
      archive.step_sec = usage.step_sec();
      archive.retention_sec = static_cast<int64_t>(usage.retention_sec());
      archive.series = usage.series();
      archive.points = usage.points();
      archive.page_bytes = usage.page_bytes();
      archive.files = usage.files();
      archive.logical_bytes = usage.logical_bytes();
      archive.allocated_bytes = usage.allocated_bytes();
    }
    for (const v1::PrefixUsage& usage : from.prefixes()) {
      report.prefixes.push_back(
          {usage.prefix(), usage.series(), usage.points(), usage.page_bytes()});
    }
    report.series = from.series();
    report.prefixes_left_out = from.prefixes_left_out();
    report.nameless_series = from.nameless_series();
    report.failed_pages = from.failed_pages();
    return report;
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
