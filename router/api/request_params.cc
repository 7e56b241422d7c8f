#include "router/api/request_params.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "base/status_macros.h"
#include "router/api/time_spec.h"

namespace shoal {
namespace {

// jQuery1234.callback_5 and the like; nothing that could be script of its own.
bool IsCallbackName(absl::string_view name) {
  constexpr size_t kNameBytesMax = 128;
  if (name.empty() || name.size() > kNameBytesMax ||
      absl::ascii_isdigit(static_cast<unsigned char>(name[0]))) {
    return false;
  }
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '$' || c == '.';
  });
}

}  // namespace

Deadline RequestDeadline(const ApiOptions& options) {
  return std::chrono::steady_clock::now() + std::chrono::milliseconds(options.timeout_ms);
}

absl::TimeZone RequestTimeZone(const HttpParams& params, const ApiOptions& options) {
  if (params.Has("tz")) {
    if (const auto zone = FindTimeZone(std::string(params.Get("tz")))) return *zone;
  }
  return FindTimeZone(options.time_zone).value_or(absl::UTCTimeZone());
}

absl::StatusOr<int64_t> RequestNow(const HttpParams& params, absl::TimeZone zone,
                                   const ApiOptions& options) {
  const int64_t now_sec = options.clock->NowSec();
  if (!params.Has("now")) return now_sec;
  const absl::StatusOr<int64_t> given = ParseTimeSpec(params.Get("now"), zone, now_sec);
  if (!given.ok()) return Annotate(given.status(), "parameter now");
  return *given;
}

absl::StatusOr<int64_t> IntegerParam(const HttpParams& params, absl::string_view name,
                                     int64_t fallback) {
  if (!params.Has(name)) return fallback;
  int64_t value;
  if (!absl::SimpleAtoi(params.Get(name), &value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "parameter ", name, " takes a whole number, not \"", params.Get(name).substr(0, 64), "\""));
  }
  return value;
}

HttpResponse JsonResponse(const HttpParams& params, std::string json) {
  if (!params.Has("jsonp")) return HttpResponse::Json(200, std::move(json));
  const absl::string_view callback = params.Get("jsonp");
  if (!IsCallbackName(callback)) {
    return HttpResponse::Text(
        400, "parameter jsonp takes a name made of letters, digits, '_', '$' and '.'\n");
  }
  HttpResponse response;
  response.content_type = "text/javascript; charset=utf-8";
  // The comment in front keeps the answer from being taken for anything but script.
  response.body = absl::StrCat("/**/", callback, "(", json, ")");
  return response;
}

HttpResponse UncachedJsonResponse(const HttpParams& params, std::string json) {
  HttpResponse response = JsonResponse(params, std::move(json));
  response.headers.emplace_back("Pragma", "no-cache");
  response.headers.emplace_back("Cache-Control", "no-cache");
  return response;
}

}  // namespace shoal
