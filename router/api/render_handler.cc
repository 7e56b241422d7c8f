// /render: parameters in, series out.

#include <algorithm>
#include <cmath>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "router/api/api.h"
#include "router/api/render_format.h"
#include "router/api/request_params.h"
#include "router/api/time_spec.h"

namespace shoal {
namespace {

enum class Format { kJson, kRaw, kCsv };

absl::StatusOr<Format> RequestFormat(const HttpParams& params) {
  const absl::string_view format =
      params.Has("format") ? params.Get("format") : (params.Has("rawData") ? "raw" : "");
  if (format == "json") return Format::kJson;
  if (format == "raw") return Format::kRaw;
  if (format == "csv") return Format::kCsv;
  const std::string given =
      format.empty() ? "none is given" : absl::StrCat("not \"", format.substr(0, 32), "\"");
  return absl::InvalidArgumentError(
      absl::StrCat("parameter format takes json, raw or csv; ", given));
}

absl::StatusOr<int64_t> TimeParam(const HttpParams& params, absl::string_view name,
                                  absl::string_view fallback, absl::TimeZone zone,
                                  int64_t now_sec) {
  const absl::StatusOr<int64_t> time = ParseTimeSpec(params.Get(name, fallback), zone, now_sec);
  if (!time.ok()) return Annotate(time.status(), absl::StrCat("parameter ", name));
  return *time;
}

absl::StatusOr<FetchRange> RequestRange(const HttpParams& params, absl::TimeZone zone,
                                        const ApiOptions& options) {
  FetchRange range;
  SHOAL_ASSIGN_OR_RETURN(range.now_sec, RequestNow(params, zone, options));
  SHOAL_ASSIGN_OR_RETURN(const int64_t from, TimeParam(params, "from", "-1d", zone, range.now_sec));
  SHOAL_ASSIGN_OR_RETURN(const int64_t until,
                         TimeParam(params, "until", "now", zone, range.now_sec));
  if (from == until) return absl::InvalidArgumentError("from and until are the same time");
  range.from_sec = std::min(from, until);
  range.until_sec = std::max(from, until);
  return range;
}

// Graphite heeds it only when it is all digits. 0 and what overflows mean no limit.
int64_t MaxDataPoints(const HttpParams& params) {
  const absl::string_view text = params.Get("maxDataPoints");
  int64_t value;
  if (text.empty() || text.find_first_not_of("0123456789") != absl::string_view::npos ||
      !absl::SimpleAtoi(text, &value)) {
    return 0;
  }
  return value;
}

absl::StatusOr<EvalRequest> ReadRequest(const HttpParams& params, absl::TimeZone zone,
                                        const ApiOptions& options) {
  EvalRequest request;
  request.targets = params.GetAll("target");
  if (request.targets.empty()) request.targets = params.GetAll("target[]");
  SHOAL_ASSIGN_OR_RETURN(request.range, RequestRange(params, zone, options));
  request.x_files_factor = options.x_files_factor;
  if (params.Has("xFilesFactor") &&
      (!absl::SimpleAtod(params.Get("xFilesFactor"), &request.x_files_factor) ||
       std::isnan(request.x_files_factor))) {
    return absl::InvalidArgumentError("parameter xFilesFactor takes a number");
  }
  if (params.Get("graphType", "line") != "line") {
    return absl::InvalidArgumentError("parameter graphType takes only line");
  }
  request.deadline = RequestDeadline(options);
  return request;
}

absl::StatusOr<HttpResponse> Render(const HttpParams& params, SeriesSource* source,
                                    const ApiOptions& options) {
  SHOAL_ASSIGN_OR_RETURN(const Format format, RequestFormat(params));
  const absl::TimeZone zone = RequestTimeZone(params, options);
  SHOAL_ASSIGN_OR_RETURN(const EvalRequest request, ReadRequest(params, zone, options));
  SHOAL_ASSIGN_OR_RETURN(SeriesList series, EvaluateTargets(request, options.eval, source));
  HttpResponse response;
  switch (format) {
    case Format::kJson: {
      const JsonOptions json{.max_data_points = MaxDataPoints(params),
                             .no_null_points = params.Has("noNullPoints")};
      SHOAL_ASSIGN_OR_RETURN(std::string body,
                             RenderJson(std::move(series), json, options.response_bytes_max));
      return JsonResponse(params, std::move(body));
    }
    case Format::kRaw: {
      SHOAL_ASSIGN_OR_RETURN(response.body, RenderRaw(series, options.response_bytes_max));
      break;
    }
    case Format::kCsv: {
      SHOAL_ASSIGN_OR_RETURN(response.body, RenderCsv(series, zone, options.response_bytes_max));
      response.content_type = "text/csv; charset=utf-8";
      break;
    }
  }
  return response;
}

}  // namespace

HttpResponse HandleRender(const HttpRequest& request, SeriesSource* source,
                          const ApiOptions& options) {
  absl::StatusOr<HttpResponse> response = Render(request.params, source, options);
  return response.ok() ? *std::move(response) : ErrorResponse(response.status());
}

}  // namespace shoal
