// Whether an address can be listened on, asked before anything is touched.
#pragma once

#include "absl/status/status.h"
#include "base/config.h"

namespace shoal {

enum class AddressKind { kTcp, kUdp };

// Binds the address for a moment. Unavailable: "listen 127.0.0.1:2003 (TCP): Address already in
// use". Port 0 is always free.
//
// The loops of ingest share their port by SO_REUSEPORT, which a second router of the same user
// would share as well without a word: this check does not.
absl::Status CheckAddressIsFree(const HostPort& address, AddressKind kind);

}  // namespace shoal
