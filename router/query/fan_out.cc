#include "router/query/fan_out.h"

#include <algorithm>
#include <deque>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "base/check.h"
#include "base/mutex.h"

namespace shoal {
namespace {

using Steady = std::chrono::steady_clock;

constexpr size_t kQueueMax = 4096;
// Replicas of a partition that are considered; their sets are bit masks.
constexpr size_t kReplicasMax = 32;
// How many of the nodes that did not answer are named in an error.
constexpr size_t kNamedMax = 8;

int64_t NowNs() { return Steady::now().time_since_epoch().count(); }

// An error that another replica would give as well.
bool EndsQuery(const absl::Status& status) {
  return absl::IsInvalidArgument(status) || absl::IsResourceExhausted(status) ||
         absl::IsUnimplemented(status);
}

// One call to one node. Shared with the pool thread that runs it.
struct Attempt {
  explicit Attempt(uint32_t partition_count) : bits(partition_count) {}
  size_t node = 0;
  std::vector<size_t> slots;  // indexes into Query::slots_
  PartitionBits bits;
  Deadline deadline;
  Cancellation cancel;
  std::atomic<int64_t> started_ns{0};  // 0: still in the pool's queue
  // Written by the pool thread before it is announced in Finished.
  absl::Status status;
  NodeAnswer answer;
  // The query thread's own.
  bool done = false;
  bool hedged = false;
};

// Attempts that have ended, in order. Outlives the query when a cancelled attempt ends later.
struct Finished {
  Mutex mu;
  CondVar changed;
  std::deque<std::shared_ptr<Attempt>> attempts ABSL_GUARDED_BY(mu);
};

}  // namespace

// One Run: everything here belongs to the thread that called it.
class FanOut::Query {
 public:
  Query(FanOut* fan_out, const std::vector<uint32_t>& asked, const NodeQuestion& question,
        Deadline deadline)
      : fan_out_(*fan_out),
        question_(question),
        deadline_(deadline),
        finished_(std::make_shared<Finished>()) {
    const Topology& topology = *fan_out_.topology_;
    for (const TopologyNode& node : topology.nodes) {
      ReplicaState state =
          fan_out_.health_ == nullptr ? ReplicaState::kWhole : fan_out_.health_->StateOf(node.name);
      if (node.state == NodeState::kDown) state = ReplicaState::kDown;
      states_.push_back(state);
    }
    errors_.resize(states_.size());
    slots_.reserve(asked.size());
    for (const uint32_t partition : asked) slots_.push_back({.partition = partition});
    incomplete_ = slots_.size();
  }
  ~Query() {
    for (const std::shared_ptr<Attempt>& attempt : attempts_) {
      if (!attempt->done) attempt->cancel.Cancel();
    }
  }

  absl::StatusOr<std::vector<NodeAnswer>> Run() {
    std::vector<size_t> all(slots_.size());
    for (size_t i = 0; i < all.size(); ++i) all[i] = i;
    absl::Status status = Launch(all);
    while (status.ok() && incomplete_ > 0) {
      if (Steady::now() >= deadline_) return Late();
      std::shared_ptr<Attempt> attempt = AwaitFinished();
      status = attempt == nullptr ? Hedge() : Take(*attempt);
    }
    if (!status.ok()) {
      fan_out_.counters_.incomplete->Add();
      // The calls had the query's deadline: that is the reason, whichever was noticed first.
      if (absl::IsUnavailable(status) && Steady::now() >= deadline_) {
        return absl::DeadlineExceededError(status.message());
      }
      return status;
    }
    return std::move(answers_);
  }

 private:
  // One partition. Replicas are bits: bit i is the i-th owner.
  struct Slot {
    uint32_t partition = 0;
    uint32_t asked = 0;
    uint32_t answered = 0;
    int in_flight = 0;
    bool complete = false;
  };

  absl::Span<const uint16_t> OwnersOf(const Slot& slot) const {
    const absl::Span<const uint16_t> owners = fan_out_.partitions_->Owners(slot.partition);
    return owners.subspan(0, std::min(owners.size(), kReplicasMax));
  }

  // The replicas to ask next for a slot, as a mask: the best whole one, or else all that are left.
  // 0 when none is left.
  uint32_t NextReplicas(const Slot& slot) const {
    const absl::Span<const uint16_t> owners = OwnersOf(slot);
    uint32_t left = 0;
    uint32_t distrusted = 0;
    for (size_t i = 0; i < owners.size(); ++i) {
      const uint32_t bit = 1u << i;
      if ((slot.asked & bit) != 0) continue;
      left |= bit;
      if (states_[owners[i]] != ReplicaState::kWhole) continue;
      if (fan_out_.Trusted(owners[i])) return bit;
      if (distrusted == 0) distrusted = bit;
    }
    return distrusted != 0 ? distrusted : left;
  }

  // Asks the next replicas of these slots, one call per node.
  absl::Status Launch(const std::vector<size_t>& slots) {
    std::vector<std::shared_ptr<Attempt>> by_node(states_.size());
    for (const size_t index : slots) {
      Slot& slot = slots_[index];
      const uint32_t next = NextReplicas(slot);
      if (next == 0) {
        if (slot.in_flight == 0) return Unreadable(slot);
        continue;
      }
      const absl::Span<const uint16_t> owners = OwnersOf(slot);
      for (size_t i = 0; i < owners.size(); ++i) {
        if ((next >> i & 1) == 0) continue;
        std::shared_ptr<Attempt>& attempt = by_node[owners[i]];
        if (attempt == nullptr) {
          attempt = std::make_shared<Attempt>(fan_out_.partitions_->partition_count());
          attempt->node = owners[i];
        }
        attempt->bits.Set(slot.partition);
        attempt->slots.push_back(index);
        slot.asked |= 1u << i;
        ++slot.in_flight;
      }
    }
    for (std::shared_ptr<Attempt>& attempt : by_node) {
      if (attempt == nullptr) continue;
      attempts_.push_back(attempt);
      if (!Submit(attempt)) return absl::UnavailableError("the router has too many queries");
    }
    return absl::OkStatus();
  }

  bool Submit(const std::shared_ptr<Attempt>& attempt) {
    fan_out_.counters_.attempts->Add();
    attempt->deadline = std::min(deadline_, Steady::now() + fan_out_.options_.attempt_timeout);
    NodeReader* const reader = fan_out_.readers_[attempt->node].get();
    return fan_out_.pool_.TrySubmit([attempt, reader, question = question_, finished = finished_] {
      attempt->started_ns.store(NowNs());
      attempt->status = attempt->cancel.cancelled()
                            ? absl::CancelledError("no longer wanted")
                            : question(reader, attempt->bits, attempt->deadline, &attempt->cancel,
                                       &attempt->answer);
      MutexLock lock(&finished->mu);
      finished->attempts.push_back(attempt);
      finished->changed.Signal();
    });
  }

  // When a running attempt is to be hedged, or the query's deadline.
  Deadline NextEvent() const {
    Deadline next = deadline_;
    for (const std::shared_ptr<Attempt>& attempt : attempts_) {
      if (attempt->done || attempt->hedged) continue;
      // One that still waits for a thread is looked at again later.
      const int64_t started_ns = attempt->started_ns.load();
      const Deadline started =
          started_ns == 0 ? Steady::now() : Deadline(std::chrono::nanoseconds(started_ns));
      next = std::min(next, started + fan_out_.options_.hedge_after);
    }
    return next;
  }

  // Nothing when the time for the next event has come first.
  std::shared_ptr<Attempt> AwaitFinished() {
    const Deadline until = NextEvent();
    MutexLock lock(&finished_->mu);
    while (finished_->attempts.empty()) {
      const auto left = until - Steady::now();
      if (left <= left.zero()) return nullptr;
      finished_->changed.WaitFor(&finished_->mu, left);
    }
    std::shared_ptr<Attempt> attempt = std::move(finished_->attempts.front());
    finished_->attempts.pop_front();
    return attempt;
  }

  // Partitions of slow nodes are asked of another whole replica too; whoever answers first counts.
  absl::Status Hedge() {
    std::vector<size_t> slots;
    const int64_t before_ns =
        NowNs() - std::chrono::nanoseconds(fan_out_.options_.hedge_after).count();
    for (const std::shared_ptr<Attempt>& attempt : attempts_) {
      const int64_t started_ns = attempt->started_ns.load();
      if (attempt->done || attempt->hedged || started_ns == 0 || started_ns > before_ns) continue;
      attempt->hedged = true;
      fan_out_.counters_.hedges->Add();
      fan_out_.Distrust(attempt->node);
      for (const size_t index : attempt->slots) {
        const Slot& slot = slots_[index];
        if (!slot.complete && HasWholeLeft(slot)) slots.push_back(index);
      }
    }
    return Launch(slots);
  }

  bool HasWholeLeft(const Slot& slot) const {
    const absl::Span<const uint16_t> owners = OwnersOf(slot);
    for (size_t i = 0; i < owners.size(); ++i) {
      if ((slot.asked >> i & 1) == 0 && states_[owners[i]] == ReplicaState::kWhole) return true;
    }
    return false;
  }

  absl::Status Take(Attempt& attempt) {
    attempt.done = true;
    if (attempt.status.ok()) return TakeAnswer(attempt);
    fan_out_.counters_.failures->Add();
    if (EndsQuery(attempt.status)) return attempt.status;
    fan_out_.Distrust(attempt.node);
    errors_[attempt.node] = attempt.status;
    std::vector<size_t> again;
    for (const size_t index : attempt.slots) {
      Slot& slot = slots_[index];
      --slot.in_flight;
      if (!slot.complete) again.push_back(index);
    }
    return Launch(again);
  }

  absl::Status TakeAnswer(Attempt& attempt) {
    // A slow node that did answer in the end stays distrusted for its moment.
    if (!attempt.hedged) fan_out_.distrusted_until_ns_[attempt.node].store(0);
    attempt.answer.whole = states_[attempt.node] == ReplicaState::kWhole;
    std::vector<uint32_t>& damaged = attempt.answer.damaged_partitions;
    std::sort(damaged.begin(), damaged.end());
    bool needed = false;
    std::vector<size_t> again;
    for (const size_t index : attempt.slots) {
      Slot& slot = slots_[index];
      --slot.in_flight;
      if (slot.complete) continue;
      needed = true;
      const absl::Span<const uint16_t> owners = OwnersOf(slot);
      for (size_t i = 0; i < owners.size(); ++i) {
        if (owners[i] == attempt.node) slot.answered |= 1u << i;
      }
      const bool undamaged = !std::binary_search(damaged.begin(), damaged.end(), slot.partition);
      const uint32_t everyone = owners.size() == kReplicasMax ? ~0u : (1u << owners.size()) - 1;
      if (attempt.answer.whole && undamaged) {
        Complete(&slot);
      } else if (slot.answered == everyone) {
        fan_out_.counters_.merged_partial->Add();
        Complete(&slot);
      } else if (slot.asked != everyone || slot.in_flight == 0) {
        again.push_back(index);
      }
    }
    // A late answer whose partitions others have answered in full adds nothing.
    if (needed) answers_.push_back(std::move(attempt.answer));
    return Launch(again);
  }

  void Complete(Slot* slot) {
    slot->complete = true;
    --incomplete_;
  }

  absl::Status Unreadable(const Slot& slot) const {
    std::string text = absl::StrCat("partition ", slot.partition, " cannot be read in full:");
    const absl::Span<const uint16_t> owners = OwnersOf(slot);
    for (size_t i = 0; i < owners.size(); ++i) {
      absl::StrAppend(&text, i == 0 ? " " : "; ", DescribeNode(owners[i], slot.answered >> i & 1));
    }
    return absl::UnavailableError(text);
  }

  std::string DescribeNode(size_t node, bool answered) const {
    const std::string& name = fan_out_.topology_->nodes[node].name;
    if (!errors_[node].ok()) return absl::StrCat(name, ": ", errors_[node].message());
    if (!answered) return absl::StrCat(name, ": no answer");
    return states_[node] == ReplicaState::kWhole
               ? absl::StrCat(name, ": answered, but has a damaged page")
               : absl::StrCat(name, ": answered, but is still catching up");
  }

  absl::Status Late() const {
    fan_out_.counters_.incomplete->Add();
    std::string text = "the deadline passed while waiting for";
    std::vector<size_t> named;
    for (const std::shared_ptr<Attempt>& attempt : attempts_) {
      // A node that failed counts as well: its replica had no time left to take its place.
      if (attempt->done && attempt->status.ok()) continue;
      if (std::find(named.begin(), named.end(), attempt->node) != named.end()) continue;
      if (named.size() == kNamedMax) break;
      named.push_back(attempt->node);
      absl::StrAppend(&text, " ", fan_out_.topology_->nodes[attempt->node].name);
    }
    return absl::DeadlineExceededError(text);
  }

  FanOut& fan_out_;
  const NodeQuestion& question_;
  const Deadline deadline_;
  const std::shared_ptr<Finished> finished_;
  std::vector<ReplicaState> states_;  // by node, when the query began
  std::vector<absl::Status> errors_;  // by node, the last one
  std::vector<Slot> slots_;
  size_t incomplete_ = 0;
  std::vector<std::shared_ptr<Attempt>> attempts_;
  std::vector<NodeAnswer> answers_;
};

FanOut::FanOut(std::shared_ptr<const Topology> topology,
               std::shared_ptr<const PartitionMap> partitions,
               std::vector<std::unique_ptr<NodeReader>> readers, const ReplicaHealth* health,
               FanOutOptions options)
    : topology_(std::move(topology)),
      partitions_(std::move(partitions)),
      readers_(std::move(readers)),
      health_(health),
      options_(options),
      distrusted_until_ns_(new std::atomic<int64_t>[topology_->nodes.size()]),
      pool_("scatter", options.threads, kQueueMax) {
  SHOAL_CHECK(readers_.size() == topology_->nodes.size());
  for (size_t i = 0; i < readers_.size(); ++i) distrusted_until_ns_[i].store(0);
  MetricRegistry* metrics = options.metrics != nullptr ? options.metrics : &own_metrics_;
  counters_.attempts = metrics->AddCounter("shoal_router_node_queries_total", "Calls to nodes");
  counters_.failures =
      metrics->AddCounter("shoal_router_node_query_failures_total", "Calls to nodes that failed");
  counters_.hedges = metrics->AddCounter("shoal_router_node_query_hedges_total",
                                         "Calls to nodes so slow that another replica was asked");
  counters_.merged_partial =
      metrics->AddCounter("shoal_router_partitions_merged_total",
                          "Partitions answered by merging all replicas, because none was whole");
  counters_.incomplete =
      metrics->AddCounter("shoal_router_queries_incomplete_total",
                          "Queries refused because an answer would lack something");
}

FanOut::~FanOut() = default;

bool FanOut::Trusted(size_t node) const {
  const int64_t until_ns = distrusted_until_ns_[node].load(std::memory_order_relaxed);
  return until_ns == 0 || NowNs() >= until_ns;
}

void FanOut::Distrust(size_t node) {
  distrusted_until_ns_[node].store(
      NowNs() + std::chrono::nanoseconds(options_.distrust_for).count(), std::memory_order_relaxed);
}

absl::StatusOr<std::vector<NodeAnswer>> FanOut::Run(const std::vector<uint32_t>& asked,
                                                    const NodeQuestion& question,
                                                    Deadline deadline) {
  Query query(this, asked, question, deadline);
  return query.Run();
}

}  // namespace shoal
