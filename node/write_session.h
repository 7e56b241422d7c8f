// One write stream without its transport: batches in, acknowledgements out, in the same order.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"
#include "node/node_config.h"
#include "node/ref_dictionary.h"
#include "node/write_metrics.h"
#include "storage/engine.h"

namespace shoal::v1 {
class PointBatch;
}

namespace shoal {

// The answer to one batch.
struct BatchAck {
  uint64_t sequence = 0;
  std::vector<Refusal> refused;  // by ascending index
};

// Three parties: the reader calls Accept and FinishReading, the writer NextAck, anyone Stop.
// Invariant: a batch is handed out by NextAck only when the engine has made it durable, and only
// after every batch before it.
class WriteSession {
 public:
  // `engine` and `metrics` outlive the session.
  WriteSession(Engine* engine, const NodeLimits& limits, WriteMetrics* metrics);
  ~WriteSession();
  WriteSession(const WriteSession&) = delete;
  WriteSession& operator=(const WriteSession&) = delete;

  // Queues a batch for the engine. Blocks while too much is in flight. Any error ends the stream:
  // InvalidArgument when the batch breaks the protocol, ResourceExhausted when the dictionary is
  // full, Unavailable when the engine does not take points or the session is stopped. Batches
  // before it are still acknowledged.
  absl::Status Accept(const v1::PointBatch& batch);
  // No more batches: NextAck ends after the last acknowledgement.
  void FinishReading();

  // Waits for the next acknowledgement. False when there is none to come: reading has finished or
  // was stopped, or a batch failed. `more` tells whether another one is ready already.
  bool NextAck(BatchAck* ack, bool* more);

  // Accept fails from now on; what is in flight is still acknowledged.
  void Stop(absl::Status reason);
  // OK, or why the session ended before its reader finished.
  absl::Status failure() const;
  // Waits until the engine has let go of every batch. The destructor does too.
  void WaitForEngine();
  // Returns true when reading has finished within `timeout`.
  bool WaitForReader(std::chrono::milliseconds timeout);

 private:
  struct Pending {
    uint64_t sequence = 0;
    size_t bytes = 0;
    bool done = false;
    std::chrono::steady_clock::time_point arrived;
    std::vector<Refusal> refused;
    // When points were refused before the engine saw them: index in the engine's batch -> index in
    // the router's.
    std::vector<uint32_t> index_map;
  };
  // Shared with the engine's callbacks, which may still be unlocking it when the session is gone.
  struct State {
    mutable Mutex mu;
    CondVar changed;
    std::deque<Pending> pending ABSL_GUARDED_BY(mu);  // by sequence, gapless
    size_t pending_bytes ABSL_GUARDED_BY(mu) = 0;
    size_t in_engine ABSL_GUARDED_BY(mu) = 0;
    bool reading ABSL_GUARDED_BY(mu) = true;
    absl::Status failure ABSL_GUARDED_BY(mu);
    uint64_t failed_sequence ABSL_GUARDED_BY(mu) = UINT64_MAX;  // no ack from this batch on
  };

  absl::Status Define(const v1::PointBatch& batch);
  // What the engine says of a name; a name that is refused for now is kept, to be tried again.
  absl::StatusOr<uint32_t> ResolveRef(uint32_t ref, absl::string_view name);
  // The ref's entry, after another try when it is time for one.
  absl::StatusOr<uint32_t> TryRefusedAgain(uint32_t ref, uint32_t entry);
  // Translates refs; points whose ref is refused go to pending->refused.
  absl::Status Translate(const v1::PointBatch& batch, WriteBatch* to, Pending* pending);
  absl::Status AwaitRoom(size_t bytes);
  static void OnWritten(State* state, uint64_t sequence, WriteResult result);

  Engine* const engine_;
  const size_t inflight_bytes_max_;
  WriteMetrics* const metrics_;
  // The reader's own.
  RefDictionary dictionary_;
  // Names that a limit refused. What has no room here stays refused until the router comes again.
  struct RefusedName {
    std::string name;
    std::chrono::steady_clock::time_point next_try;
  };
  static constexpr size_t kRefusedNamesMax = 1 << 20;
  absl::flat_hash_map<uint32_t, RefusedName> refused_names_;
  const std::chrono::steady_clock::duration retry_interval_;
  uint64_t last_sequence_ = 0;
  const std::shared_ptr<State> state_;
};

}  // namespace shoal
