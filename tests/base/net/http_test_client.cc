#include "tests/base/net/http_test_client.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

namespace shoal {

std::string HttpAnswer::Header(absl::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return "";
}

HttpTestClient::HttpTestClient(uint16_t port, int timeout_ms) {
  fd_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  timeval timeout = {timeout_ms / 1000, (timeout_ms % 1000) * 1000};
  setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  const int on = 1;
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

HttpTestClient::~HttpTestClient() {
  if (fd_ >= 0) close(fd_);
}

bool HttpTestClient::Send(absl::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

void HttpTestClient::ShutdownSend() { shutdown(fd_, SHUT_WR); }

void HttpTestClient::Reset() {
  const linger reset = {1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
  close(fd_);
  fd_ = -1;
}

bool HttpTestClient::Fill() {
  char bytes[16384];
  const ssize_t received = recv(fd_, bytes, sizeof(bytes), 0);
  if (received <= 0) return false;
  buffer_.append(bytes, static_cast<size_t>(received));
  return true;
}

HttpAnswer HttpTestClient::Read(bool head) {
  size_t end = 0;
  while ((end = buffer_.find("\r\n\r\n")) == std::string::npos) {
    if (!Fill()) return {};
  }
  HttpAnswer answer;
  const std::vector<std::string> lines = absl::StrSplit(buffer_.substr(0, end), "\r\n");
  if (!absl::StartsWith(lines[0], "HTTP/1.") ||
      !absl::SimpleAtoi(lines[0].substr(9, 3), &answer.status)) {
    return {};
  }
  for (size_t i = 1; i < lines.size(); ++i) {
    const std::pair<std::string, std::string> field =
        absl::StrSplit(lines[i], absl::MaxSplits(": ", 1));
    answer.headers.emplace_back(absl::AsciiStrToLower(field.first), field.second);
  }
  buffer_.erase(0, end + 4);
  if (answer.status == 100) return Read(head);
  size_t length = 0;
  if (!head && !answer.Header("content-length").empty() &&
      !absl::SimpleAtoi(answer.Header("content-length"), &length)) {
    return {};
  }
  while (buffer_.size() < length) {
    if (!Fill()) return {};
  }
  answer.body = buffer_.substr(0, length);
  buffer_.erase(0, length);
  return answer;
}

HttpAnswer HttpTestClient::Get(absl::string_view target, absl::string_view headers) {
  if (!Send(absl::StrCat("GET ", target, " HTTP/1.1\r\nHost: test\r\n", headers, "\r\n")))
    return {};
  return Read();
}

HttpAnswer HttpTestClient::Post(absl::string_view target, absl::string_view type,
                                absl::string_view body) {
  if (!Send(absl::StrCat("POST ", target, " HTTP/1.1\r\nHost: test\r\nContent-Type: ", type,
                         "\r\nContent-Length: ", body.size(), "\r\n\r\n", body))) {
    return {};
  }
  return Read();
}

bool HttpTestClient::ReadEnd() {
  char byte;
  return buffer_.empty() && (recv(fd_, &byte, 1, 0) == 0 || errno == ECONNRESET);
}

}  // namespace shoal
