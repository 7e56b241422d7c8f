// A peer for tests of the fan-out: a node whose contents and moods the test decides.
#pragma once

#include <chrono>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "base/metric/glob.h"
#include "base/mutex.h"
#include "router/query/node_reader.h"
#include "router/query/replica_health.h"

namespace shoal {

// Thread safe.
class FakeNode {
 public:
  void Put(Series series) {
    MutexLock lock(&mu_);
    series_[series.name] = std::move(series);
  }
  void SetDamaged(const std::string& name) {
    MutexLock lock(&mu_);
    damaged_.insert(name);
  }
  // Every call fails with `status` after `items` items have been handed out.
  void FailWith(absl::Status status, size_t items = 0) {
    MutexLock lock(&mu_);
    failure_ = std::move(status);
    fail_after_ = items;
  }
  // Every call hangs until it is cancelled or its deadline passes.
  void Hang(bool hang) {
    MutexLock lock(&mu_);
    hang_ = hang;
  }
  int calls() const {
    MutexLock lock(&mu_);
    return calls_;
  }
  int cancelled() const {
    MutexLock lock(&mu_);
    return cancelled_;
  }
  // How often each partition was asked for.
  std::map<uint32_t, int> asked() const {
    MutexLock lock(&mu_);
    return asked_;
  }
  absl::Status last_limits(NodeFetchRequest* request) const {
    MutexLock lock(&mu_);
    *request = last_request_;
    return absl::OkStatus();
  }

  absl::Status Begin(const PartitionBits& partitions, Deadline deadline, Cancellation* cancel) {
    MutexLock lock(&mu_);
    ++calls_;
    for (uint32_t p = 0; p < partitions.partition_count(); ++p) {
      if (partitions.Test(p)) ++asked_[p];
    }
    while (hang_) {
      if (cancel->cancelled()) {
        ++cancelled_;
        return absl::CancelledError("cancelled");
      }
      if (std::chrono::steady_clock::now() >= deadline) {
        return absl::DeadlineExceededError("deadline");
      }
      changed_.WaitFor(&mu_, std::chrono::milliseconds(1));
    }
    return absl::OkStatus();
  }
  // OK, or the failure that comes after `items` items.
  absl::Status MoodAfter(size_t items) const {
    MutexLock lock(&mu_);
    return !failure_.ok() && items >= fail_after_ ? failure_ : absl::OkStatus();
  }
  std::map<std::string, Series> contents() const {
    MutexLock lock(&mu_);
    return series_;
  }
  bool IsDamaged(const std::string& name) const {
    MutexLock lock(&mu_);
    return damaged_.count(name) > 0;
  }
  void Remember(const NodeFetchRequest& request) {
    MutexLock lock(&mu_);
    last_request_ = request;
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, Series> series_ ABSL_GUARDED_BY(mu_);
  std::set<std::string> damaged_ ABSL_GUARDED_BY(mu_);
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  size_t fail_after_ ABSL_GUARDED_BY(mu_) = 0;
  bool hang_ ABSL_GUARDED_BY(mu_) = false;
  int calls_ ABSL_GUARDED_BY(mu_) = 0;
  int cancelled_ ABSL_GUARDED_BY(mu_) = 0;
  std::map<uint32_t, int> asked_ ABSL_GUARDED_BY(mu_);
  NodeFetchRequest last_request_ ABSL_GUARDED_BY(mu_);
};

class FakeNodeReader : public NodeReader {
 public:
  explicit FakeNodeReader(FakeNode* node) : node_(node) {}

  absl::Status Fetch(const NodeFetchRequest& request, const PartitionBits& partitions,
                     Deadline deadline, Cancellation* cancel,
                     absl::FunctionRef<absl::Status(FetchedSeries)> visit) override {
    node_->Remember(request);
    if (absl::Status status = node_->Begin(partitions, deadline, cancel); !status.ok()) {
      return status;
    }
    size_t items = 0;
    for (size_t i = 0; i < request.patterns.size(); ++i) {
      const Glob glob = *Glob::Compile(request.patterns[i]);
      for (const auto& [name, series] : node_->contents()) {
        if (!Wanted(name, partitions) || !glob.Match(name)) continue;
        if (absl::Status status = node_->MoodAfter(items++); !status.ok()) return status;
        absl::Status taken = visit({.series = series,
                                    .pattern_index = static_cast<uint32_t>(i),
                                    .damaged = node_->IsDamaged(name)});
        if (!taken.ok()) return taken;
      }
    }
    return node_->MoodAfter(items);
  }
  absl::Status Find(const std::string& pattern, const PartitionBits& partitions, Deadline deadline,
                    Cancellation* cancel,
                    absl::FunctionRef<absl::Status(FindEntry)> visit) override {
    if (absl::Status status = node_->Begin(partitions, deadline, cancel); !status.ok()) {
      return status;
    }
    const Glob glob = *Glob::Compile(pattern);
    size_t items = 0;
    std::set<std::string> branches;
    for (const auto& [name, series] : node_->contents()) {
      if (absl::Status status = node_->MoodAfter(items++); !status.ok()) return status;
      if (Wanted(name, partitions) && glob.Match(name)) {
        if (absl::Status s = visit({.path = name, .is_leaf = true}); !s.ok()) return s;
      }
      for (size_t dot = name.find('.'); dot != std::string::npos; dot = name.find('.', dot + 1)) {
        const std::string branch = name.substr(0, dot);
        if (!glob.Match(branch) || !branches.insert(branch).second) continue;
        if (absl::Status s = visit({.path = branch, .is_leaf = false}); !s.ok()) return s;
      }
    }
    return node_->MoodAfter(items);
  }
  absl::Status ListNames(const PartitionBits& partitions, Deadline deadline, Cancellation* cancel,
                         absl::FunctionRef<absl::Status(std::string)> visit) override {
    if (absl::Status status = node_->Begin(partitions, deadline, cancel); !status.ok()) {
      return status;
    }
    size_t items = 0;
    for (const auto& [name, series] : node_->contents()) {
      if (!Wanted(name, partitions)) continue;
      if (absl::Status status = node_->MoodAfter(items++); !status.ok()) return status;
      if (absl::Status s = visit(name); !s.ok()) return s;
    }
    return node_->MoodAfter(items);
  }
  absl::StatusOr<NodeStatus> Status(Deadline) override { return NodeStatus(); }

 private:
  static bool Wanted(const std::string& name, const PartitionBits& partitions) {
    return partitions.Test(PartitionOf(name, partitions.partition_count()));
  }

  FakeNode* const node_;
};

class FakeHealth : public ReplicaHealth {
 public:
  void Set(const std::string& node, ReplicaState state) {
    MutexLock lock(&mu_);
    states_[node] = state;
  }
  ReplicaState StateOf(absl::string_view node) const override {
    MutexLock lock(&mu_);
    const auto it = states_.find(std::string(node));
    return it == states_.end() ? ReplicaState::kWhole : it->second;
  }

 private:
  mutable Mutex mu_;
  std::map<std::string, ReplicaState> states_ ABSL_GUARDED_BY(mu_);
};

}  // namespace shoal
