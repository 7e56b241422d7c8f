// An engine whose commits the test decides on. For the parts of the node that only pass batches on.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "storage/engine.h"

namespace shoal {

// Thread safe.
class ManualEngine : public Engine {
 public:
  absl::StatusOr<SeriesId> Resolve(absl::string_view name) override {
    MutexLock lock(&mu_);
    const auto failure = resolve_failures_.find(std::string(name));
    if (failure != resolve_failures_.end()) return failure->second;
    return ids_.try_emplace(std::string(name), static_cast<SeriesId>(ids_.size())).first->second;
  }
  void Write(WriteBatch batch, std::function<void(WriteResult)> done) override {
    MutexLock lock(&mu_);
    batches_.push_back(std::move(batch));
    done_.push_back(std::move(done));
    changed_.SignalAll();
  }
  absl::Status Find(const Glob&, absl::FunctionRef<bool(const FoundNode&)>) const override {
    return absl::OkStatus();
  }
  absl::Status ListNames(absl::FunctionRef<void(absl::string_view, SeriesId)>) const override {
    return absl::OkStatus();
  }
  absl::Status Read(SeriesId, const FetchRange&, Series*) const override {
    return absl::OkStatus();
  }
  absl::Status Delete(absl::string_view) override { return absl::OkStatus(); }
  absl::Status DeleteSeries(absl::Span<const SeriesId>) override { return absl::OkStatus(); }
  absl::Status Flush() override { return absl::OkStatus(); }
  absl::Status FlushPoints() override { return absl::OkStatus(); }
  EngineStats Stats() const override { return EngineStats(); }
  const RecoveryReport& recovery() const override { return recovery_; }
  const RingStore& rings() const override { std::abort(); }
  absl::Status Close() override { return absl::OkStatus(); }

  void FailResolve(const std::string& name, absl::Status status) {
    MutexLock lock(&mu_);
    resolve_failures_[name] = std::move(status);
  }
  void AllowResolve(const std::string& name) {
    MutexLock lock(&mu_);
    resolve_failures_.erase(name);
  }
  // Waits until `count` batches have come in all.
  void AwaitBatches(size_t count) {
    MutexLock lock(&mu_);
    while (batches_.size() < count) changed_.Wait(&mu_);
  }
  size_t batch_count() const {
    MutexLock lock(&mu_);
    return batches_.size();
  }
  WriteBatch batch(size_t i) const {
    MutexLock lock(&mu_);
    return batches_[i];
  }
  void Complete(size_t i, WriteResult result = {}) {
    std::function<void(WriteResult)> done;
    {
      MutexLock lock(&mu_);
      done = std::move(done_[i]);
    }
    done(std::move(result));
  }

 private:
  mutable Mutex mu_;
  CondVar changed_;
  std::map<std::string, SeriesId> ids_ ABSL_GUARDED_BY(mu_);
  std::map<std::string, absl::Status> resolve_failures_ ABSL_GUARDED_BY(mu_);
  std::vector<WriteBatch> batches_ ABSL_GUARDED_BY(mu_);
  std::vector<std::function<void(WriteResult)>> done_ ABSL_GUARDED_BY(mu_);
  RecoveryReport recovery_;
};

}  // namespace shoal
