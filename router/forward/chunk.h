// The points that an ingest loop gathered, on their way to the nodes, and the books about their
// copies.
//
// A chunk is cut into one NodeBatch per destination. Every node client reports once what became of
// its batch; the chunk turns these reports into one verdict about its points.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/types/span.h"
#include "base/mutex.h"
#include "router/forward/memory_budget.h"
#include "router/forward/name_book.h"

namespace shoal {

// Why a node did not take a point. Same order as the wire's RefusalReason; the names are label
// values.
enum class NodeRefusal : uint8_t { kOther, kTooOld, kTooFarAhead, kSeriesLimit, kBadName };
inline constexpr size_t kNodeRefusalCount = 5;
const char* NodeRefusalName(NodeRefusal refusal);  // "too_old", ...

struct RefusedPoint {
  uint32_t index = 0;  // in the batch
  NodeRefusal reason = NodeRefusal::kOther;
};

// What became of a chunk: acked + all rejected + dropped is the number of its points.
struct ChunkResult {
  uint32_t acked = 0;
  std::array<uint32_t, kNodeRefusalCount> rejected{};
  uint32_t dropped = 0;
};

// Whether every point has its copies, whatever the way in which the chunk's points fall on its
// batches: `missing` batches are not durable anywhere, `spooled` ones only in this router's spool,
// all others on their node. Copies in the spool lie on one machine, so all of them together count
// as one place.
bool EnoughCopies(int replication, int write_copies, int missing, int spooled);

// Thread safe.
class Chunk {
 public:
  // `batches` reports will come. `on_complete` runs exactly once, on the thread of the report that
  // decides, without a lock.
  Chunk(uint32_t points, int batches, int replication, int write_copies, MemoryCharge charge,
        std::function<void(const ChunkResult&)> on_complete);
  ~Chunk();

  // The node has the batch in its fsynced log, but for the refused points. `indexes` are the
  // batch's points within the chunk. A point that any node refuses before the verdict is rejected,
  // once.
  void NodeAcked(absl::Span<const uint32_t> indexes, absl::Span<const RefusedPoint> refused);
  // The batch is in the fsynced spool.
  void Spooled();
  // A spooled batch has reached its node after all. Only the copies count: refusals of replayed
  // points are the spool's.
  void SpooledReachedNode();
  // The batch, or its spooled copy, is gone for good.
  void Lost(bool was_spooled);

  bool complete() const;

 private:
  // Decides if it can; then returns true and the caller calls Finish without the lock.
  bool Decide() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Finish();

  const uint32_t points_;
  const int replication_;
  const int write_copies_;

  mutable Mutex mu_;
  int outstanding_ ABSL_GUARDED_BY(mu_);
  int spooled_ ABSL_GUARDED_BY(mu_) = 0;
  int lost_ ABSL_GUARDED_BY(mu_) = 0;
  bool complete_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<bool> refused_
      ABSL_GUARDED_BY(mu_);  // by index in the chunk; empty until the first refusal
  uint32_t refused_count_ ABSL_GUARDED_BY(mu_) = 0;

  // Written under mu_ before complete_ is set, then only by the one thread that calls Finish.
  ChunkResult result_;
  MemoryCharge charge_;
  std::function<void(const ChunkResult&)> on_complete_;
};

// The part of a chunk that goes to one node. Columns of equal length. Immutable once it was
// enqueued.
struct NodeBatch {
  std::shared_ptr<const NameBook> names;
  std::vector<uint32_t> refs;  // in *names
  std::vector<uint32_t> timestamps_sec;
  std::vector<double> values;
  std::vector<uint32_t> indexes;  // of the points in the chunk
  std::shared_ptr<Chunk> chunk;
  MemoryCharge charge;
  std::chrono::steady_clock::time_point created;

  size_t points() const { return refs.size(); }
  // In memory, names not counted.
  size_t bytes() const { return kFixedBytes + points() * kPointBytes; }
  static constexpr size_t kPointBytes = 4 + 4 + 8 + 4;
  static constexpr size_t kFixedBytes = 256;
};

}  // namespace shoal
