#include "router/ingest/address_check.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>

#include "absl/strings/str_cat.h"

namespace shoal {

absl::Status CheckAddressIsFree(const HostPort& address, AddressKind kind) {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    size = sizeof(*v6);
  } else {
    return absl::OkStatus();  // a name: who listens says what is wrong with it
  }
  const bool tcp = kind == AddressKind::kTcp;
  const int fd = ::socket(storage.ss_family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::OkStatus();
  if (tcp) {
    // Connections of an earlier life in TIME_WAIT do not matter.
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  const int error = ::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0 ? 0 : errno;
  ::close(fd);
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("listen ", address.host, ":", address.port, " (",
                                             tcp ? "TCP" : "UDP", "): ", ::strerror(error)));
}

}  // namespace shoal
