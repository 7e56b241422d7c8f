#include "tests/router/forward/fake_peer.h"

#include <chrono>
#include <deque>
#include <map>
#include <thread>
#include <utility>

#include "base/check.h"

namespace shoal {

// Guarded by the peer's lock.
struct FakePeer::StreamState {
  bool broken = false;
  absl::Status end = absl::UnavailableError("broken");
  std::map<uint32_t, std::string> names;
  uint64_t last_sequence = 0;
  std::deque<WireAck> acks;
};

class FakePeer::Stream : public WriteStream {
 public:
  explicit Stream(FakePeer* peer) : peer_(peer), state_(std::make_shared<StreamState>()) {}
  ~Stream() override { Cancel(); }

  absl::Status Connect(const StreamHello& hello, std::chrono::milliseconds timeout) override {
    MutexLock lock(&peer_->mu_);
    const auto deadline = std::chrono::steady_clock::now() + timeout;
    while (peer_->hung_ && !state_->broken) {
      if (std::chrono::steady_clock::now() >= deadline) return absl::UnavailableError("hangs");
      peer_->changed_.WaitFor(&peer_->mu_, std::chrono::milliseconds(10));
    }
    if (!peer_->alive_ || state_->broken) return absl::UnavailableError("refused");
    // A newer stream ends the older ones.
    for (const auto& weak : peer_->streams_) {
      if (const auto older = weak.lock()) older->broken = true;
    }
    peer_->streams_ = {state_};
    peer_->incarnations_.push_back(hello.incarnation);
    peer_->changed_.SignalAll();
    return absl::OkStatus();
  }

  bool Send(const WireBatch& batch) override {
    MutexLock lock(&peer_->mu_);
    while (peer_->hung_ && !state_->broken) peer_->changed_.Wait(&peer_->mu_);
    if (state_->broken) return false;
    SHOAL_CHECK(batch.sequence == ++state_->last_sequence);
    SHOAL_CHECK(batch.refs.size() == batch.timestamps_sec.size());
    SHOAL_CHECK(batch.refs.size() == batch.values.size());
    SHOAL_CHECK(batch.defined_refs.size() == batch.defined_names.size());
    for (size_t i = 0; i < batch.defined_refs.size(); ++i) {
      const bool is_new =
          state_->names.emplace(batch.defined_refs[i], std::string(batch.defined_names[i])).second;
      SHOAL_CHECK(is_new);
    }
    WireAck ack;
    ack.sequence = batch.sequence;
    std::vector<PeerPoint> taken;
    for (size_t i = 0; i < batch.refs.size(); ++i) {
      const auto name = state_->names.find(batch.refs[i]);
      SHOAL_CHECK(name != state_->names.end());
      const PeerPoint point{name->second, batch.timestamps_sec[i], batch.values[i]};
      if (peer_->complain && peer_->complain(point)) {
        state_->broken = true;
        state_->end = absl::InvalidArgumentError("bad batch");
        peer_->changed_.SignalAll();
        return false;
      }
      NodeRefusal reason = NodeRefusal::kOther;
      if (peer_->refuse && peer_->refuse(point, &reason)) {
        ack.refused.push_back({static_cast<uint32_t>(i), reason});
      } else {
        taken.push_back(point);
      }
    }
    peer_->points_.insert(peer_->points_.end(), taken.begin(), taken.end());
    ++peer_->batches_;
    state_->acks.push_back(std::move(ack));
    peer_->changed_.SignalAll();
    return true;
  }

  bool Receive(WireAck* ack) override {
    MutexLock lock(&peer_->mu_);
    while (!state_->broken && (state_->acks.empty() || peer_->hold_acks_ || peer_->hung_)) {
      peer_->changed_.Wait(&peer_->mu_);
    }
    if (state_->broken) return false;
    *ack = std::move(state_->acks.front());
    state_->acks.pop_front();
    return true;
  }

  absl::Status Finish() override {
    MutexLock lock(&peer_->mu_);
    return state_->end;
  }

  void Cancel() override {
    MutexLock lock(&peer_->mu_);
    state_->broken = true;
    peer_->changed_.SignalAll();
  }

 private:
  FakePeer* const peer_;
  const std::shared_ptr<StreamState> state_;
};

class FakePeer::Transport : public NodeTransport {
 public:
  explicit Transport(FakePeer* peer) : peer_(peer) {}
  std::unique_ptr<WriteStream> NewStream() override { return std::make_unique<Stream>(peer_); }

 private:
  FakePeer* const peer_;
};

std::unique_ptr<NodeTransport> FakePeer::NewTransport() {
  return std::make_unique<Transport>(this);
}

void FakePeer::Kill() {
  {
    MutexLock lock(&mu_);
    alive_ = false;
    hung_ = false;
  }
  BreakStreams();
}

void FakePeer::Revive() {
  MutexLock lock(&mu_);
  alive_ = true;
  hung_ = false;
  changed_.SignalAll();
}

void FakePeer::Hang() {
  MutexLock lock(&mu_);
  hung_ = true;
}

void FakePeer::HoldAcks(bool hold) {
  MutexLock lock(&mu_);
  hold_acks_ = hold;
  changed_.SignalAll();
}

void FakePeer::BreakStreams() {
  MutexLock lock(&mu_);
  for (const auto& weak : streams_) {
    if (const auto stream = weak.lock()) stream->broken = true;
  }
  streams_.clear();
  changed_.SignalAll();
}

std::vector<PeerPoint> FakePeer::Points() const {
  MutexLock lock(&mu_);
  return points_;
}

size_t FakePeer::point_count() const {
  MutexLock lock(&mu_);
  return points_.size();
}

size_t FakePeer::batch_count() const {
  MutexLock lock(&mu_);
  return batches_;
}

size_t FakePeer::connects() const {
  MutexLock lock(&mu_);
  return incarnations_.size();
}

std::vector<uint64_t> FakePeer::incarnations() const {
  MutexLock lock(&mu_);
  return incarnations_;
}

bool FakePeer::WaitForPoints(size_t count) const {
  return WaitUntil([&] { return point_count() >= count; });
}

bool WaitUntil(const std::function<bool()>& condition) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
  while (!condition()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return true;
}

}  // namespace shoal
