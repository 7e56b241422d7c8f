#include "router/ingest/ingest_server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

// The loops share their port by SO_REUSEPORT, which another process of ours would share as well
// without a word: so the port is taken once without it first.
absl::Status CheckPortIsFree(const HostPort& address, int type, const char* protocol) {
  sockaddr_storage storage = {};
  socklen_t size = 0;
  const std::string host = address.host == "localhost" ? "127.0.0.1" : address.host;
  auto* v4 = reinterpret_cast<sockaddr_in*>(&storage);
  auto* v6 = reinterpret_cast<sockaddr_in6*>(&storage);
  if (::inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address.port);
    size = sizeof(*v4);
  } else if (::inet_pton(AF_INET6, host.c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address.port);
    size = sizeof(*v6);
  } else {
    return absl::OkStatus();  // the listener says what is wrong with it
  }
  const int fd = ::socket(storage.ss_family, type | SOCK_CLOEXEC, 0);
  if (fd < 0) return absl::OkStatus();
  if (type == SOCK_STREAM) {
    // Connections of an earlier life in TIME_WAIT do not matter.
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  const int error = ::bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0 ? 0 : errno;
  ::close(fd);
  if (error == 0) return absl::OkStatus();
  return absl::UnavailableError(absl::StrCat("listen ", address.host, ":", address.port, " (",
                                             protocol, "): ", ::strerror(error)));
}

}  // namespace

IngestServer::IngestServer(const IngestOptions& options, Dispatcher* dispatcher,
                           MemoryBudget* budget, MetricRegistry* metrics)
    : options_(options), dispatcher_(dispatcher), budget_(budget), stats_(metrics) {
  if (options_.loops <= 0) {
    options_.loops = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  }
}

IngestServer::~IngestServer() { Stop(); }

absl::Status IngestServer::Init() {
  HostPort address = options_.address;
  if (address.port != 0) {
    SHOAL_RETURN_IF_ERROR(CheckPortIsFree(address, SOCK_STREAM, "TCP"));
    SHOAL_RETURN_IF_ERROR(CheckPortIsFree(address, SOCK_DGRAM, "UDP"));
  }
  for (int i = 0; i < options_.loops; ++i) {
    auto listener = std::make_unique<Listener>(i, options_.listener, dispatcher_, budget_, &stats_);
    SHOAL_RETURN_IF_ERROR(listener->Bind(address));
    // Port 0 has become a real one.
    address.port = listener->port();
    listeners_.push_back(std::move(listener));
  }
  return absl::OkStatus();
}

uint16_t IngestServer::port() const { return listeners_.empty() ? 0 : listeners_[0]->port(); }

void IngestServer::Start() {
  for (const auto& listener : listeners_) listener->Start();
}

void IngestServer::StopReading() {
  for (const auto& listener : listeners_) listener->StopReading();
}

bool IngestServer::WaitSettled(std::chrono::milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  while (stats_.of(Transport::kTcp).points_in_flight->Value() +
             stats_.of(Transport::kUdp).points_in_flight->Value() !=
         0) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
  return true;
}

void IngestServer::Stop() {
  for (const auto& listener : listeners_) listener->Stop();
}

}  // namespace shoal
