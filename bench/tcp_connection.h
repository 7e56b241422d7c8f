// A blocking TCP connection for load tools.
#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "base/config.h"

namespace shoal {

// Not thread safe; closes when destroyed.
class TcpConnection {
 public:
  static absl::StatusOr<TcpConnection> Connect(const HostPort& to);
  TcpConnection(TcpConnection&& other) noexcept;
  TcpConnection& operator=(TcpConnection&& other) noexcept;
  ~TcpConnection();

  absl::Status Send(absl::string_view bytes);
  // At most `size` bytes; empty at the end of the stream.
  absl::StatusOr<size_t> Receive(char* to, size_t size);
  // The clean-close acknowledgement of carbon's line protocol as Shoal means it: sends FIN and
  // waits for the other side's. Unavailable when the connection was reset instead.
  absl::Status FinishAcknowledged();

 private:
  explicit TcpConnection(int fd) : fd_(fd) {}
  int fd_ = -1;
};

}  // namespace shoal
