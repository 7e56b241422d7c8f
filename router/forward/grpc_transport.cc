#include "router/forward/grpc_transport.h"

#include <grpcpp/grpcpp.h>

#include <atomic>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "node.grpc.pb.h"
#include "proto/convert.h"

namespace shoal {
namespace {

// A channel of its own for every stream: a shared one would sit out its own back-off before it
// tries the node again, and the node client has one already.
std::shared_ptr<grpc::Channel> NewChannel(const GrpcTransportOptions& options) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, kMessageBytesMax);
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  // A peer that vanished without a word (power loss, cable) is noticed by this also when nothing is
  // sent to it.
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 10'000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 5'000);
  arguments.SetInt(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0);
  return grpc::CreateCustomChannel(options.address, grpc::InsecureChannelCredentials(), arguments);
}

NodeRefusal NodeRefusalFromProto(int reason) {
  switch (reason) {
    case v1::REFUSAL_REASON_TOO_OLD:
      return NodeRefusal::kTooOld;
    case v1::REFUSAL_REASON_TOO_FAR_AHEAD:
      return NodeRefusal::kTooFarAhead;
    case v1::REFUSAL_REASON_SERIES_LIMIT:
      return NodeRefusal::kSeriesLimit;
    case v1::REFUSAL_REASON_BAD_NAME:
      return NodeRefusal::kBadName;
    default:
      return NodeRefusal::kOther;
  }
}

class GrpcWriteStream : public WriteStream {
 public:
  explicit GrpcWriteStream(const GrpcTransportOptions& options)
      : address_(options.address), channel_(NewChannel(options)) {}

  absl::Status Connect(const StreamHello& hello,
                       std::chrono::milliseconds connect_timeout) override {
    SHOAL_RETURN_IF_ERROR(WaitConnected(connect_timeout));
    stub_ = v1::Node::NewStub(channel_);
    stream_ = stub_->Write(&context_);
    request_.Clear();
    v1::WriteHello* message = request_.mutable_hello();
    message->set_protocol_version(kWriteProtocolVersion);
    message->set_cluster(hello.cluster);
    message->set_router(hello.router);
    message->set_incarnation(hello.incarnation);
    message->set_topology_epoch(hello.topology_epoch);
    message->set_node(hello.node);
    v1::WriteResponse response;
    if (!stream_->Write(request_) || !stream_->Read(&response)) {
      const absl::Status status = Finish();
      return status.ok() ? absl::UnavailableError(absl::StrCat(address_, ": no hello")) : status;
    }
    if (!response.has_hello() || response.hello().node() != hello.node) {
      context_.TryCancel();
      Finish().IgnoreError();
      return absl::FailedPreconditionError(absl::StrCat(address_, " is not node ", hello.node,
                                                        " but \"", response.hello().node(), "\""));
    }
    return absl::OkStatus();
  }

  bool Send(const WireBatch& batch) override {
    v1::PointBatch* message = request_.mutable_batch();
    message->Clear();
    message->set_sequence(batch.sequence);
    message->mutable_defined_refs()->Add(batch.defined_refs.begin(), batch.defined_refs.end());
    message->mutable_defined_names()->Reserve(static_cast<int>(batch.defined_names.size()));
    for (const absl::string_view name : batch.defined_names) {
      message->add_defined_names(name.data(), name.size());
    }
    message->mutable_refs()->Add(batch.refs.begin(), batch.refs.end());
    message->mutable_timestamps_sec()->Add(batch.timestamps_sec.begin(),
                                           batch.timestamps_sec.end());
    message->mutable_values()->Add(batch.values.begin(), batch.values.end());
    return stream_->Write(request_);
  }

  bool Receive(WireAck* ack) override {
    if (!stream_->Read(&response_) || !response_.has_ack()) return false;
    const v1::WriteAck& message = response_.ack();
    ack->sequence = message.sequence();
    ack->refused.clear();
    for (int i = 0; i < message.refused_indexes_size(); ++i) {
      const int reason = i < message.refused_reasons_size() ? message.refused_reasons(i) : 0;
      ack->refused.push_back({message.refused_indexes(i), NodeRefusalFromProto(reason)});
    }
    return true;
  }

  absl::Status Finish() override { return FromGrpcStatus(stream_->Finish()); }

  void Cancel() override {
    cancelled_.store(true, std::memory_order_relaxed);
    context_.TryCancel();
  }

 private:
  // Fails as soon as the first attempt has failed: the caller has work to do for a node that is not
  // there.
  absl::Status WaitConnected(std::chrono::milliseconds timeout) {
    const auto deadline = std::chrono::system_clock::now() + timeout;
    grpc_connectivity_state state = channel_->GetState(/*try_to_connect=*/true);
    while (state != GRPC_CHANNEL_READY) {
      if (cancelled_.load(std::memory_order_relaxed)) return absl::CancelledError(address_);
      if (state == GRPC_CHANNEL_TRANSIENT_FAILURE || state == GRPC_CHANNEL_SHUTDOWN) {
        return absl::UnavailableError(absl::StrCat(address_, ": cannot connect"));
      }
      const auto now = std::chrono::system_clock::now();
      if (now >= deadline) {
        return absl::UnavailableError(absl::StrCat(address_, ": no connection in time"));
      }
      // In slices, so that Cancel is heard.
      channel_->WaitForStateChange(state, std::min(deadline, now + std::chrono::milliseconds(50)));
      state = channel_->GetState(true);
    }
    return absl::OkStatus();
  }

  const std::string address_;
  const std::shared_ptr<grpc::Channel> channel_;
  std::atomic<bool> cancelled_{false};
  std::unique_ptr<v1::Node::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WriteRequest, v1::WriteResponse>> stream_;
  v1::WriteRequest request_;    // the sending thread's, reused
  v1::WriteResponse response_;  // the receiving thread's, reused
};

class GrpcTransport : public NodeTransport {
 public:
  explicit GrpcTransport(GrpcTransportOptions options) : options_(std::move(options)) {}
  std::unique_ptr<WriteStream> NewStream() override {
    return std::make_unique<GrpcWriteStream>(options_);
  }

 private:
  const GrpcTransportOptions options_;
};

}  // namespace

std::unique_ptr<NodeTransport> MakeGrpcTransport(GrpcTransportOptions options) {
  return std::make_unique<GrpcTransport>(std::move(options));
}

}  // namespace shoal
