// Compressed bodies: the bounds hold, and what is refused leaves nothing behind.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "router/ingest/http_body.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const absl::string_view body(reinterpret_cast<const char*>(data) + 1, size - 1);
  const shoal::BodyLimits limits = {
      .decoded_bytes_max = 1 << 16, .ratio_max = 20, .ratio_free_bytes = 256};
  std::string decoded;
  const shoal::BodyError error =
      shoal::DecodeBody(static_cast<shoal::BodyEncoding>(data[0] % 4), body, limits, &decoded);
  SHOAL_CHECK(decoded.size() <= limits.decoded_bytes_max);
  SHOAL_CHECK(decoded.size() <= 256 || decoded.size() <= body.size() * limits.ratio_max);
  SHOAL_CHECK(error == shoal::BodyError::kNone || decoded.empty());
  return 0;
}
