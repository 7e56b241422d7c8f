#include "router/api/api.h"

#include "absl/strings/str_cat.h"

namespace shoal {

HttpResponse ErrorResponse(const absl::Status& status) {
  int code = 500;
  switch (status.code()) {
    case absl::StatusCode::kInvalidArgument:
      code = 400;
      break;
    case absl::StatusCode::kResourceExhausted:
      code = 422;
      break;
    case absl::StatusCode::kUnavailable:
      code = 503;
      break;
    case absl::StatusCode::kDeadlineExceeded:
      code = 504;
      break;
    default:
      break;
  }
  return HttpResponse::Text(code, absl::StrCat(status.message(), "\n"));
}

HttpResponse HandleVersion(const HttpRequest&) { return HttpResponse::Text(200, kGraphiteVersion); }

void RegisterApi(HttpServer* server, SeriesSource* source, const ApiOptions& options) {
  const auto with_source = [source, options](HttpResponse (*handle)(
                               const HttpRequest&, SeriesSource*, const ApiOptions&)) {
    return [handle, source, options](const HttpRequest& request) {
      return handle(request, source, options);
    };
  };
  server->Route("GET,POST", "/render", with_source(&HandleRender));
  server->Route("GET,POST", "/metrics/find", with_source(&HandleFind));
  server->Route("GET,POST", "/metrics/expand", with_source(&HandleExpand));
  server->Route("GET,POST", "/metrics/index.json", with_source(&HandleIndex));
  server->Route("GET,POST", "/metrics", [source, options](const HttpRequest& request) {
    if (options.metrics != nullptr && !request.params.Has("query")) {
      HttpResponse response;
      response.content_type = "text/plain; version=0.0.4; charset=utf-8";
      response.body = options.metrics->PrometheusText();
      return response;
    }
    return HandleFind(request, source, options);
  });
  server->Route("GET", "/functions", &HandleFunctions);
  server->Route("GET", "/functions/*", &HandleFunctions);
  server->Route("GET", "/version", &HandleVersion);
}

}  // namespace shoal
