// A bounded HTTP/1.1 server (Boost.Beast behind this header): keep-alive, gzip of answers, limits on everything.
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
  std::string address = "127.0.0.1:0";  // HOST:PORT; port 0 picks a free one
  int threads = 4;                      // handlers that run at once; more requests wait
  int64_t body_bytes_max = 4 << 20;     // 413 past that
  int64_t header_bytes_max = 64 << 10;  // 431 past that
  int connections_max = 2000;           // more are closed at once, counted
  int64_t idle_timeout_ms = 60'000;     // also the deadline of a request's header and body
  MetricRegistry* metrics = nullptr;
  std::string metric_prefix = "shoal";  // <prefix>_http_requests_total{path,code}, ..._http_request_seconds
};

// Handlers run on the server's worker threads, several at a time. A handler must not throw. Unknown path: 404; known path
// with another method: 405. Every answer carries X-Content-Type-Options: nosniff.
class HttpServer {
 public:
  using Handler = std::function<HttpResponse(const HttpRequest&)>;

  explicit HttpServer(HttpServerOptions options);
  ~HttpServer();

  // `path` is exact, or a prefix when it ends in "/*". A trailing slash in the request is ignored ("/render/" is "/render").
  // The longest route wins. `methods` like "GET" or "GET,POST" (HEAD comes with GET). Before Start only.
  void Route(const std::string& methods, const std::string& path, Handler handler);

  // Binds and serves. A port in use: "listen 127.0.0.1:8080: Address already in use" (Unavailable).
  absl::Status Start();
  uint16_t port() const;
  // Stops accepting, lets running handlers end (at most `grace_ms`), closes. Idempotent.
  void Stop(int64_t grace_ms = 5000);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
