#include "router/ingest/chunk_builder.h"

#include <utility>

namespace shoal {

ChunkBuilder::ChunkBuilder(Dispatcher* dispatcher)
    : dispatcher_(dispatcher),
      partitions_(dispatcher->partitions()),
      batches_(dispatcher->node_count()),
      size_hints_(dispatcher->node_count(), 64) {}

NodeBatch* ChunkBuilder::OpenBatch(uint16_t node) {
  auto batch = std::make_shared<NodeBatch>();
  batch->names = book_;
  const size_t room = size_hints_[node];
  batch->refs.reserve(room);
  batch->timestamps_sec.reserve(room);
  batch->values.reserve(room);
  batch->indexes.reserve(room);
  batches_[node] = std::move(batch);
  return batches_[node].get();
}

void ChunkBuilder::Close(std::function<void(const ChunkResult&)> on_complete) {
  std::vector<std::shared_ptr<NodeBatch>> batches(batches_.size());
  batches.swap(batches_);
  for (size_t node = 0; node < batches.size(); ++node) {
    if (batches[node] == nullptr) continue;
    // A little more, so that chunks of about the same size do not grow their columns.
    const size_t points = batches[node]->points();
    size_hints_[node] = static_cast<uint32_t>(points + points / 8 + 16);
  }
  const uint32_t points = points_;
  points_ = 0;
  name_bytes_ = 0;
  book_ = nullptr;
  dispatcher_->Submit(points, std::move(batches), std::move(on_complete));
}

}  // namespace shoal
