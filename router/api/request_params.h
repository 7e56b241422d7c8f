// What several handlers read from their requests.
#pragma once

#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "router/api/api.h"

namespace shoal {

Deadline RequestDeadline(const ApiOptions& options);

// Parameter `tz`; the default zone when it is absent or names no zone, as in Graphite.
absl::TimeZone RequestTimeZone(const HttpParams& params, const ApiOptions& options);

// Parameter `now`, or the clock. InvalidArgument when it cannot be read.
absl::StatusOr<int64_t> RequestNow(const HttpParams& params, absl::TimeZone zone,
                                   const ApiOptions& options);

// A whole number; `fallback` when absent. InvalidArgument otherwise.
absl::StatusOr<int64_t> IntegerParam(const HttpParams& params, absl::string_view name,
                                     int64_t fallback);

// The JSON body as the answer, wrapped in a call when the request has `jsonp`. The name must be a
// plain JavaScript path: anything else is a 400.
HttpResponse JsonResponse(const HttpParams& params, std::string json);

// The same, never cached.
HttpResponse UncachedJsonResponse(const HttpParams& params, std::string json);

}  // namespace shoal
