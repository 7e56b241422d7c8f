// Bodies of HTTP posts as they come: plain or compressed, decoded within bounds.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

enum class BodyEncoding : uint8_t {
  kIdentity,
  kGzip,    // one or more gzip members
  kZstd,    // one or more frames
  kSnappy,  // the block format, as Prometheus sends it
};
// Of a Content-Encoding header: "", "identity", "gzip", "x-gzip", "zstd" or "snappy". One coding
// only: what is compressed twice is made to be small.
std::optional<BodyEncoding> ParseBodyEncoding(absl::string_view content_encoding);

struct BodyLimits {
  size_t decoded_bytes_max = 16 << 20;
  // Decoded to encoded size; bodies that decode to no more than ratio_free_bytes may have any.
  size_t ratio_max = 100;
  size_t ratio_free_bytes = 64 << 10;
};

// Why a body was refused. The names (BodyErrorName) are label values: frozen.
enum class BodyError : uint8_t {
  kNone,
  kCorrupt,   // not of that encoding, a wrong checksum, or cut off
  kTooLarge,  // declares or decodes to more than decoded_bytes_max
  kRatio,     // declares or decodes to more than ratio_max times its size
};
inline constexpr size_t kBodyErrorCount = 4;
const char* BodyErrorName(BodyError error);  // "corrupt", ...

// Sets *decoded, which is empty after an error. Decoding stops at the bound; beside the result it
// takes at most half as much again, and 8 MiB for zstd's window.
BodyError DecodeBody(BodyEncoding encoding, absl::string_view body, const BodyLimits& limits,
                     std::string* decoded);

}  // namespace shoal
