// Aggregator state with a checksum that is right: what is restored can be used and saved again, and
// what is refused leaves nothing behind.
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "router/rules/aggregator.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr int64_t kNow = 1'700'000'000;
  std::string bytes(reinterpret_cast<const char*>(data), size);
  shoal::AppendLE(&bytes, shoal::Hash64(bytes));
  shoal::Aggregator aggregator({.outputs_max = 1000, .bytes_max = 1 << 20});
  if (!aggregator.Restore(bytes, kNow).ok()) {
    SHOAL_CHECK(aggregator.outputs() == 0 && aggregator.bytes() == 0);
    return 0;
  }
  SHOAL_CHECK(aggregator.bytes() <= 1 << 20);
  shoal::Aggregator again({.outputs_max = 1000, .bytes_max = 2 << 20});
  SHOAL_CHECK(again.Restore(aggregator.Save(), kNow).ok());
  SHOAL_CHECK(again.Save() == aggregator.Save());
  const auto ignore = [](const shoal::Aggregator::Emitted&) {};
  aggregator.Flush(kNow, ignore);
  aggregator.Flush(int64_t{1} << 40, ignore);
  aggregator.Flush(int64_t{1} << 41, ignore);
  SHOAL_CHECK(aggregator.outputs() == 0 && aggregator.bytes() == 0);
  return 0;
}
