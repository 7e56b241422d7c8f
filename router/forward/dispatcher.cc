#include "router/forward/dispatcher.h"

#include <thread>
#include <utility>

#include "base/check.h"

namespace shoal {

Dispatcher::Dispatcher(const Topology& topology, int write_copies, MemoryBudget* budget,
                       std::vector<std::unique_ptr<NodeClient>> clients)
    : partitions_(topology),
      write_copies_(write_copies),
      budget_(budget),
      clients_(std::move(clients)) {
  SHOAL_CHECK(clients_.size() == topology.nodes.size());
  for (size_t i = 0; i < topology.nodes.size(); ++i) number_of_[topology.nodes[i].name] = i;
}

Dispatcher::~Dispatcher() { Stop(); }

void Dispatcher::Start() {
  for (const auto& client : clients_) client->Start();
}

void Dispatcher::Submit(uint32_t points, std::vector<std::shared_ptr<NodeBatch>> batches,
                        std::function<void(const ChunkResult&)> on_complete) {
  SHOAL_CHECK(points > 0 && batches.size() == clients_.size());
  int count = 0;
  for (const auto& batch : batches) count += batch != nullptr ? 1 : 0;
  // Charged once for the chunk, until its verdict, and once for every copy, until its node or its
  // spool has it: a chunk whose verdict is out may still wait in memory for a slow node, and one
  // without columns for its verdict.
  const auto chunk = std::make_shared<Chunk>(
      points, count, partitions_.replication(), write_copies_,
      MemoryCharge(budget_,
                   static_cast<int64_t>(NodeBatch::kFixedBytes + points * NodeBatch::kPointBytes)),
      std::move(on_complete));
  const auto now = std::chrono::steady_clock::now();
  for (size_t node = 0; node < batches.size(); ++node) {
    if (batches[node] == nullptr) continue;
    NodeBatch& batch = *batches[node];
    batch.chunk = chunk;
    batch.charge = MemoryCharge(budget_, static_cast<int64_t>(batch.bytes()));
    batch.created = now;
    clients_[node]->Enqueue(std::move(batches[node]));
  }
}

ReplicaState Dispatcher::StateOf(absl::string_view node) const {
  const auto it = number_of_.find(node);
  return it == number_of_.end() ? ReplicaState::kWhole : clients_[it->second]->State();
}

void Dispatcher::Drain(std::chrono::milliseconds patience) {
  for (const auto& client : clients_) client->Drain(patience);
}

void Dispatcher::Stop() {
  // Side by side: each may have a spool to write.
  std::vector<std::thread> stoppers;
  stoppers.reserve(clients_.size());
  for (const auto& client : clients_) stoppers.emplace_back([&client] { client->Stop(); });
  for (std::thread& stopper : stoppers) stopper.join();
}

}  // namespace shoal
