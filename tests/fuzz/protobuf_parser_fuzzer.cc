// Protobuf payloads: points that would pass as lines, or a refusal that gives none. libprotobuf is
// no oracle here: what it takes of malformed bytes differs between its versions.
#include <cmath>
#include <cstdint>

#include "base/check.h"
#include "router/ingest/protobuf_parser.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view bytes(reinterpret_cast<const char*>(data), size);
  const absl::string_view all = bytes;
  size_t calls = 0;
  const shoal::ProtobufError error = shoal::ParseProtobuf(
      bytes, 1'700'000'000, {}, {.points_max = 1000},
      [&](const shoal::ParsedLine& point) {
        ++calls;
        SHOAL_CHECK(point.timestamp_sec >= 1);
        SHOAL_CHECK(std::isfinite(point.value));
        SHOAL_CHECK(!point.name.empty() && point.name.data() >= all.data() &&
                    point.name.data() + point.name.size() <= all.data() + all.size());
      },
      [&](shoal::LineError bad, absl::string_view) {
        ++calls;
        SHOAL_CHECK(bad != shoal::LineError::kNone);
      });
  SHOAL_CHECK(error == shoal::ProtobufError::kNone || calls == 0);
  SHOAL_CHECK(calls <= 1000 + size);
  return 0;
}
