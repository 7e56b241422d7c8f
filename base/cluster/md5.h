// MD5 (RFC 1321), for the hash rings that Graphite's relays place names with. Not for security.
//
// Our own: a lookup must not allocate, as OpenSSL's digest contexts do, and a FIPS build of OpenSSL
// refuses MD5 altogether.
#pragma once

#include <array>
#include <cstdint>

#include "absl/strings/string_view.h"

namespace shoal {

std::array<uint8_t, 16> Md5(absl::string_view bytes);

}  // namespace shoal
