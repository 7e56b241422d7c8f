// The read side of one storage node, as the router sees it: a small interface, so that the fan-out
// does not know gRPC and tests can play the peer.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/cluster/partition_bits.h"
#include "base/metric/series.h"
#include "base/mutex.h"
#include "router/query/series_source.h"

namespace shoal {

struct NodeFetchRequest {
  std::vector<std::string> patterns;
  FetchRange range;
  uint64_t series_max = 0;  // ResourceExhausted past these; 0: the node's own limits
  uint64_t points_max = 0;
};

// One series of an answer.
struct FetchedSeries {
  Series series;
  uint32_t pattern_index = 0;  // in NodeFetchRequest::patterns
  bool damaged = false;        // a page that it needed is bad on that node
};

// What a node says about itself.
struct NodeStatus {
  std::string node;
  std::string cluster;
  std::string version;
  uint64_t series = 0;
  uint64_t points_written = 0;
  uint64_t write_buffer_points = 0;
  uint64_t write_buffer_bytes = 0;
  uint64_t wal_bytes = 0;
  uint64_t disk_bytes = 0;
  uint64_t bad_pages = 0;
  bool read_only = false;
  std::string read_only_reason;
  int64_t started_sec = 0;
};

// Lets another thread end a call. Thread safe.
class Cancellation {
 public:
  // Idempotent. Runs the hook, if there is one, on this thread.
  void Cancel() {
    MutexLock lock(&mu_);
    cancelled_ = true;
    if (hook_) hook_();
  }
  bool cancelled() const {
    MutexLock lock(&mu_);
    return cancelled_;
  }

  // For the one who runs the call: `hook` is called by Cancel from now until the scope ends (at
  // once when it is cancelled already). It must be quick and not call back.
  class Scope {
   public:
    Scope(Cancellation* cancellation, std::function<void()> hook) : cancellation_(cancellation) {
      MutexLock lock(&cancellation_->mu_);
      if (cancellation_->cancelled_) hook();
      cancellation_->hook_ = std::move(hook);
    }
    ~Scope() {
      MutexLock lock(&cancellation_->mu_);
      cancellation_->hook_ = nullptr;
    }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    Cancellation* const cancellation_;
  };

 private:
  mutable Mutex mu_;
  bool cancelled_ ABSL_GUARDED_BY(mu_) = false;
  std::function<void()> hook_ ABSL_GUARDED_BY(mu_);
};

// Thread safe; calls of several threads run side by side. The calls block until the answer is
// complete, the deadline has passed (DeadlineExceeded), `cancel` says so (Cancelled) or `visit`
// returns an error, which ends the call and is returned. Unavailable when the node cannot be
// reached now: it fails at once, it does not wait for a connection. What `visit` has seen of a call
// that failed is not the whole answer.
class NodeReader {
 public:
  virtual ~NodeReader() = default;

  virtual absl::Status Fetch(const NodeFetchRequest& request, const PartitionBits& partitions,
                             Deadline deadline, Cancellation* cancel,
                             absl::FunctionRef<absl::Status(FetchedSeries)> visit) = 0;
  // Leaves are restricted to the partitions, branches are not.
  virtual absl::Status Find(const std::string& pattern, const PartitionBits& partitions,
                            Deadline deadline, Cancellation* cancel,
                            absl::FunctionRef<absl::Status(FindEntry)> visit) = 0;
  virtual absl::Status ListNames(const PartitionBits& partitions, Deadline deadline,
                                 Cancellation* cancel,
                                 absl::FunctionRef<absl::Status(std::string)> visit) = 0;
  virtual absl::StatusOr<NodeStatus> Status(Deadline deadline) = 0;
};

}  // namespace shoal
