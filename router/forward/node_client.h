// Everything that goes to one node: a strict queue that is live or on disk, never both ways at
// once.
//
// Live: batches are sent on one long-lived stream; what is not acknowledged stays in memory and is
// sent again after a break. Spooling: the node is away, hangs or cannot keep up. What is not
// acknowledged goes to the spool, and everything new goes behind it, while the records are sent in
// order as soon as the node takes them. When the last one is sent, the queue is live again. So the
// points of a series always reach the node in the order in which they came: the last write wins
// there too.
//
// Threads: Enqueue from any thread, never blocks. Inside: a sender (connects, sends, reads the
// spool), a receiver per stream (acknowledgements) and a keeper (deadlines, writes the spool).
// Reports to the chunks are made without a lock.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "base/stats.h"
#include "router/forward/chunk.h"
#include "router/forward/hint_spool.h"
#include "router/forward/node_transport.h"
#include "router/query/replica_health.h"

namespace shoal {

struct NodeClientOptions {
  StreamHello hello;  // without the incarnation
  // Added to the number of the stream: grows from one life of the router to the next.
  uint64_t incarnation_base = 0;

  std::chrono::milliseconds connect_timeout{1000};
  std::chrono::milliseconds hello_timeout{5000};
  // No acknowledgement for so long while some are due: the node hangs.
  std::chrono::milliseconds ack_timeout{1000};
  // A batch that is not acknowledged for so long, though others are: the node is too slow.
  std::chrono::milliseconds slow_timeout{3000};
  // As ack_timeout, for a node that is sent its spool.
  std::chrono::milliseconds stall_timeout{5000};
  std::chrono::milliseconds backoff_min{100};
  std::chrono::milliseconds backoff_max{1000};
  size_t window_batches_max = 256;
  size_t window_bytes_max = 16 << 20;
  // Past so many names a stream is replaced, which empties the dictionary at both ends.
  uint32_t dictionary_names_max = 2 << 20;
  // What a full spool does: false: batches stay in memory, until reading stops; true: the oldest
  // records go, counted.
  bool drop_oldest = false;
};

struct NodeClientStatus {
  ReplicaState state = ReplicaState::kDown;
  uint64_t spool_bytes = 0;
  uint64_t pending_batches = 0;  // in memory, not acknowledged
  int64_t last_ack_age_ms = -1;  // -1: none yet
  std::string last_error;        // why the last stream ended or failed; empty when it is up
};

class NodeClient {
 public:
  NodeClient(NodeClientOptions options, std::unique_ptr<NodeTransport> transport,
             std::unique_ptr<HintSpool> spool, MetricRegistry* metrics);
  ~NodeClient();  // Stop
  NodeClient(const NodeClient&) = delete;
  NodeClient& operator=(const NodeClient&) = delete;

  void Start();
  void Enqueue(std::shared_ptr<NodeBatch> batch);
  ReplicaState State() const;
  NodeClientStatus Status() const;

  // No patience any more: what the node does not acknowledge within `patience` goes to the spool.
  void Drain(std::chrono::milliseconds patience);
  // Ends the stream, spools what is not acknowledged, joins. Idempotent.
  void Stop();

 private:
  using Time = std::chrono::steady_clock::time_point;
  enum class Mode { kLive, kSpooling };

  // Sent, not acknowledged.
  struct Sent {
    uint64_t sequence = 0;
    std::shared_ptr<NodeBatch> live;  // null: a record of the spool
    LogPosition record_end;           // of a record
    size_t points = 0;
    size_t bytes = 0;
  };
  // A record whose chunk still needs the node itself (EnoughCopies), because another copy is
  // spooled too.
  struct Waiting {
    LogPosition position;
    std::shared_ptr<Chunk> chunk;
  };
  struct Metrics;

  void SenderMain();
  void ReceiverMain(WriteStream* stream, uint64_t epoch);
  void KeeperMain();
  // Sends until the stream is over.
  void SendAll(WriteStream* stream, uint64_t epoch);

  // Connects; then the stream is up, with a new epoch.
  absl::Status OpenStream(const std::shared_ptr<WriteStream>& stream);
  // False ends the stream.
  bool OnAck(const WireAck& ack, uint64_t epoch);
  void NoteStreamEnd(const absl::Status& status, bool connected, bool progress);

  bool HasOutstanding() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_) {
    return !queue_.empty() || !window_.empty();
  }
  // The stream is over: what was sent and not acknowledged goes back to where it came from.
  void TearDown(uint64_t epoch, absl::string_view why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void EnterSpooling(absl::string_view why) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void CheckDeadlines(Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Moves a group of batches from the queue to the disk; mu_ is free meanwhile.
  void SpoolGroup() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status WriteGroup(const std::vector<std::shared_ptr<NodeBatch>>& group,
                          std::vector<LogPosition>* positions);
  void DropOldest() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Makes the progress of the replay durable.
  void PersistProgress() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Takes the chunks whose records lie before `position`.
  std::vector<std::shared_ptr<Chunk>> TakeWaiting(LogPosition position)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  ReplicaState StateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const NodeClientOptions options_;
  const std::unique_ptr<NodeTransport> transport_;
  const std::unique_ptr<HintSpool> spool_;
  const std::unique_ptr<Metrics> metrics_;

  LogEvery stream_log_{std::chrono::seconds(10)};
  LogEvery spool_log_{std::chrono::seconds(10)};

  mutable Mutex mu_;
  CondVar sender_cv_;
  CondVar keeper_cv_;
  Mode mode_ ABSL_GUARDED_BY(mu_) = Mode::kLive;
  std::deque<std::shared_ptr<NodeBatch>> queue_ ABSL_GUARDED_BY(mu_);  // not sent, not spooled
  // Invariant: in sequence order; records come before live batches.
  std::deque<Sent> window_ ABSL_GUARDED_BY(mu_);
  size_t window_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  size_t records_in_window_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t sequence_ ABSL_GUARDED_BY(mu_) = 0;

  std::shared_ptr<WriteStream> stream_ ABSL_GUARDED_BY(mu_);  // connecting or up
  uint64_t epoch_ ABSL_GUARDED_BY(mu_) = 0;    // number of the last stream that was up
  uint64_t streams_ ABSL_GUARDED_BY(mu_) = 0;  // tried
  bool stream_up_ ABSL_GUARDED_BY(mu_) = false;
  Time connecting_since_ ABSL_GUARDED_BY(mu_);
  Time last_progress_
      ABSL_GUARDED_BY(mu_);  // the last ack, or when there was something to wait for again
  Time last_ack_ ABSL_GUARDED_BY(mu_);
  bool any_ack_ ABSL_GUARDED_BY(mu_) = false;
  std::string last_error_ ABSL_GUARDED_BY(mu_);
  // Streams that the node ended with a complaint about a batch, without progress in between.
  int complaints_ ABSL_GUARDED_BY(mu_) = 0;
  size_t careful_batches_ ABSL_GUARDED_BY(mu_) = 0;  // to be sent one at a time
  bool skip_record_ ABSL_GUARDED_BY(mu_) = false;

  // The spool. consumed_: everything before it is on the node.
  LogPosition consumed_ ABSL_GUARDED_BY(mu_);
  LogPosition persisted_ ABSL_GUARDED_BY(mu_);
  Time persist_due_ ABSL_GUARDED_BY(mu_);
  bool spool_used_ ABSL_GUARDED_BY(mu_) =
      false;  // may hold records that the node has not acknowledged
  bool spool_writing_ ABSL_GUARDED_BY(mu_) = false;  // the keeper has a group in its hands
  // The sender has met the end of the spool: nothing is added until it knows whether that was the
  // end.
  bool spool_paused_ ABSL_GUARDED_BY(mu_) = false;
  Time spool_retry_at_ ABSL_GUARDED_BY(mu_);
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);  // by position

  bool draining_ ABSL_GUARDED_BY(mu_) = false;
  Time drain_deadline_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  bool keeper_stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::thread sender_;
  std::thread keeper_;
};

}  // namespace shoal
