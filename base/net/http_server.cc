#include "base/net/http_server.h"

#include <algorithm>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <thread>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/logging.h"
#include "base/net/http_session.h"

namespace shoal {

namespace asio = boost::asio;
using boost::system::error_code;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

// "HOST:PORT" or "[V6]:PORT" to an address that can be bound.
absl::StatusOr<asio::ip::tcp::endpoint> ResolveAddress(absl::string_view address,
                                                       asio::io_context* io) {
  const size_t colon = address.rfind(':');
  int port = -1;
  if (colon == absl::string_view::npos || !absl::SimpleAtoi(address.substr(colon + 1), &port) ||
      port < 0 || port > 65535) {
    return absl::InvalidArgumentError(
        absl::StrCat("listen ", address, ": not of the form HOST:PORT"));
  }
  absl::string_view host = address.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  error_code error;
  asio::ip::tcp::resolver resolver(*io);
  const auto found = resolver.resolve(std::string(host), absl::StrCat(port),
                                      asio::ip::resolver_base::passive, error);
  if (error || found.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("listen ", address, ": ", error.message()));
  }
  return found.begin()->endpoint();
}

absl::Status ListenError(absl::string_view address, error_code error) {
  const std::string text = absl::StrCat("listen ", address, ": ", error.message());
  if (error == boost::system::errc::permission_denied) return absl::PermissionDeniedError(text);
  return absl::UnavailableError(text);
}

}  // namespace

struct HttpServer::Impl {
  explicit Impl(HttpServerOptions options)
      : shared(options, options.metrics != nullptr ? options.metrics : &own_metrics),
        acceptor(shared.io),
        sweep_timer(shared.io),
        accept_timer(shared.io),
        work(shared.io.get_executor()) {}

  absl::Status Listen();
  void Run();
  void Accept();
  void OnAccept(error_code error, asio::ip::tcp::socket socket);
  void Sweep();
  void Stop(int64_t grace_ms);
  bool WaitForSessions(steady_clock::time_point deadline);

  MetricRegistry own_metrics;  // used when the options name none
  HttpShared shared;
  asio::ip::tcp::acceptor acceptor;
  asio::steady_timer sweep_timer;
  asio::steady_timer accept_timer;
  asio::executor_work_guard<asio::io_context::executor_type> work;
  std::thread io_thread;
  uint16_t port = 0;
  bool stopped = false;  // I/O thread only

  Mutex stop_mu;  // held through a Stop, so that a second one returns when the first has
  bool running ABSL_GUARDED_BY(stop_mu) = false;
};

absl::Status HttpServer::Impl::Listen() {
  const std::string& address = shared.options.address;
  absl::StatusOr<asio::ip::tcp::endpoint> endpoint = ResolveAddress(address, &shared.io);
  if (!endpoint.ok()) return endpoint.status();
  error_code error;
  acceptor.open(endpoint->protocol(), error);
  if (!error) acceptor.set_option(asio::socket_base::reuse_address(true), error);
  if (!error) acceptor.bind(*endpoint, error);
  if (!error) acceptor.listen(asio::socket_base::max_listen_connections, error);
  if (error) {
    error_code ignored;
    acceptor.close(ignored);
    return ListenError(address, error);
  }
  port = acceptor.local_endpoint(error).port();
  return absl::OkStatus();
}

void HttpServer::Impl::Run() {
  SetThreadName("http-io");
  for (;;) {
    try {
      shared.io.run();
      return;
    } catch (const std::exception& e) {
      // Out of memory in one connection's operation: that connection is gone, the others go on.
      LogError("http", "connection dropped: ", e.what());
    }
  }
}

void HttpServer::Impl::Accept() {
  acceptor.async_accept([this](error_code error, asio::ip::tcp::socket socket) {
    OnAccept(error, std::move(socket));
  });
}

void HttpServer::Impl::OnAccept(error_code error, asio::ip::tcp::socket socket) {
  if (shared.stopping || error == asio::error::operation_aborted) return;
  if (error && error != boost::system::errc::connection_aborted) {
    // No file descriptor or no memory: the connection stays in the backlog, so an accept at once
    // would spin.
    static LogEvery every(std::chrono::seconds(10));
    if (uint64_t held_back; every.Pass(&held_back)) {
      LogWarning("http", "accept: ", error.message(), ", ", held_back, " more like it");
    }
    accept_timer.expires_after(milliseconds(50));
    accept_timer.async_wait([this](error_code wait_error) {
      if (!wait_error && !shared.stopping) Accept();
    });
    return;
  }
  if (!error) {
    if (static_cast<int>(shared.sessions.size()) >= shared.options.connections_max) {
      shared.metrics.connections_refused->Add();
      socket.close(error);
    } else {
      const asio::ip::tcp::endpoint remote = socket.remote_endpoint(error);
      // An error here means that the peer has gone already; reading will find out.
      socket.set_option(asio::ip::tcp::no_delay(true), error);
      const std::string host = remote.address().to_string();
      std::make_shared<HttpSession>(&shared, std::move(socket),
                                    remote.address().is_v6()
                                        ? absl::StrCat("[", host, "]:", remote.port())
                                        : absl::StrCat(host, ":", remote.port()))
          ->Start();
    }
  }
  Accept();
}

// One timer for all connections in place of one each: a deadline is met within a twentieth of
// itself.
void HttpServer::Impl::Sweep() {
  const int64_t interval_ms = std::clamp<int64_t>(shared.options.idle_timeout_ms / 20, 5, 250);
  sweep_timer.expires_after(milliseconds(interval_ms));
  sweep_timer.async_wait([this](error_code error) {
    if (error || stopped) return;
    const auto now = steady_clock::now();
    for (HttpSession* session : shared.sessions) session->CheckDeadline(now);
    Sweep();
  });
}

bool HttpServer::Impl::WaitForSessions(steady_clock::time_point deadline) {
  MutexLock lock(&shared.mu);
  while (shared.live_sessions > 0) {
    const auto left = deadline - steady_clock::now();
    if (left <= left.zero()) return false;
    // Capped: the far deadline of a last wait does not fit a system clock.
    shared.session_ended.WaitFor(&shared.mu,
                                 std::min<std::chrono::nanoseconds>(left, milliseconds(100)));
  }
  return true;
}

void HttpServer::Impl::Stop(int64_t grace_ms) {
  MutexLock lock(&stop_mu);
  if (!running) return;
  running = false;
  asio::post(shared.io, [this] {
    shared.stopping = true;
    error_code ignored;
    acceptor.close(ignored);
    accept_timer.cancel();
    for (HttpSession* session : shared.sessions) session->CloseIfIdle();
  });
  if (!WaitForSessions(steady_clock::now() + milliseconds(grace_ms))) {
    shared.abandon.store(true);
    asio::post(shared.io, [this] {
      for (HttpSession* session : shared.sessions) session->Close();
    });
  }
  shared.workers->Shutdown();
  shared.control->Shutdown();
  WaitForSessions(steady_clock::time_point::max());
  asio::post(shared.io, [this] {
    stopped = true;
    sweep_timer.cancel();
  });
  work.reset();
  io_thread.join();
}

HttpServer::HttpServer(HttpServerOptions options)
    : impl_(std::make_unique<Impl>(std::move(options))) {}

HttpServer::~HttpServer() { Stop(); }

void HttpServer::Route(const std::string& methods, const std::string& path, Handler handler,
                       HttpLane lane) {
  impl_->shared.routes.Add(methods, path, std::move(handler), lane);
}

absl::Status HttpServer::Start() {
  MutexLock lock(&impl_->stop_mu);
  SHOAL_CHECK(!impl_->running && !impl_->io_thread.joinable());
  absl::Status status = impl_->Listen();
  if (!status.ok()) return status;
  const HttpServerOptions& options = impl_->shared.options;
  impl_->shared.workers = std::make_unique<ThreadPool>("http-work", options.threads,
                                                       static_cast<size_t>(options.queue_max));
  impl_->shared.control =
      std::make_unique<ThreadPool>("http-control", 1, static_cast<size_t>(options.queue_max));
  impl_->running = true;
  impl_->Accept();
  impl_->Sweep();
  impl_->io_thread = std::thread([impl = impl_.get()] { impl->Run(); });
  return absl::OkStatus();
}

uint16_t HttpServer::port() const { return impl_->port; }

void HttpServer::Stop(int64_t grace_ms) { impl_->Stop(grace_ms); }

}  // namespace shoal
