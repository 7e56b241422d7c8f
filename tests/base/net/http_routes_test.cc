#include "base/net/http_routes.h"

#include <string>

#include "gtest/gtest.h"

namespace shoal {
namespace {

HttpServer::Handler Says(const std::string& text) {
  return [text](const HttpRequest&) { return HttpResponse::Text(200, text); };
}

std::string Pattern(const HttpRoutes& routes, absl::string_view path) {
  const HttpRoute* route = routes.Find(path);
  return route == nullptr ? "none" : route->pattern;
}

TEST(HttpRoutesTest, TheLongestRouteWins) {
  HttpRoutes routes;
  for (const char* path : {"/", "/a", "/a/*", "/a/b/*", "/a/b/c"}) {
    routes.Add("GET", path, Says(path), HttpLane::kWork);
  }
  EXPECT_EQ(Pattern(routes, "/"), "/");
  EXPECT_EQ(Pattern(routes, "/a"), "/a");
  EXPECT_EQ(Pattern(routes, "/a/x"), "/a/*");
  EXPECT_EQ(Pattern(routes, "/a/b"), "/a/*");
  EXPECT_EQ(Pattern(routes, "/a/b/x/y"), "/a/b/*");
  EXPECT_EQ(Pattern(routes, "/a/b/c"), "/a/b/c");
  EXPECT_EQ(Pattern(routes, "/ab"), "none");
  EXPECT_EQ(Pattern(routes, ""), "none");
}

TEST(HttpRoutesTest, ATrailingSlashIsIgnored) {
  HttpRoutes routes;
  routes.Add("GET", "/render", Says("r"), HttpLane::kWork);
  routes.Add("GET", "/functions/*", Says("f"), HttpLane::kWork);
  EXPECT_EQ(Pattern(routes, "/render/"), "/render");
  EXPECT_EQ(Pattern(routes, "/render//"), "none");
  EXPECT_EQ(Pattern(routes, "/functions/"), "/functions/*");
  EXPECT_EQ(Pattern(routes, "/functions"), "none");
}

TEST(HttpRoutesTest, APathTakesMethodsFromSeveralAdds) {
  HttpRoutes routes;
  routes.Add("GET,POST", "/x", Says("read"), HttpLane::kControl);
  routes.Add("DELETE", "/x", Says("delete"), HttpLane::kControl);
  const HttpRoute* route = routes.Find("/x");
  ASSERT_NE(route, nullptr);
  EXPECT_EQ(route->lane, HttpLane::kControl);
  EXPECT_EQ(route->Allow(), "GET, HEAD, POST, DELETE");
  ASSERT_NE(route->ForMethod("HEAD"), nullptr);
  EXPECT_EQ((*route->ForMethod("HEAD"))({}).body, "read");
  EXPECT_EQ((*route->ForMethod("DELETE"))({}).body, "delete");
  EXPECT_EQ(route->ForMethod("PUT"), nullptr);
  EXPECT_EQ(route->ForMethod("get"), nullptr);
}

}  // namespace
}  // namespace shoal
