#include "router/ingest/ingest_server.h"

#include <algorithm>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "router/ingest/address_check.h"

namespace shoal {

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
  SHOAL_RETURN_IF_ERROR(CheckAddressIsFree(address, AddressKind::kTcp));
  SHOAL_RETURN_IF_ERROR(CheckAddressIsFree(address, AddressKind::kUdp));
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
