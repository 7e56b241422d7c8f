#include "node/stream_registry.h"

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

// How soon a stream that waits for its predecessor notices that its own peer is gone.
constexpr std::chrono::milliseconds kPeerCheck(50);
constexpr size_t kRoutersMax = 10'000;

absl::Status Fenced(absl::string_view router, uint64_t incarnation, uint64_t newest) {
  return absl::FailedPreconditionError(
      absl::StrCat("router ", router, " has a newer write stream: this one is incarnation ",
                   incarnation, ", the newest is ", newest));
}

}  // namespace

StreamRegistry::Ticket::~Ticket() { registry_->Leave(this); }

absl::StatusOr<std::unique_ptr<StreamRegistry::Ticket>> StreamRegistry::Enter(
    absl::string_view router_name, uint64_t incarnation, Hooks hooks) {
  MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the node is stopping");
  ForgetOld();
  if (streams_ >= streams_max_) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the node has ", streams_, " write streams (limits.write_streams_max)"));
  }
  if (routers_.size() >= kRoutersMax && routers_.find(std::string(router_name)) == routers_.end()) {
    return absl::ResourceExhaustedError("too many router names within ten minutes");
  }
  const std::string name(router_name);
  // References into a std::map stay valid; ForgetOld keeps entries that are waited on.
  Router& router = routers_[name];
  if (incarnation <= router.newest) return Fenced(name, incarnation, router.newest);
  router.newest = incarnation;
  ++router.waiting;
  ++streams_;
  left_.SignalAll();  // whoever waits with a lower incarnation gives up

  absl::Status status;
  bool cancelled_older = false;
  while (true) {
    if (stopping_) {
      status = absl::UnavailableError("the node is stopping");
    } else if (router.newest != incarnation) {
      status = Fenced(name, incarnation, router.newest);
    } else if (hooks.is_cancelled()) {
      status = absl::CancelledError("the router is gone");
    }
    if (!status.ok() || router.ticket == nullptr) break;
    if (!cancelled_older) {
      router.ticket->hooks_.cancel();
      cancelled_older = true;
    }
    left_.WaitFor(&mu_, kPeerCheck);
  }
  --router.waiting;
  if (!status.ok()) {
    --streams_;
    router.left_sec = clock_->NowSec();
    return status;
  }
  std::unique_ptr<Ticket> ticket(new Ticket(this, name, std::move(hooks)));
  router.ticket = ticket.get();
  return ticket;
}

void StreamRegistry::Leave(Ticket* ticket) {
  MutexLock lock(&mu_);
  Router& router = routers_[ticket->router_];
  router.ticket = nullptr;
  router.left_sec = clock_->NowSec();
  --streams_;
  left_.SignalAll();
}

void StreamRegistry::ForgetOld() {
  const int64_t now_sec = clock_->NowSec();
  for (auto it = routers_.begin(); it != routers_.end();) {
    const Router& router = it->second;
    if (router.ticket == nullptr && router.waiting == 0 &&
        now_sec - router.left_sec > kRememberSec) {
      it = routers_.erase(it);
    } else {
      ++it;
    }
  }
}

void StreamRegistry::Shutdown() {
  MutexLock lock(&mu_);
  stopping_ = true;
  for (auto& [name, router] : routers_) {
    if (router.ticket != nullptr) router.ticket->hooks_.drain();
  }
  left_.SignalAll();
}

size_t StreamRegistry::active() const {
  MutexLock lock(&mu_);
  size_t count = 0;
  for (const auto& [name, router] : routers_) count += router.ticket != nullptr ? 1 : 0;
  return count;
}

}  // namespace shoal
