// A storage node as the write side sees one: the peer of node client tests, in memory.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "router/forward/node_transport.h"

namespace shoal {

struct PeerPoint {
  std::string name;
  uint32_t timestamp_sec = 0;
  double value = 0;
  friend bool operator==(const PeerPoint&, const PeerPoint&) = default;
};

// Thread safe. Outlives its transports.
class FakePeer {
 public:
  std::unique_ptr<NodeTransport> NewTransport();

  // Connections are refused and streams break at once, as after kill -9.
  void Kill();
  void Revive();
  // Nothing is read or answered, connections hang, until Revive: SIGSTOP.
  void Hang();
  // Batches are applied, but not acknowledged until it is called with false.
  void HoldAcks(bool hold);
  // Breaks the streams of now; new ones are welcome.
  void BreakStreams();
  // Which points it does not take; set before use.
  std::function<bool(const PeerPoint&, NodeRefusal*)> refuse;
  // Ends the stream with InvalidArgument when a batch has such a point; set before use.
  std::function<bool(const PeerPoint&)> complain;

  // Every point taken, in order, sent-again ones too.
  std::vector<PeerPoint> Points() const;
  size_t point_count() const;
  size_t batch_count() const;
  size_t connects() const;
  std::vector<uint64_t> incarnations() const;
  bool WaitForPoints(size_t count) const;

 private:
  class Stream;
  class Transport;
  struct StreamState;

  mutable Mutex mu_;
  mutable CondVar changed_;
  bool alive_ ABSL_GUARDED_BY(mu_) = true;
  bool hung_ ABSL_GUARDED_BY(mu_) = false;
  bool hold_acks_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<std::weak_ptr<StreamState>> streams_ ABSL_GUARDED_BY(mu_);
  std::vector<PeerPoint> points_ ABSL_GUARDED_BY(mu_);
  std::vector<uint64_t> incarnations_ ABSL_GUARDED_BY(mu_);
  size_t batches_ ABSL_GUARDED_BY(mu_) = 0;
};

// Polls until `condition` holds; false after ten seconds.
bool WaitUntil(const std::function<bool()>& condition);

}  // namespace shoal
