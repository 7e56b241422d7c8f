#include "router/forward/grpc_node_reader.h"

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/channel_arguments.h>

#include <algorithm>
#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "node.grpc.pb.h"
#include "proto/convert.h"
#include "proto/grpc_runtime.h"

namespace shoal {
namespace {

constexpr int kKeepaliveTimeMs = 10'000;
constexpr int kKeepaliveTimeoutMs = 5'000;
constexpr int kReconnectMinMs = 100;
constexpr int kReconnectMaxMs = 1'000;
// One attempt to connect.
constexpr int kConnectTimeoutMs = 1'000;

std::shared_ptr<grpc::Channel> MakeChannel(const GrpcNodeReaderOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(static_cast<int>(options.message_bytes_max));
  arguments.SetMaxSendMessageSize(static_cast<int>(options.message_bytes_max));
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, kKeepaliveTimeMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, kKeepaliveTimeoutMs);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, kReconnectMinMs);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, kReconnectMaxMs);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, kConnectTimeoutMs);
  // Queries have a connection of their own: a large answer does not hold up acknowledgements of
  // writes.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
}

void SetDeadline(Deadline deadline, grpc::ClientContext* call) {
  // The clocks have different ends: a deadline "never" must not overflow.
  const auto left = std::min<std::chrono::nanoseconds>(deadline - std::chrono::steady_clock::now(),
                                                       std::chrono::hours(1));
  call->set_deadline(std::chrono::system_clock::now() + left);
}

class GrpcNodeReader : public NodeReader {
 public:
  explicit GrpcNodeReader(GrpcNodeReaderOptions options)
      : label_(absl::StrCat("node ", options.name, " (", options.address, ")")),
        stub_(v1::Node::NewStub(MakeChannel(options))) {}

  absl::Status Fetch(const NodeFetchRequest& request, const PartitionBits& partitions,
                     Deadline deadline, Cancellation* cancel,
                     absl::FunctionRef<absl::Status(FetchedSeries)> visit) override {
    v1::FetchRequest to;
    for (const std::string& pattern : request.patterns) to.add_patterns(pattern);
    to.set_from_sec(request.range.from_sec);
    to.set_until_sec(request.range.until_sec);
    to.set_now_sec(request.range.now_sec);
    if (request.range.aggregate.has_value())
      to.set_aggregate(AggregateName(*request.range.aggregate));
    to.set_series_max(request.series_max);
    to.set_points_max(request.points_max);
    ToPartitionSet(partitions, to.mutable_partitions());

    // A long series comes in several columns: it is complete when another one begins.
    std::optional<FetchedSeries> open;
    const auto take = [&](const v1::SeriesColumn& column) -> absl::Status {
      FetchedSeries next;
      SHOAL_RETURN_IF_ERROR(FromColumn(column, &next.series));
      if (column.pattern_index() >= request.patterns.size()) {
        return absl::InternalError(absl::StrCat("an answer to pattern ", column.pattern_index(),
                                                " of ", request.patterns.size()));
      }
      next.pattern_index = column.pattern_index();
      next.damaged = column.damaged();
      if (open.has_value() && Continues(*open, next)) {
        open->series.values.insert(open->series.values.end(), next.series.values.begin(),
                                   next.series.values.end());
        open->damaged |= next.damaged;
        return absl::OkStatus();
      }
      if (open.has_value()) SHOAL_RETURN_IF_ERROR(visit(*std::move(open)));
      open = std::move(next);
      return absl::OkStatus();
    };
    const absl::Status status = Run<v1::FetchResponse>(
        deadline, cancel, [&](grpc::ClientContext* call) { return stub_->Fetch(call, to); },
        [&](const v1::FetchResponse& response) -> absl::Status {
          for (const v1::SeriesColumn& column : response.series()) {
            SHOAL_RETURN_IF_ERROR(take(column));
          }
          return absl::OkStatus();
        });
    if (!status.ok()) return status;
    if (open.has_value()) return visit(*std::move(open));
    return absl::OkStatus();
  }

  absl::Status Find(const std::string& pattern, const PartitionBits& partitions, Deadline deadline,
                    Cancellation* cancel,
                    absl::FunctionRef<absl::Status(FindEntry)> visit) override {
    v1::FindRequest to;
    to.set_pattern(pattern);
    ToPartitionSet(partitions, to.mutable_partitions());
    return Run<v1::FindResponse>(
        deadline, cancel, [&](grpc::ClientContext* call) { return stub_->Find(call, to); },
        [&](const v1::FindResponse& response) -> absl::Status {
          for (const v1::FoundNode& node : response.nodes()) {
            SHOAL_RETURN_IF_ERROR(visit({.path = node.path(), .is_leaf = node.is_leaf()}));
          }
          return absl::OkStatus();
        });
  }

  absl::Status ListNames(const PartitionBits& partitions, Deadline deadline, Cancellation* cancel,
                         absl::FunctionRef<absl::Status(std::string)> visit) override {
    v1::ListNamesRequest to;
    ToPartitionSet(partitions, to.mutable_partitions());
    return Run<v1::ListNamesResponse>(
        deadline, cancel, [&](grpc::ClientContext* call) { return stub_->ListNames(call, to); },
        [&](const v1::ListNamesResponse& response) -> absl::Status {
          for (const std::string& name : response.names()) SHOAL_RETURN_IF_ERROR(visit(name));
          return absl::OkStatus();
        });
  }

  absl::StatusOr<NodeStatus> Status(Deadline deadline) override {
    grpc::ClientContext call;
    SetDeadline(deadline, &call);
    v1::StatusResponse from;
    const grpc::Status status = stub_->Status(&call, v1::StatusRequest(), &from);
    if (!status.ok()) return Annotate(FromGrpcStatus(status), label_);
    NodeStatus to;
    to.node = from.node();
    to.cluster = from.cluster();
    to.version = from.version();
    to.series = from.series();
    to.points_written = from.points_written();
    to.write_buffer_points = from.write_buffer_points();
    to.write_buffer_bytes = from.write_buffer_bytes();
    to.wal_bytes = from.wal_bytes();
    to.disk_bytes = from.disk_bytes();
    to.bad_pages = from.bad_pages();
    to.read_only = from.read_only();
    to.read_only_reason = from.read_only_reason();
    to.started_sec = from.started_sec();
    return to;
  }

 private:
  static bool Continues(const FetchedSeries& open, const FetchedSeries& next) {
    return open.pattern_index == next.pattern_index && open.series.name == next.series.name &&
           open.series.step_sec == next.series.step_sec &&
           open.series.end_sec() == next.series.start_sec;
  }

  // One server-streaming call: `start` opens it, `take` gets every message; an error of `take` ends
  // it.
  template <typename Response, typename Start, typename Take>
  absl::Status Run(Deadline deadline, Cancellation* cancel, const Start& start, const Take& take) {
    grpc::ClientContext call;
    SetDeadline(deadline, &call);
    // TryCancel before the call has begun is remembered by the context.
    const Cancellation::Scope scope(cancel, [&call] { call.TryCancel(); });
    std::unique_ptr<grpc::ClientReader<Response>> reader = start(&call);
    Response response;
    absl::Status taken;
    while (reader->Read(&response)) {
      taken = take(response);
      if (!taken.ok()) {
        call.TryCancel();
        break;
      }
    }
    const grpc::Status status = reader->Finish();
    if (!taken.ok()) return taken;
    return Annotate(FromGrpcStatus(status), label_);
  }

  const std::string label_;
  const std::unique_ptr<v1::Node::Stub> stub_;
};

}  // namespace

std::unique_ptr<NodeReader> MakeGrpcNodeReader(GrpcNodeReaderOptions options) {
  InitGrpcRuntime();
  return std::make_unique<GrpcNodeReader>(std::move(options));
}

}  // namespace shoal
