#include "router/ingest/http_body.h"

#include <snappy.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <array>
#include <limits>
#include <memory>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"

namespace shoal {
namespace {

constexpr size_t kFirstBytes = 64 << 10;
constexpr int kZstdWindowLogMax = 23;
// zlib counts in 32 bits.
constexpr size_t kGzipBodyMax = std::numeric_limits<uInt>::max();

// Where decoded bytes go: a string that grows up to a bound.
class Output {
 public:
  Output(const BodyLimits& limits, size_t encoded_bytes, std::string* to) : to_(*to) {
    const size_t by_ratio =
        encoded_bytes > limits.decoded_bytes_max / std::max<size_t>(limits.ratio_max, 1)
            ? limits.decoded_bytes_max
            : encoded_bytes * limits.ratio_max;
    bytes_max_ = std::min(limits.decoded_bytes_max, std::max(by_ratio, limits.ratio_free_bytes));
    past_max_ = bytes_max_ < limits.decoded_bytes_max ? BodyError::kRatio : BodyError::kTooLarge;
    to_.clear();
  }

  // What a declared size of `bytes` is to be answered with.
  BodyError Check(uint64_t bytes) const {
    return bytes <= bytes_max_ ? BodyError::kNone : past_max_;
  }
  BodyError past_max() const { return past_max_; }
  // For a declared size that passed Check.
  void Expect(uint64_t bytes) { to_.resize(static_cast<size_t>(bytes) + 1); }

  // Room for at least one byte past what is used, so that a decoder that has more to give is seen;
  // Used says how much of it was taken. False when the bound is passed.
  bool Grow(char** at, size_t* room) {
    if (used_ > bytes_max_) return false;
    if (used_ == to_.size()) {
      // Exactly this much, where resize alone might take twice as much.
      const size_t size = std::min(std::max(kFirstBytes, 2 * to_.size()), bytes_max_ + 1);
      to_.reserve(size);
      to_.resize(size);
    }
    *at = to_.data() + used_;
    *room = to_.size() - used_;
    return true;
  }
  void Used(size_t bytes) { used_ += bytes; }
  BodyError Finish() {
    if (used_ > bytes_max_) return past_max_;
    to_.resize(used_);
    return BodyError::kNone;
  }

 private:
  std::string& to_;
  size_t used_ = 0;
  size_t bytes_max_;
  BodyError past_max_;
};

BodyError Gunzip(absl::string_view body, Output* output) {
  if (body.size() > kGzipBodyMax) return BodyError::kTooLarge;
  z_stream stream = {};
  // 15 bits of window, and 16 for a gzip header.
  if (inflateInit2(&stream, 15 + 16) != Z_OK) return BodyError::kCorrupt;
  const std::unique_ptr<z_stream, int (*)(z_stream*)> end(&stream, &inflateEnd);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(body.data()));
  stream.avail_in = static_cast<uInt>(body.size());
  for (;;) {
    char* at;
    size_t room;
    if (!output->Grow(&at, &room)) return output->past_max();
    stream.next_out = reinterpret_cast<Bytef*>(at);
    stream.avail_out = static_cast<uInt>(std::min<size_t>(room, std::numeric_limits<uInt>::max()));
    const uInt given = stream.avail_out;
    const int result = inflate(&stream, Z_NO_FLUSH);
    output->Used(given - stream.avail_out);
    if (result == Z_STREAM_END) {
      if (stream.avail_in == 0) return output->Finish();
      if (inflateReset(&stream) != Z_OK) return BodyError::kCorrupt;  // another member
    } else if (result != Z_OK) {
      return BodyError::kCorrupt;  // Z_BUF_ERROR too: all is read, and it has no end
    }
  }
}

BodyError Unzstd(absl::string_view body, Output* output) {
  const std::unique_ptr<ZSTD_DCtx, size_t (*)(ZSTD_DCtx*)> context(ZSTD_createDCtx(),
                                                                   &ZSTD_freeDCtx);
  if (context == nullptr ||
      ZSTD_isError(ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kZstdWindowLogMax))) {
    return BodyError::kCorrupt;
  }
  if (body.empty()) return BodyError::kCorrupt;
  const uint64_t declared = ZSTD_getFrameContentSize(body.data(), body.size());
  if (declared == ZSTD_CONTENTSIZE_ERROR) return BodyError::kCorrupt;
  if (declared != ZSTD_CONTENTSIZE_UNKNOWN) {
    if (const BodyError error = output->Check(declared); error != BodyError::kNone) return error;
    // With room for the whole frame zstd needs no window of its own, whatever the frame says.
    output->Expect(declared);
  }
  ZSTD_inBuffer in = {body.data(), body.size(), 0};
  for (;;) {
    char* at;
    size_t room;
    if (!output->Grow(&at, &room)) return output->past_max();
    ZSTD_outBuffer out = {at, room, 0};
    const size_t before = in.pos;
    const size_t result = ZSTD_decompressStream(context.get(), &out, &in);
    if (ZSTD_isError(result)) return BodyError::kCorrupt;
    output->Used(out.pos);
    // 0: a frame has ended, and everything of it is out.
    if (result == 0 && in.pos == in.size) return output->Finish();
    if (in.pos == before && out.pos == 0) return BodyError::kCorrupt;  // all is read, and no end
  }
}

BodyError Unsnappy(absl::string_view body, const Output& output, std::string* decoded) {
  size_t declared = 0;
  if (!snappy::GetUncompressedLength(body.data(), body.size(), &declared)) {
    return BodyError::kCorrupt;
  }
  if (const BodyError error = output.Check(declared); error != BodyError::kNone) return error;
  // The length is believed only as far as memory goes: a wrong one is found without touching it.
  if (!snappy::IsValidCompressedBuffer(body.data(), body.size())) return BodyError::kCorrupt;
  decoded->resize(declared);
  return snappy::RawUncompress(body.data(), body.size(), decoded->data()) ? BodyError::kNone
                                                                          : BodyError::kCorrupt;
}

BodyError Decode(BodyEncoding encoding, absl::string_view body, const BodyLimits& limits,
                 std::string* decoded) {
  Output output(limits, body.size(), decoded);
  switch (encoding) {
    case BodyEncoding::kIdentity:
      if (body.size() > limits.decoded_bytes_max) return BodyError::kTooLarge;
      decoded->assign(body.data(), body.size());
      return BodyError::kNone;
    case BodyEncoding::kGzip:
      return Gunzip(body, &output);
    case BodyEncoding::kZstd:
      return Unzstd(body, &output);
    case BodyEncoding::kSnappy:
      return Unsnappy(body, output, decoded);
  }
  return BodyError::kCorrupt;
}

}  // namespace

std::optional<BodyEncoding> ParseBodyEncoding(absl::string_view content_encoding) {
  const std::string name = absl::AsciiStrToLower(absl::StripAsciiWhitespace(content_encoding));
  if (name.empty() || name == "identity") return BodyEncoding::kIdentity;
  if (name == "gzip" || name == "x-gzip") return BodyEncoding::kGzip;
  if (name == "zstd") return BodyEncoding::kZstd;
  if (name == "snappy") return BodyEncoding::kSnappy;
  return std::nullopt;
}

const char* BodyErrorName(BodyError error) {
  constexpr std::array<const char*, kBodyErrorCount> kNames = {"none", "corrupt", "too_large",
                                                               "ratio"};
  return kNames[static_cast<size_t>(error)];
}

BodyError DecodeBody(BodyEncoding encoding, absl::string_view body, const BodyLimits& limits,
                     std::string* decoded) {
  const BodyError error = Decode(encoding, body, limits, decoded);
  if (error != BodyError::kNone) std::string().swap(*decoded);
  return error;
}

}  // namespace shoal
