// Which write stream of each router is the one that counts: a newer stream ends the older one and
// waits until its last batch is through, so that a batch that is sent again cannot be overtaken by
// its first copy.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/clock.h"
#include "base/mutex.h"

namespace shoal {

// Thread safe.
class StreamRegistry {
 public:
  // A router's newest incarnation is remembered this long after its last stream ended. A hello that
  // was under way longer than that is dead: keepalive ends such a connection within half a minute.
  static constexpr int64_t kRememberSec = 600;

  StreamRegistry(size_t streams_max, const Clock* clock)
      : streams_max_(streams_max), clock_(clock) {}

  // How the registry reaches a stream; all are quick, never block, and are called under the
  // registry's lock.
  struct Hooks {
    std::function<void()> cancel;        // a newer stream is waiting: end at once
    std::function<void()> drain;         // the node stops: acknowledge what is in flight, then end
    std::function<bool()> is_cancelled;  // the peer is gone
  };

  // The right to write for one router, held for as long as the stream can still have a batch in the
  // engine.
  class Ticket {
   public:
    ~Ticket();
    Ticket(const Ticket&) = delete;
    Ticket& operator=(const Ticket&) = delete;

   private:
    friend class StreamRegistry;
    Ticket(StreamRegistry* registry, std::string router, Hooks hooks)
        : registry_(registry), router_(std::move(router)), hooks_(std::move(hooks)) {}
    StreamRegistry* const registry_;
    const std::string router_;
    const Hooks hooks_;
  };

  // Waits until the router's older stream has left. FailedPrecondition when `incarnation` is not
  // above the newest one, also when an even newer one comes while this one waits; ResourceExhausted
  // when there are too many streams; Unavailable when the node stops; Cancelled when the peer goes
  // away.
  absl::StatusOr<std::unique_ptr<Ticket>> Enter(absl::string_view router, uint64_t incarnation,
                                                Hooks hooks);

  // Asks every stream to drain; Enter fails from now on.
  void Shutdown();

  size_t active() const;

 private:
  struct Router {
    uint64_t newest = 0;
    Ticket* ticket = nullptr;
    int waiting = 0;
    int64_t left_sec = 0;
  };

  void Leave(Ticket* ticket);
  void ForgetOld() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const size_t streams_max_;
  const Clock* const clock_;
  mutable Mutex mu_;
  CondVar left_;
  std::map<std::string, Router, std::less<>> routers_ ABSL_GUARDED_BY(mu_);
  size_t streams_ ABSL_GUARDED_BY(mu_) = 0;  // that hold a ticket or wait for one
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace shoal
