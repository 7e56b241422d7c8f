// Graphite's HTTP API on top of a SeriesSource: /render, /metrics/*, /functions, /version.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/net/http_message.h"
#include "base/net/http_server.h"
#include "base/stats.h"
#include "router/query/evaluator.h"
#include "router/query/series_source.h"

namespace shoal {

struct ApiOptions {
  EvalLimits eval;
  size_t response_bytes_max = 256 << 20;
  size_t find_results_max = 1'000'000;
  int64_t timeout_ms = 30'000;    // of one request
  std::string time_zone = "UTC";  // when the request names none that exists
  double x_files_factor = 0;      // when the request names none
  const Clock* clock = Clock::System();
  // When set, GET /metrics without a query answers with these in Prometheus' format; with a query
  // it is /metrics/find.
  const MetricRegistry* metrics = nullptr;
};

// Adds the routes. `source`, and the clock and metrics of the options, must outlive the server.
// Before Start only.
void RegisterApi(HttpServer* server, SeriesSource* source, const ApiOptions& options);

// What the routes do; thread safe.
HttpResponse HandleRender(const HttpRequest& request, SeriesSource* source,
                          const ApiOptions& options);
HttpResponse HandleFind(const HttpRequest& request, SeriesSource* source,
                        const ApiOptions& options);
HttpResponse HandleExpand(const HttpRequest& request, SeriesSource* source,
                          const ApiOptions& options);
HttpResponse HandleIndex(const HttpRequest& request, SeriesSource* source,
                         const ApiOptions& options);
HttpResponse HandleFunctions(const HttpRequest& request);
HttpResponse HandleVersion(const HttpRequest& request);

// The Graphite version whose API this is; clients turn features on by it.
inline constexpr char kGraphiteVersion[] = "1.1.10";

// 400 for InvalidArgument, 422 for ResourceExhausted, 503 for Unavailable, 504 for
// DeadlineExceeded, 500 for the rest; the message as plain text.
HttpResponse ErrorResponse(const absl::Status& status);

}  // namespace shoal
