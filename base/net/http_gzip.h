// gzip for HTTP answers. All functions are pure.
#pragma once

#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Whether an Accept-Encoding header value takes gzip: named (or "*") with a quality that is not
// zero.
bool AcceptsGzip(absl::string_view accept_encoding);
// Whether a body of this type shrinks: everything but pictures that are compressed already.
bool WorthGzip(absl::string_view content_type);
// The gzip form of `text`, fastest level: an answer is compressed once and read once. Empty when
// zlib has no memory.
std::string GzipCompress(absl::string_view text);

}  // namespace shoal
