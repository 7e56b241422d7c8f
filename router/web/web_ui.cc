#include "router/web/web_ui.h"

#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "router/web/web_assets.h"

namespace shoal {
namespace {

// Scripts and styles come from this server alone and never stand inside the page, so that a metric
// name which slips into the page as markup still runs nothing.
constexpr absl::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

HttpResponse Serve(const WebAsset& asset, const HttpRequest& request) {
  HttpResponse response;
  response.content_type = std::string(asset.content_type);
  // Weak: the server may send it compressed.
  const std::string etag = absl::StrCat("W/\"", asset.hash, "\"");
  response.headers = {
      {"ETag", etag},
      // An asset's name changes with its content; the page's does not.
      {"Cache-Control", asset.path == "/" ? "no-cache" : "public, max-age=31536000, immutable"},
      {"Content-Security-Policy", std::string(kContentSecurityPolicy)},
      {"Referrer-Policy", "no-referrer"},
  };
  if (absl::StrContains(request.Header("if-none-match"), etag)) {
    response.status = 304;
    return response;
  }
  response.body = std::string(asset.content);
  return response;
}

HttpResponse ServePath(const HttpRequest& request) {
  for (size_t i = 0; i < kWebAssetCount; ++i) {
    if (kWebAssets[i].path == request.path) return Serve(kWebAssets[i], request);
  }
  return HttpResponse::Text(404, "no such page\n");
}

}  // namespace

void RegisterWebUi(HttpServer* server) {
  server->Route("GET", "/", ServePath);
  server->Route("GET", "/assets/*", ServePath);
}

}  // namespace shoal
