#include "node/write_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <chrono>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "base/thread_pool.h"
#include "node.grpc.pb.h"
#include "node/write_session.h"
#include "proto/convert.h"

namespace shoal {
namespace {

using Stream = grpc::ServerReaderWriter<v1::WriteResponse, v1::WriteRequest>;

// A connection that opens a stream and says nothing would hold a thread.
constexpr std::chrono::seconds kHelloTimeout(10);
// A stream that the node ends: how long it may take the peer's next message to wake the reader,
// which then can answer with the reason. After that the call is cancelled, which the peer sees as
// Cancelled.
constexpr std::chrono::milliseconds kReaderGrace(100);
constexpr size_t kRouterNameBytesMax = 255;

// Cancels the call unless it is disarmed in time.
class Watchdog {
 public:
  Watchdog(grpc::ServerContext* call, std::chrono::nanoseconds timeout)
      : thread_([this, call, timeout] {
          SetThreadName("hello-timeout");
          const auto deadline = std::chrono::steady_clock::now() + timeout;
          MutexLock lock(&mu_);
          while (!disarmed_) {
            const auto left = deadline - std::chrono::steady_clock::now();
            if (left <= left.zero()) {
              call->TryCancel();
              return;
            }
            changed_.WaitFor(&mu_, left);
          }
        }) {}
  ~Watchdog() {
    {
      MutexLock lock(&mu_);
      disarmed_ = true;
      changed_.SignalAll();
    }
    thread_.join();
  }

 private:
  Mutex mu_;
  CondVar changed_;
  bool disarmed_ ABSL_GUARDED_BY(mu_) = false;
  std::thread thread_;
};

bool ReadHello(grpc::ServerContext* call, Stream* stream, v1::WriteRequest* request) {
  const Watchdog watchdog(call, kHelloTimeout);
  return stream->Read(request);
}

void ToWriteAck(const BatchAck& ack, v1::WriteAck* to) {
  to->set_sequence(ack.sequence);
  to->mutable_refused_indexes()->Reserve(static_cast<int>(ack.refused.size()));
  to->mutable_refused_reasons()->Reserve(static_cast<int>(ack.refused.size()));
  for (const Refusal& refusal : ack.refused) {
    to->add_refused_indexes(refusal.index);
    // The engine's reasons are frozen with the numbers of the wire.
    to->add_refused_reasons(static_cast<v1::RefusalReason>(refusal.reason));
  }
}

// Runs on its own thread until there is nothing left to acknowledge.
void WriteAcks(grpc::ServerContext* call, Stream* stream, WriteSession* session) {
  SetThreadName("write-acks");
  BatchAck ack;
  bool more = false;
  v1::WriteResponse response;
  while (session->NextAck(&ack, &more)) {
    response.Clear();
    ToWriteAck(ack, response.mutable_ack());
    grpc::WriteOptions options;
    if (more) options.set_buffer_hint();
    if (!stream->Write(response, options)) {
      session->Stop(absl::CancelledError("the router is gone"));
      return;
    }
  }
  if (!session->failure().ok() && !session->WaitForReader(kReaderGrace)) call->TryCancel();
}

absl::Status ReadBatches(Stream* stream, WriteSession* session) {
  v1::WriteRequest request;  // reused: its columns keep their memory
  while (stream->Read(&request)) {
    if (!request.has_batch()) {
      return absl::InvalidArgumentError("a message after the hello is not a batch");
    }
    if (absl::Status status = session->Accept(request.batch()); !status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

WriteService::WriteService(NodeContext* context)
    : context_(context),
      metrics_(context->metrics),
      registry_(static_cast<size_t>(context->limits.write_streams_max), Clock::System()) {
  context->metrics->AddCallbackGauge("shoal_node_write_streams", "Write streams that are open", {},
                                     [this] { return static_cast<double>(registry_.active()); });
}

absl::Status WriteService::CheckHello(const v1::WriteHello& hello) const {
  if (hello.protocol_version() != kWriteProtocolVersion) {
    return absl::FailedPreconditionError(
        absl::StrCat("write protocol version ", hello.protocol_version(), ": node ", context_->name,
                     " speaks version ", kWriteProtocolVersion));
  }
  if (hello.cluster() != context_->cluster) {
    return absl::FailedPreconditionError(absl::StrCat("cluster \"", hello.cluster(), "\": node ",
                                                      context_->name, " belongs to cluster \"",
                                                      context_->cluster, "\""));
  }
  if (hello.node() != context_->name) {
    return absl::FailedPreconditionError(absl::StrCat("the router expects node \"", hello.node(),
                                                      "\" here: this is \"", context_->name, "\""));
  }
  if (hello.router().empty() || hello.router().size() > kRouterNameBytesMax) {
    return absl::FailedPreconditionError(absl::StrCat("a router name of ", hello.router().size(),
                                                      " bytes; 1..", kRouterNameBytesMax,
                                                      " are allowed"));
  }
  return absl::OkStatus();
}

grpc::Status WriteService::Serve(grpc::ServerContext* call, Stream* stream) {
  v1::WriteRequest first;
  if (!ReadHello(call, stream, &first)) {
    return grpc::Status(grpc::StatusCode::CANCELLED, "no hello");
  }
  Engine* const engine = context_->engine.load();
  if (engine == nullptr) {
    return grpc::Status(grpc::StatusCode::UNAVAILABLE,
                        absl::StrCat("node ", context_->name, " is starting or stopping"));
  }
  absl::Status status = first.has_hello()
                            ? CheckHello(first.hello())
                            : absl::InvalidArgumentError("a write stream starts with a hello");
  const std::string router = first.hello().router();
  if (!status.ok()) {
    metrics_.streams_refused->Add();
    LogWarning("write", "stream from ", call->peer(), " refused: ", status.message());
    return ToGrpcStatus(status);
  }

  // Outlives the ticket, through which the registry reaches it. Invariant: the ticket goes only
  // after WaitForEngine, because the router's next stream starts then.
  auto session = std::make_unique<WriteSession>(engine, context_->limits, &metrics_);
  absl::StatusOr<std::unique_ptr<StreamRegistry::Ticket>> ticket = registry_.Enter(
      router, first.hello().incarnation(),
      {.cancel = [call] { call->TryCancel(); },
       .drain = [&session] { session->Stop(absl::UnavailableError("the node is stopping")); },
       .is_cancelled = [call] { return call->IsCancelled(); }});
  if (!ticket.ok()) {
    metrics_.streams_refused->Add();
    LogWarning("write", "stream of router ", router, " from ", call->peer(),
               " refused: ", ticket.status().message());
    return ToGrpcStatus(ticket.status());
  }
  metrics_.streams_opened->Add();
  LogInfo("write", "stream of router ", router, " incarnation ", first.hello().incarnation(),
          " from ", call->peer());

  v1::WriteResponse hello;
  hello.mutable_hello()->set_protocol_version(kWriteProtocolVersion);
  hello.mutable_hello()->set_node(context_->name);
  if (stream->Write(hello)) {
    std::thread acks([&] { WriteAcks(call, stream, session.get()); });
    status = ReadBatches(stream, session.get());
    session->FinishReading();
    acks.join();
    session->WaitForEngine();
  }
  // OK from the reader may mean that the call was cancelled under it; the session knows why.
  if (status.ok()) status = session->failure();
  ticket->reset();
  if (!status.ok() && status.code() != absl::StatusCode::kCancelled) {
    metrics_.streams_failed->Add();
    LogWarning("write", "stream of router ", router, " ended: ", status.ToString());
  } else {
    LogInfo("write", "stream of router ", router, " closed");
  }
  return ToGrpcStatus(status);
}

}  // namespace shoal
