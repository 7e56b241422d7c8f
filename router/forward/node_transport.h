// The write side of the wire to one node, as the node client sees it: small, so that tests can own
// the peer and the node client does not know gRPC.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "router/forward/chunk.h"

namespace shoal {

struct StreamHello {
  std::string cluster;
  std::string router;
  uint64_t incarnation = 0;
  int64_t topology_epoch = 0;
  std::string node;
};

// One batch as it crosses the wire. refs, timestamps_sec and values have equal length; every ref
// was defined in this or an earlier batch of the stream.
struct WireBatch {
  uint64_t sequence = 0;  // 1, 2, 3, ...
  absl::Span<const uint32_t> defined_refs;
  absl::Span<const absl::string_view> defined_names;
  absl::Span<const uint32_t> refs;
  absl::Span<const uint32_t> timestamps_sec;
  absl::Span<const double> values;
};

// The refused indexes come from the network: they are not checked against the batch.
struct WireAck {
  uint64_t sequence = 0;
  std::vector<RefusedPoint> refused;
};

// One stream, from connecting to its end. Connect first; then one thread sends while another
// receives; Finish when both are done. Cancel from any thread at any time makes all of them return
// soon.
class WriteStream {
 public:
  virtual ~WriteStream() = default;

  // Connects, says hello and waits for the node's. `connect_timeout` bounds the connection alone: a
  // node may take longer over its hello, while it ends an older stream of ours.
  virtual absl::Status Connect(const StreamHello& hello,
                               std::chrono::milliseconds connect_timeout) = 0;
  // False when the stream is broken. Blocks while the node does not read.
  virtual bool Send(const WireBatch& batch) = 0;
  // Blocks for the next acknowledgement. False when the stream is broken.
  virtual bool Receive(WireAck* ack) = 0;
  // Why it broke.
  virtual absl::Status Finish() = 0;
  virtual void Cancel() = 0;
};

class NodeTransport {
 public:
  virtual ~NodeTransport() = default;
  // Never null, not connected yet. Thread safe.
  virtual std::unique_ptr<WriteStream> NewStream() = 0;
};

}  // namespace shoal
