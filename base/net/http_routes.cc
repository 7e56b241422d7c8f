#include "base/net/http_routes.h"

#include <algorithm>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/check.h"

namespace shoal {

const HttpServer::Handler* HttpRoute::ForMethod(absl::string_view method) const {
  if (method == "HEAD") method = "GET";
  for (const auto& [name, handler] : handlers) {
    if (name == method) return &handler;
  }
  return nullptr;
}

std::string HttpRoute::Allow() const {
  std::string allow;
  for (const auto& [name, handler] : handlers) {
    absl::StrAppend(&allow, allow.empty() ? "" : ", ", name, name == "GET" ? ", HEAD" : "");
  }
  return allow;
}

void HttpRoutes::Add(absl::string_view methods, absl::string_view path, HttpServer::Handler handler,
                     HttpLane lane) {
  SHOAL_CHECK(absl::StartsWith(path, "/"));
  HttpRoute* route = nullptr;
  if (absl::EndsWith(path, "/*")) {
    const absl::string_view prefix = path.substr(0, path.size() - 1);
    auto it = std::find_if(prefixes_.begin(), prefixes_.end(),
                           [&](const auto& entry) { return entry.first == prefix; });
    if (it == prefixes_.end()) {
      it = std::find_if(prefixes_.begin(), prefixes_.end(),
                        [&](const auto& entry) { return entry.first.size() < prefix.size(); });
      it = prefixes_.emplace(it, std::string(prefix), std::make_unique<HttpRoute>());
      it->second->lane = lane;
    }
    route = it->second.get();
  } else {
    auto [it, added] = exact_.try_emplace(std::string(path), nullptr);
    if (added) {
      it->second = std::make_unique<HttpRoute>();
      it->second->lane = lane;
    }
    route = it->second.get();
  }
  route->pattern = std::string(path);
  for (absl::string_view method : absl::StrSplit(methods, ',', absl::SkipWhitespace())) {
    SHOAL_CHECK(route->ForMethod(method) == nullptr);
    route->handlers.emplace_back(std::string(method), handler);
  }
}

const HttpRoute* HttpRoutes::Find(absl::string_view path) const {
  auto it = exact_.find(path);
  if (it == exact_.end() && path.size() > 1 && absl::EndsWith(path, "/")) {
    it = exact_.find(path.substr(0, path.size() - 1));
  }
  if (it != exact_.end()) return it->second.get();
  for (const auto& [prefix, route] : prefixes_) {
    if (absl::StartsWith(path, prefix)) return route.get();
  }
  return nullptr;
}

}  // namespace shoal
