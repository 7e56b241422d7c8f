// Graphite's time texts: "-1d", "now", "noon yesterday", "20260131", "1700000000", "jan 5-2h".
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace shoal {

// The text's moment in seconds since the epoch, between 0 and the end of the year 9999 (what lies
// before the epoch becomes 0). Calendar dates and times of day are those of `zone`; "now" is
// `now_sec`. InvalidArgument says what is wrong.
absl::StatusOr<int64_t> ParseTimeSpec(absl::string_view text, absl::TimeZone zone, int64_t now_sec);

// A zone of the machine's database by its name ("Europe/Berlin", "UTC"); nullopt when there is
// none. Never reads a file outside the database and never waits, whatever the name.
std::optional<absl::TimeZone> FindTimeZone(const std::string& name);

}  // namespace shoal
