#include "router/ingest/listener.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ip/udp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <future>
#include <list>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/logging.h"
#include "base/thread_pool.h"
#include "router/ingest/line_framer.h"

namespace shoal {
namespace {

namespace asio = boost::asio;
using asio::ip::tcp;
using asio::ip::udp;
using boost::system::error_code;

constexpr std::chrono::milliseconds kPausePoll{5};
constexpr std::chrono::milliseconds kAcceptRetry{100};
constexpr std::chrono::seconds kIdleSweep{1};
// Full reads of one connection before the others get their turn.
constexpr int kReadsPerTurn = 4;
constexpr size_t kDatagrams = 32;
constexpr size_t kDatagramBytes = 64 << 10;
constexpr int kDatagramRoundsPerTurn = 8;

void SetLinger(int fd, bool reset_at_close) {
  struct linger value = {};
  value.l_onoff = reset_at_close ? 1 : 0;
  value.l_linger = 0;
  ::setsockopt(fd, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
}

absl::Status BindError(const HostPort& address, const char* protocol, const std::string& what) {
  return absl::UnavailableError(
      absl::StrCat("listen ", address.host, ":", address.port, " (", protocol, "): ", what));
}

}  // namespace

class Listener::Impl {
 public:
  Impl(int number, const ListenerOptions& options, Dispatcher* dispatcher, MemoryBudget* budget,
       IngestStats* stats)
      : number_(number),
        options_(options),
        budget_(budget),
        stats_(stats),
        acceptor_(io_),
        udp_(io_),
        batch_timer_(io_),
        pause_timer_(io_),
        accept_timer_(io_),
        idle_timer_(io_),
        pipeline_(options.pipeline, dispatcher, stats,
                  [this](std::function<void()> f) { asio::post(io_, std::move(f)); }),
        buffer_(options.read_bytes),
        udp_stream_(std::make_shared<LineStream>(Transport::kUdp)) {}

  ~Impl() { Stop(); }

  absl::Status Bind(const HostPort& address);
  uint16_t port() const { return port_; }
  void Start();
  void StopReading();
  void Stop();

 private:
  struct Connection {
    Connection(tcp::socket s, size_t line_bytes_max)
        : socket(std::move(s)),
          framer(line_bytes_max),
          stream(std::make_shared<LineStream>(Transport::kTcp)) {}
    tcp::socket socket;
    LineFramer framer;
    std::shared_ptr<LineStream> stream;
    std::chrono::steady_clock::time_point last_read;
    bool at_end = false;  // the sender has closed its side
    std::list<std::shared_ptr<Connection>>::iterator self;
  };
  using ConnectionPtr = std::shared_ptr<Connection>;

  void Accept();
  void OnAccepted(tcp::socket socket);
  void WaitReadable(const ConnectionPtr& connection);
  void Read(const ConnectionPtr& connection);
  void OnEnd(const ConnectionPtr& connection);
  void Acknowledge(const ConnectionPtr& connection);
  void Reset(const ConnectionPtr& connection);
  void Forget(const ConnectionPtr& connection);
  void WaitDatagrams();
  void ReadDatagrams();
  void AfterLines();
  void Pause();
  void ResumeIfRecovered();
  void SweepIdle();

  const int number_;
  const ListenerOptions options_;
  MemoryBudget* const budget_;
  IngestStats* const stats_;
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  udp::socket udp_;
  asio::steady_timer batch_timer_;
  asio::steady_timer pause_timer_;
  asio::steady_timer accept_timer_;
  asio::steady_timer idle_timer_;
  Pipeline pipeline_;
  uint16_t port_ = 0;
  bool started_ = false;
  bool reading_ = true;
  bool paused_ = false;
  bool batch_timer_set_ = false;
  bool udp_waits_for_memory_ = false;
  std::vector<ConnectionPtr> wait_for_memory_;
  std::list<ConnectionPtr> connections_;
  std::vector<char> buffer_;  // every read of every connection goes here
  std::vector<char> datagrams_;
  std::vector<mmsghdr> headers_;
  std::vector<iovec> vectors_;
  std::shared_ptr<LineStream> udp_stream_;
  std::thread thread_;
};

absl::Status Listener::Impl::Bind(const HostPort& address) {
  error_code error;
  const auto ip =
      asio::ip::make_address(address.host == "localhost" ? "127.0.0.1" : address.host, error);
  if (error) return BindError(address, "TCP", "not an IP address");
  using ReusePort = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

  const tcp::endpoint endpoint(ip, address.port);
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor_.set_option(ReusePort(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error) SetLinger(acceptor_.native_handle(), /*reset_at_close=*/true);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) acceptor_.non_blocking(true, error);
  if (error) return BindError(address, "TCP", error.message());
  port_ = acceptor_.local_endpoint().port();

  const udp::endpoint udp_endpoint(ip, port_);
  udp_.open(udp_endpoint.protocol(), error);
  if (!error) udp_.set_option(ReusePort(true), error);
  if (!error) udp_.bind(udp_endpoint, error);
  if (!error) udp_.non_blocking(true, error);
  if (error) return BindError(address, "UDP", error.message());
  // What the kernel does not give is no error.
  udp_.set_option(asio::socket_base::receive_buffer_size(options_.udp_buffer_bytes), error);
  return absl::OkStatus();
}

void Listener::Impl::Start() {
  started_ = true;
  datagrams_.resize(kDatagrams * kDatagramBytes);
  headers_.resize(kDatagrams);
  vectors_.resize(kDatagrams);
  for (size_t i = 0; i < kDatagrams; ++i) {
    vectors_[i] = {&datagrams_[i * kDatagramBytes], kDatagramBytes};
  }
  Accept();
  WaitDatagrams();
  if (options_.idle_timeout_ms > 0) SweepIdle();
  thread_ = std::thread([this] {
    SetThreadName(absl::StrCat("ingest-", number_));
    const auto work = asio::make_work_guard(io_);
    io_.run();
  });
}

void Listener::Impl::StopReading() {
  if (!started_) return;
  std::promise<void> done;
  asio::post(io_, [this, &done] {
    reading_ = false;
    error_code ignored;
    acceptor_.close(ignored);
    udp_.close(ignored);
    accept_timer_.cancel();
    idle_timer_.cancel();
    pause_timer_.cancel();
    wait_for_memory_.clear();
    // Connections at their end stay for their acknowledgement; the others have nothing to wait for.
    for (const ConnectionPtr& connection : connections_) connection->socket.cancel(ignored);
    pipeline_.CloseChunks();
    done.set_value();
  });
  done.get_future().wait();
}

void Listener::Impl::Stop() {
  if (!thread_.joinable()) return;
  asio::post(io_, [this] {
    while (!connections_.empty()) Reset(connections_.front());
    io_.stop();
  });
  thread_.join();
}

void Listener::Impl::Accept() {
  acceptor_.async_accept([this](error_code error, tcp::socket socket) {
    if (!reading_) return;
    if (error) {
      // Out of descriptors or memory: the connection waits in the kernel's queue.
      stats_->accept_errors->Add();
      accept_timer_.expires_after(kAcceptRetry);
      accept_timer_.async_wait([this](error_code cancelled) {
        if (!cancelled && reading_) Accept();
      });
      return;
    }
    OnAccepted(std::move(socket));
    Accept();
  });
}

void Listener::Impl::OnAccepted(tcp::socket socket) {
  error_code error;
  if (stats_->connections_open->Value() >= options_.connections_max) {
    stats_->connections_refused->Add();
    return;  // closed: a reset
  }
  socket.non_blocking(true, error);
  if (error) return;
  stats_->connections_accepted->Add();
  stats_->connections_open->Add(1);
  auto connection = std::make_shared<Connection>(std::move(socket), options_.line_bytes_max);
  connection->last_read = std::chrono::steady_clock::now();
  connections_.push_front(connection);
  connection->self = connections_.begin();
  // Weak: the stream belongs to the connection.
  connection->stream->on_settled = [this, weak = std::weak_ptr<Connection>(connection)] {
    if (const ConnectionPtr settled = weak.lock(); settled && settled->at_end) Acknowledge(settled);
  };
  WaitReadable(connection);
}

void Listener::Impl::WaitReadable(const ConnectionPtr& connection) {
  connection->socket.async_wait(tcp::socket::wait_read, [this, connection](error_code error) {
    if (!reading_ || !connection->socket.is_open()) return;
    if (error) {
      stats_->connections_broken->Add();
      Reset(connection);
      return;
    }
    Read(connection);
  });
}

void Listener::Impl::Read(const ConnectionPtr& connection) {
  if (budget_->Exhausted()) {
    wait_for_memory_.push_back(connection);
    Pause();
    return;
  }
  const uint32_t now_sec = static_cast<uint32_t>(Clock::System()->NowSec());
  connection->last_read = std::chrono::steady_clock::now();
  const std::shared_ptr<LineStream>& stream = connection->stream;
  for (int turn = 0; turn < kReadsPerTurn; ++turn) {
    const ssize_t got =
        ::recv(connection->socket.native_handle(), buffer_.data(), buffer_.size(), 0);
    if (got < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN || errno == EWOULDBLOCK) break;
      if (!connection->framer.partial().empty()) {
        pipeline_.BadLine(*stream, LineError::kPartialLineAtClose, connection->framer.partial());
      }
      AfterLines();
      stats_->connections_broken->Add();
      Reset(connection);
      return;
    }
    if (got == 0) {
      OnEnd(connection);
      return;
    }
    stats_->of(Transport::kTcp).bytes->Add(static_cast<uint64_t>(got));
    connection->framer.Feed(
        absl::string_view(buffer_.data(), static_cast<size_t>(got)),
        [&](absl::string_view line) { pipeline_.Line(stream, line, now_sec); },
        [&](absl::string_view line) { pipeline_.BadLine(*stream, LineError::kLineTooLong, line); });
    if (static_cast<size_t>(got) < buffer_.size() || budget_->Exhausted()) break;
  }
  AfterLines();
  WaitReadable(connection);
}

void Listener::Impl::OnEnd(const ConnectionPtr& connection) {
  connection->at_end = true;
  const absl::string_view partial = connection->framer.partial();
  if (!partial.empty()) {
    pipeline_.LastLine(connection->stream, partial,
                       static_cast<uint32_t>(Clock::System()->NowSec()));
  }
  connection->framer.Clear();
  AfterLines();
  if (connection->stream->settled()) Acknowledge(connection);
}

void Listener::Impl::Acknowledge(const ConnectionPtr& connection) {
  if (connection->stream->dropped_points) {
    Reset(connection);
    return;
  }
  stats_->connections_acknowledged->Add();
  SetLinger(connection->socket.native_handle(), /*reset_at_close=*/false);
  error_code ignored;
  connection->socket.shutdown(tcp::socket::shutdown_send, ignored);
  Forget(connection);
}

void Listener::Impl::Reset(const ConnectionPtr& connection) {
  stats_->connections_reset->Add();
  Forget(connection);
}

void Listener::Impl::Forget(const ConnectionPtr& connection) {
  error_code ignored;
  connection->socket.close(ignored);
  connection->stream->on_settled = nullptr;
  stats_->connections_open->Add(-1);
  // Last: the list may hold the last reference.
  const ConnectionPtr keep = connection;
  connections_.erase(keep->self);
}

void Listener::Impl::WaitDatagrams() {
  udp_.async_wait(udp::socket::wait_read, [this](error_code) {
    if (reading_) ReadDatagrams();
  });
}

void Listener::Impl::ReadDatagrams() {
  if (budget_->Exhausted()) {
    udp_waits_for_memory_ = true;
    Pause();
    return;
  }
  const uint32_t now_sec = static_cast<uint32_t>(Clock::System()->NowSec());
  for (int round = 0; round < kDatagramRoundsPerTurn; ++round) {
    for (size_t i = 0; i < kDatagrams; ++i) {
      headers_[i] = {};
      headers_[i].msg_hdr.msg_iov = &vectors_[i];
      headers_[i].msg_hdr.msg_iovlen = 1;
    }
    const int got = ::recvmmsg(udp_.native_handle(), headers_.data(), kDatagrams, 0, nullptr);
    if (got <= 0) break;
    stats_->udp_datagrams->Add(static_cast<uint64_t>(got));
    uint64_t bytes = 0;
    for (int i = 0; i < got; ++i) {
      const absl::string_view datagram(static_cast<const char*>(vectors_[i].iov_base),
                                       headers_[i].msg_len);
      bytes += datagram.size();
      // A line cannot span datagrams; the last one needs no newline.
      LineFramer framer(options_.line_bytes_max);
      framer.Feed(
          datagram, [&](absl::string_view line) { pipeline_.Line(udp_stream_, line, now_sec); },
          [&](absl::string_view line) {
            pipeline_.BadLine(*udp_stream_, LineError::kLineTooLong, line);
          });
      if (!framer.partial().empty()) pipeline_.Line(udp_stream_, framer.partial(), now_sec);
    }
    stats_->of(Transport::kUdp).bytes->Add(bytes);
    if (static_cast<size_t>(got) < kDatagrams || budget_->Exhausted()) break;
  }
  AfterLines();
  WaitDatagrams();
}

void Listener::Impl::AfterLines() {
  pipeline_.FlushCounters();
  if (batch_timer_set_ || !pipeline_.has_open_chunk()) return;
  batch_timer_set_ = true;
  batch_timer_.expires_after(std::chrono::milliseconds(options_.batch_age_ms));
  batch_timer_.async_wait([this](error_code) {
    batch_timer_set_ = false;
    pipeline_.CloseChunks();
  });
}

void Listener::Impl::Pause() {
  if (paused_) return;
  paused_ = true;
  stats_->pauses->Add();
  static LogEvery every(std::chrono::seconds(10));
  if (uint64_t held_back; every.Pass(&held_back)) {
    LogWarning("ingest", "stopped reading: ", budget_->used(),
               " bytes of points are not durable yet (ingest.memory_max ", budget_->bytes_max(),
               ")");
  }
  // What is gathered must get on its way, or memory might never recover.
  pipeline_.CloseChunks();
  ResumeIfRecovered();
}

void Listener::Impl::ResumeIfRecovered() {
  if (!budget_->Recovered()) {
    // Memory is released by other threads and for all loops: polling costs less than telling every
    // loop.
    pause_timer_.expires_after(kPausePoll);
    pause_timer_.async_wait([this](error_code error) {
      if (!error && reading_) ResumeIfRecovered();
    });
    return;
  }
  paused_ = false;
  std::vector<ConnectionPtr> waiting;
  waiting.swap(wait_for_memory_);
  for (const ConnectionPtr& connection : waiting) {
    if (connection->socket.is_open()) {
      connection->last_read = std::chrono::steady_clock::now();
      WaitReadable(connection);
    }
  }
  if (std::exchange(udp_waits_for_memory_, false)) WaitDatagrams();
}

void Listener::Impl::SweepIdle() {
  idle_timer_.expires_after(kIdleSweep);
  idle_timer_.async_wait([this](error_code error) {
    if (error || !reading_) return;
    const auto limit =
        std::chrono::steady_clock::now() - std::chrono::milliseconds(options_.idle_timeout_ms);
    for (auto it = connections_.begin(); !paused_ && it != connections_.end();) {
      const ConnectionPtr connection = *it++;
      // One that waits for its acknowledgement is not idle.
      if (connection->at_end || connection->last_read > limit) continue;
      if (!connection->framer.partial().empty()) {
        pipeline_.BadLine(*connection->stream, LineError::kPartialLineAtClose,
                          connection->framer.partial());
        pipeline_.FlushCounters();
      }
      stats_->connections_idle->Add();
      Reset(connection);
    }
    SweepIdle();
  });
}

Listener::Listener(int number, const ListenerOptions& options, Dispatcher* dispatcher,
                   MemoryBudget* budget, IngestStats* stats)
    : impl_(std::make_unique<Impl>(number, options, dispatcher, budget, stats)) {}
Listener::~Listener() = default;
absl::Status Listener::Bind(const HostPort& address) { return impl_->Bind(address); }
uint16_t Listener::port() const { return impl_->port(); }
void Listener::Start() { impl_->Start(); }
void Listener::StopReading() { impl_->StopReading(); }
void Listener::Stop() { impl_->Stop(); }

}  // namespace shoal
