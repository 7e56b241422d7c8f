#include "bench/tcp_connection.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"

namespace shoal {

absl::StatusOr<TcpConnection> TcpConnection::Connect(const HostPort& to) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  if (const int error =
          getaddrinfo(to.host.c_str(), std::to_string(to.port).c_str(), &hints, &found);
      error != 0) {
    return absl::UnavailableError(absl::StrCat("look up ", to.host, ": ", gai_strerror(error)));
  }
  absl::Status status = absl::UnavailableError(absl::StrCat(to.host, " has no address"));
  for (const addrinfo* address = found; address != nullptr; address = address->ai_next) {
    const int fd =
        socket(address->ai_family, address->ai_socktype | SOCK_CLOEXEC, address->ai_protocol);
    if (fd < 0) continue;
    if (connect(fd, address->ai_addr, address->ai_addrlen) == 0) {
      const int on = 1;
      setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
      freeaddrinfo(found);
      return TcpConnection(fd);
    }
    status = absl::UnavailableError(
        absl::StrCat("connect ", to.host, ":", to.port, ": ", std::strerror(errno)));
    close(fd);
  }
  freeaddrinfo(found);
  return status;
}

TcpConnection::TcpConnection(TcpConnection&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}

TcpConnection& TcpConnection::operator=(TcpConnection&& other) noexcept {
  std::swap(fd_, other.fd_);
  return *this;
}

TcpConnection::~TcpConnection() {
  if (fd_ >= 0) close(fd_);
}

absl::Status TcpConnection::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0) {
      if (errno == EINTR) continue;
      return absl::UnavailableError(absl::StrCat("send: ", std::strerror(errno)));
    }
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return absl::OkStatus();
}

absl::StatusOr<size_t> TcpConnection::Receive(char* to, size_t size) {
  while (true) {
    const ssize_t got = recv(fd_, to, size, 0);
    if (got >= 0) return static_cast<size_t>(got);
    if (errno != EINTR)
      return absl::UnavailableError(absl::StrCat("receive: ", std::strerror(errno)));
  }
}

absl::Status TcpConnection::FinishAcknowledged() {
  if (shutdown(fd_, SHUT_WR) != 0) {
    return absl::UnavailableError(absl::StrCat("shutdown: ", std::strerror(errno)));
  }
  char byte = 0;
  absl::StatusOr<size_t> got = Receive(&byte, 1);
  if (!got.ok()) return got.status();
  if (*got != 0) return absl::InternalError("the server sent bytes on a line connection");
  return absl::OkStatus();
}

}  // namespace shoal
