// The Write stream over gRPC: hello, fencing of older streams, batches in, acknowledgements out.
#pragma once

#include "node/node_context.h"
#include "node/stream_registry.h"
#include "node/write_metrics.h"

namespace grpc {
class ServerContext;
class Status;
template <class W, class R>
class ServerReaderWriter;
}  // namespace grpc

namespace shoal::v1 {
class WriteHello;
class WriteRequest;
class WriteResponse;
}  // namespace shoal::v1

namespace shoal {

// Thread safe. Each stream takes the calling thread (it reads) and one more (it writes
// acknowledgements).
class WriteService {
 public:
  // `context` outlives the service.
  explicit WriteService(NodeContext* context);

  // One stream, from its hello to its end.
  grpc::Status Serve(grpc::ServerContext* call,
                     grpc::ServerReaderWriter<v1::WriteResponse, v1::WriteRequest>* stream);

  // Every stream acknowledges what is in flight and ends; new ones are refused.
  void Shutdown() { registry_.Shutdown(); }

 private:
  absl::Status CheckHello(const v1::WriteHello& hello) const;

  NodeContext* const context_;
  WriteMetrics metrics_;
  StreamRegistry registry_;
};

}  // namespace shoal
