// Pickles: whatever comes, a parser gives points that would pass as lines, or refuses; its buffers
// do not remember the message before; frames are the same in any division into reads.
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "router/ingest/length_framer.h"
#include "router/ingest/pickle_parser.h"

namespace {

constexpr uint32_t kNow = 1'700'000'000;
constexpr size_t kFrameMax = 1 << 16;

std::string Outcome(shoal::PickleParser* parser, absl::string_view pickle) {
  std::string outcome;
  const shoal::PickleError error = parser->Parse(
      pickle, kNow, {},
      [&](const shoal::ParsedLine& point) {
        SHOAL_CHECK(point.timestamp_sec >= 1);
        SHOAL_CHECK(std::isfinite(point.value));
        absl::StrAppend(&outcome, point.name, "|", point.value, "|", point.timestamp_sec, "\n");
      },
      [&](shoal::LineError bad, absl::string_view name) {
        SHOAL_CHECK(bad != shoal::LineError::kNone);
        absl::StrAppend(&outcome, shoal::LineErrorName(bad), " ", name, "\n");
      });
  SHOAL_CHECK(error == shoal::PickleError::kNone || outcome.empty());
  absl::StrAppend(&outcome, shoal::PickleErrorName(error));
  return outcome;
}

std::vector<std::string> Frames(absl::string_view bytes, size_t read_size) {
  std::vector<std::string> frames;
  shoal::LengthFramer framer(kFrameMax);
  bool going = true;
  for (size_t at = 0; going && at < bytes.size(); at += read_size) {
    going = framer.Feed(bytes.substr(at, read_size), [&](absl::string_view frame) {
      SHOAL_CHECK(frame.size() <= kFrameMax);
      frames.emplace_back(frame);
      return true;
    });
  }
  frames.push_back(going ? "open" : "ended");
  return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // Small limits, so that they are met.
  static shoal::PickleParser* const used =
      new shoal::PickleParser({.items_max = 4096, .unescaped_bytes_max = 1024});
  if (size == 0) return 0;
  const absl::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  shoal::PickleParser fresh({.items_max = 4096, .unescaped_bytes_max = 1024});
  SHOAL_CHECK(Outcome(used, bytes) == Outcome(&fresh, bytes));
  SHOAL_CHECK(Frames(bytes, bytes.size() + 1) == Frames(bytes, 1 + data[0] % 16));
  return 0;
}
