// The table of an HTTP server's routes: which handler answers a method and a path.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/net/http_server.h"

namespace shoal {

struct HttpRoute {
  std::string pattern;  // as registered: "/render", "/assets/*"
  HttpLane lane = HttpLane::kWork;
  std::vector<std::pair<std::string, HttpServer::Handler>> handlers;  // by method

  // Null when the route does not take the method. HEAD is answered by GET's handler.
  const HttpServer::Handler* ForMethod(absl::string_view method) const;
  // The value of an Allow header: "GET, HEAD, POST".
  std::string Allow() const;
};

// Filled before use, then read by any thread. Routes keep their address.
class HttpRoutes {
 public:
  // As HttpServer::Route; a second Add for one path adds its methods and keeps the first one's
  // lane.
  void Add(absl::string_view methods, absl::string_view path, HttpServer::Handler handler,
           HttpLane lane);
  // The longest route for a decoded path; null when there is none.
  const HttpRoute* Find(absl::string_view path) const;

 private:
  absl::flat_hash_map<std::string, std::unique_ptr<HttpRoute>> exact_;
  // By prefix with its slash ("/assets/"), longest first.
  std::vector<std::pair<std::string, std::unique_ptr<HttpRoute>>> prefixes_;
};

}  // namespace shoal
