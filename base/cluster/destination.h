// Where a relay sends to: a carbon daemon's address with the instance name that rings may hash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace shoal {

struct Destination {
  std::string host;  // as written: rings hash the text, not the address. IPv6 without brackets
  uint16_t port = 0;
  std::optional<std::string> instance;
  friend bool operator==(const Destination&, const Destination&) = default;
};

// carbon's "HOST:PORT[:INSTANCE]", an IPv6 address as "[ADDRESS]:PORT[:INSTANCE]". Blanks around it
// are ignored. Host and instance take letters, digits and "-._+" (a host in brackets ':' and '%'
// too): nothing that Python would write differently inside quotes, where carbon_ch hashes them.
absl::StatusOr<Destination> ParseDestination(absl::string_view text);
// The text that ParseDestination takes.
std::string DestinationText(const Destination& destination);

}  // namespace shoal
