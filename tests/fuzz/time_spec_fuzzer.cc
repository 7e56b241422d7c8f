// Time texts and names of zones: what parses lies within the calendar.
#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "router/api/time_spec.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  static const absl::TimeZone* const zone =
      new absl::TimeZone(*shoal::FindTimeZone("Europe/Berlin"));
  const auto time = shoal::ParseTimeSpec(text, *zone, 1700000000);
  if (time.ok() && (*time < 0 || *time > 253402300799)) std::abort();
  shoal::FindTimeZone(std::string(text));
  return 0;
}
