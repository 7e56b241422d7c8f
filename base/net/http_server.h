// A bounded HTTP/1.1 server (Boost.Beast behind this header): keep-alive, gzip of answers, limits
// on everything.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/net/http_message.h"
#include "base/stats.h"

namespace shoal {

struct HttpServerOptions {
  std::string address = "127.0.0.1:0";  // HOST:PORT, [V6]:PORT; port 0 picks a free one
  int threads = 4;                      // handlers that run at once; more requests wait
  int queue_max = 1000;                 // requests that wait for a thread; 503 past that
  int64_t body_bytes_max = 4 << 20;     // 413 past that
  int64_t header_bytes_max = 64 << 10;  // 431 past that
  // Request bodies and answers in memory, of all connections together; 503 past that. One answer
  // alone may be larger.
  int64_t buffer_bytes_max = 128 << 20;
  int connections_max = 2000;  // more are closed at once, counted
  // Also the deadline of a request's header, of its body (408), and of every 64 KiB of an answer.
  int64_t idle_timeout_ms = 60'000;
  MetricRegistry* metrics = nullptr;
  // <prefix>_http_requests_total{path,code}, _http_request_seconds, _http_connections and
  // _http_connections_refused_total. `path` is the route's, or "other" for a request that reached
  // none.
  std::string metric_prefix = "shoal";
};

// Which threads answer a route. kControl is a single thread apart from the workers, so that health
// checks and metrics answer while every worker is busy; its handlers return at once.
enum class HttpLane { kWork, kControl };

// Handlers run on the server's worker threads, several at a time. A handler must not throw; if one
// does (out of memory), the answer is 500. Unknown path: 404; known path with another method: 405.
// Every answer carries X-Content-Type-Options: nosniff.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  explicit HttpServer(HttpServerOptions options);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  // `path` is exact, or a prefix when it ends in "/*". A trailing slash in the request is ignored
  // ("/render/" is "/render"). The longest route wins. `methods` like "GET" or "GET,POST" (HEAD
  // comes with GET). Before Start only.
  void Route(const std::string& methods, const std::string& path, Handler handler,
             HttpLane lane = HttpLane::kWork);

  // Binds and serves, once. A port in use: "listen 127.0.0.1:8080: Address already in use"
  // (Unavailable).
  absl::Status Start();
  // The bound port; 0 before Start.
  uint16_t port() const;
  // Stops accepting, lets running handlers end and their answers be read for at most `grace_ms`,
  // then closes every connection. A handler that runs longer is waited for, its answer is not sent.
  // Idempotent; not from a handler.
  void Stop(int64_t grace_ms = 5000);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
