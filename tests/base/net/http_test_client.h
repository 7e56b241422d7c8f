// A blocking HTTP client over a plain socket, for tests that need to see or send the bytes
// themselves.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

struct HttpAnswer {
  int status = 0;  // 0: the connection ended or stalled before a whole answer
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  std::string Header(absl::string_view lower_case_name) const;
};

// One connection. Not thread safe.
class HttpTestClient {
 public:
  // Connects to 127.0.0.1; reads give up after `timeout_ms`.
  explicit HttpTestClient(uint16_t port, int timeout_ms = 20'000);
  ~HttpTestClient();
  HttpTestClient(const HttpTestClient&) = delete;
  HttpTestClient& operator=(const HttpTestClient&) = delete;

  bool connected() const { return fd_ >= 0; }
  // False when the connection broke.
  bool Send(absl::string_view bytes);
  void ShutdownSend();
  // Closes so that the peer gets a reset.
  void Reset();
  // `head`: the answer to a HEAD request, which has no body.
  HttpAnswer Read(bool head = false);
  HttpAnswer Get(absl::string_view target, absl::string_view headers = "");
  HttpAnswer Post(absl::string_view target, absl::string_view type, absl::string_view body);
  // Whether the peer closed: no byte until its FIN or reset.
  bool ReadEnd();

 private:
  bool Fill();  // reads more into buffer_

  int fd_ = -1;
  std::string buffer_;
};

}  // namespace shoal
