// One connection of an HTTP server, and what all connections share. Internal to base/net: it brings
// in Boost.Beast.
//
// Threads: everything runs on the server's one I/O thread except HttpSession::Handle, which runs on
// a worker while the I/O thread leaves the request and the answer alone.
#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/message.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/serializer.hpp>
#include <boost/beast/http/string_body.hpp>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "base/mutex.h"
#include "base/net/http_buffers.h"
#include "base/net/http_message.h"
#include "base/net/http_routes.h"
#include "base/net/http_server.h"
#include "base/stats.h"
#include "base/thread_pool.h"

namespace shoal {

class HttpSession;

// Request counters by route and status code. Thread safe.
class HttpMetrics {
 public:
  HttpMetrics(MetricRegistry* registry, const std::string& prefix);

  // `route` may be null: a request that reached none.
  void CountRequest(const HttpRoute* route, int code);

  Histogram* const request_seconds;  // from the whole request read to its answer ready
  Gauge* const connections;
  Counter* const connections_refused;

 private:
  MetricRegistry* const registry_;
  const std::string requests_name_;
  Mutex mu_;
  absl::flat_hash_map<std::pair<const HttpRoute*, int>, Counter*> requests_ ABSL_GUARDED_BY(mu_);
};

struct HttpShared {
  HttpShared(HttpServerOptions server_options, MetricRegistry* registry)
      : options(std::move(server_options)),
        budget(options.buffer_bytes_max),
        metrics(registry, options.metric_prefix) {}

  const HttpServerOptions options;
  HttpBufferBudget budget;
  HttpMetrics metrics;
  HttpRoutes routes;                    // not changed after Start
  std::unique_ptr<ThreadPool> workers;  // made at Start
  std::unique_ptr<ThreadPool> control;
  std::atomic<bool> abandon{false};  // handlers that have not begun need not begin

  // I/O thread only.
  bool stopping = false;
  absl::flat_hash_set<HttpSession*> sessions;

  Mutex mu;
  CondVar session_ended;
  int live_sessions ABSL_GUARDED_BY(mu) = 0;

  // Last: what waits in it refers to the rest.
  boost::asio::io_context io{1};
};

// A request body that grows as bytes arrive, inside the lease: a declared length reserves nothing.
struct HttpLeasedBody {
  struct value_type {
    std::string data;
    HttpBufferLease* lease = nullptr;
  };

  class reader {
   public:
    template <bool is_request, class Fields>
    reader(boost::beast::http::header<is_request, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>&, boost::beast::error_code& error) {
      error = {};
    }
    template <class Buffers>
    size_t put(const Buffers& buffers, boost::beast::error_code& error) {
      const size_t bytes = boost::beast::buffer_bytes(buffers);
      if (!body_.lease->Grow(static_cast<int64_t>(bytes))) {
        error = make_error_code(boost::system::errc::not_enough_memory);
        return 0;
      }
      error = {};
      for (auto buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.data.append(static_cast<const char*>(buffer.data()), buffer.size());
      }
      return bytes;
    }
    void finish(boost::beast::error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

// Kept alive by its pending operation: when nothing is pending any more, it ends and closes its
// socket.
class HttpSession : public std::enable_shared_from_this<HttpSession> {
 public:
  HttpSession(HttpShared* shared, boost::asio::ip::tcp::socket socket, std::string remote);
  ~HttpSession();

  void Start() { ReadHeader(); }
  // Called regularly; acts when the current deadline has passed.
  void CheckDeadline(std::chrono::steady_clock::time_point now);
  // Closes when no request has begun to arrive.
  void CloseIfIdle();
  void Close();

 private:
  enum class State { kReadHeader, kReadBody, kHandle, kWrite, kDrain };
  using Response = boost::beast::http::response<boost::beast::http::string_body>;

  void Enter(State state, std::chrono::milliseconds deadline);
  bool IsIdle() const;
  void ReadHeader();
  void OnHeader(boost::beast::error_code error);
  void SendContinue();
  void ReadBody();
  void OnBody(boost::beast::error_code error);
  // Ends the connection after a request that could not be read: with an answer where one helps.
  void OnReadError(boost::beast::error_code error);
  void Dispatch();
  // Worker thread: runs the handler, leaves the answer in response_, hands back to the I/O thread
  // with `self`.
  void Handle(std::shared_ptr<HttpSession> self);
  HttpResponse RunHandler();
  void BuildResponse(HttpResponse answer);
  // I/O thread: answers without a handler.
  void SendError(int status, absl::string_view text, bool keep_alive);
  void StartWrite();
  void WriteSome();
  void OnWritten(boost::beast::error_code error, size_t bytes);
  // Sends FIN and reads until the peer's: closing with unread input would reset the connection
  // under the answer.
  void Drain();
  void DrainSome();

  HttpShared* const shared_;
  const std::string remote_;
  HttpBufferLease lease_;
  boost::asio::ip::tcp::socket socket_;
  boost::beast::flat_buffer buffer_;
  State state_ = State::kReadHeader;
  std::chrono::steady_clock::time_point deadline_;
  bool timed_out_ = false;
  bool closed_ = false;

  // The request being served.
  std::optional<boost::beast::http::request_parser<HttpLeasedBody>> parser_;
  unsigned version_ = 11;
  bool keep_alive_ = false;
  HttpRequest request_;
  absl::string_view query_;  // inside parser_'s target
  const HttpRoute* route_ = nullptr;
  const HttpServer::Handler* handler_ = nullptr;
  std::chrono::steady_clock::time_point read_at_;
  Response response_;
  std::optional<boost::beast::http::response_serializer<boost::beast::http::string_body>>
      serializer_;
  int64_t written_bytes_ = 0;  // since the deadline was last moved
};

}  // namespace shoal
