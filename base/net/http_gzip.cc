#include "base/net/http_gzip.h"

#include <zlib.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"

namespace shoal {
namespace {

// "gzip;q=0.5": the quality, 1 when none is given, 0 when it is not a number.
double Quality(absl::string_view coding) {
  for (absl::string_view part : absl::StrSplit(coding, ';')) {
    part = absl::StripAsciiWhitespace(part);
    if (!absl::StartsWithIgnoreCase(part, "q=")) continue;
    double quality = 0;
    return absl::SimpleAtod(part.substr(2), &quality) ? quality : 0;
  }
  return 1;
}

}  // namespace

bool AcceptsGzip(absl::string_view accept_encoding) {
  bool any = false;
  for (absl::string_view coding : absl::StrSplit(accept_encoding, ',')) {
    const absl::string_view name = absl::StripAsciiWhitespace(coding.substr(0, coding.find(';')));
    if (absl::EqualsIgnoreCase(name, "gzip")) return Quality(coding) > 0;
    if (name == "*") any = Quality(coding) > 0;
  }
  return any;
}

bool WorthGzip(absl::string_view content_type) {
  return !absl::StartsWithIgnoreCase(content_type, "image/") ||
         absl::StartsWithIgnoreCase(content_type, "image/svg");
}

std::string GzipCompress(absl::string_view text) {
  z_stream stream = {};
  // 15 bits of window, and 16 for a gzip header in place of zlib's.
  if (deflateInit2(&stream, 1, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return "";
  std::string packed(deflateBound(&stream, text.size()), '\0');
  // zlib counts in 32 bits; longer texts are fed in pieces.
  constexpr size_t kPieceBytes = 1 << 30;
  size_t done = 0;
  int result = Z_OK;
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  do {
    const size_t piece = text.size() - done < kPieceBytes ? text.size() - done : kPieceBytes;
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data() + done));
    stream.avail_in = static_cast<uInt>(piece);
    done += piece;
    const size_t room = packed.size() - stream.total_out;
    stream.avail_out = static_cast<uInt>(room < 0xffffffff ? room : 0xffffffff);
    result = deflate(&stream, done == text.size() ? Z_FINISH : Z_NO_FLUSH);
  } while (result == Z_OK && done < text.size());
  packed.resize(stream.total_out);
  deflateEnd(&stream);
  return result == Z_STREAM_END ? packed : "";
}

}  // namespace shoal
