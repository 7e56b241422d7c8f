// The open chunk of an ingest loop: one open batch per node.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "router/forward/dispatcher.h"

namespace shoal {

// Belongs to one thread.
class ChunkBuilder {
 public:
  explicit ChunkBuilder(Dispatcher* dispatcher);

  // The point goes to the batches of its owners. All points of a chunk refer to one book.
  void Add(const std::shared_ptr<NameBook>& book, uint32_t ref, uint32_t timestamp_sec,
           double value) {
    if (book_ != book) book_ = book;
    for (const uint16_t node : partitions_.Owners(book->partition(ref))) {
      NodeBatch* batch = batches_[node].get();
      if (batch == nullptr) batch = OpenBatch(node);
      batch->refs.push_back(ref);
      batch->timestamps_sec.push_back(timestamp_sec);
      batch->values.push_back(value);
      batch->indexes.push_back(points_);
    }
    ++points_;
    name_bytes_ += book->raw(ref).size();
  }
  uint32_t points() const { return points_; }
  // Of the names of all points, one by one: bounds what the definitions of a batch can take on the
  // wire.
  size_t name_bytes() const { return name_bytes_; }
  const NameBook* book() const { return book_.get(); }

  // Sends the chunk, which must not be empty, and opens a new one.
  void Close(std::function<void(const ChunkResult&)> on_complete);

 private:
  NodeBatch* OpenBatch(uint16_t node);

  Dispatcher* const dispatcher_;
  const PartitionMap& partitions_;
  std::shared_ptr<NameBook> book_;                   // of the open chunk
  std::vector<std::shared_ptr<NodeBatch>> batches_;  // by node number
  std::vector<uint32_t> size_hints_;                 // of the last batches, to allocate once
  uint32_t points_ = 0;
  size_t name_bytes_ = 0;
};

}  // namespace shoal
