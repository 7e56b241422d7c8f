// Names by number: what the points of an ingest loop refer to.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

// Append-only. One thread (its ingest loop) adds; any thread may read the entry of a ref that was
// handed to it through a lock after the Add: entries never move and never change, so readers need
// no lock of their own. The batches that carry refs keep the book alive.
class NameBook {
 public:
  // Room for `names_max` names; `bytes_max` bounds the bytes of the names together.
  NameBook(size_t names_max, size_t bytes_max);
  NameBook(const NameBook&) = delete;
  NameBook& operator=(const NameBook&) = delete;

  // Owner thread. HasRoom first.
  bool HasRoom(size_t raw_bytes, size_t canonical_bytes) const {
    return size_ < names_max_ && bytes_ + raw_bytes + canonical_bytes <= bytes_max_;
  }
  // `raw` is the name as senders write it, `canonical` the name that is stored. Refs count from 0.
  uint32_t Add(absl::string_view raw, absl::string_view canonical, uint32_t partition);
  absl::string_view raw(uint32_t ref) const {
    const Entry& entry = At(ref);
    return absl::string_view(entry.raw, entry.raw_bytes);
  }
  uint32_t partition(uint32_t ref) const { return At(ref).partition; }
  size_t size() const { return size_; }
  size_t bytes() const { return bytes_; }

  // Any thread, see above.
  absl::string_view name(uint32_t ref) const {
    const Entry& entry = At(ref);
    return absl::string_view(entry.name, entry.name_bytes);
  }
  // Unique in the process.
  uint64_t id() const { return id_; }

 private:
  struct Entry {
    const char* raw;
    const char* name;  // canonical; the same bytes as raw for nearly all names
    uint32_t raw_bytes;
    uint32_t name_bytes;
    uint32_t partition;
  };
  static constexpr size_t kBlockEntries = 4096;
  static constexpr size_t kArenaBlockBytes = 256 << 10;

  const Entry& At(uint32_t ref) const { return blocks_[ref / kBlockEntries][ref % kBlockEntries]; }
  const char* Keep(absl::string_view bytes);

  const uint64_t id_;
  const size_t names_max_;
  const size_t bytes_max_;
  // Invariant: blocks_ never grows after construction, so that readers can index it while the owner
  // adds a block.
  std::vector<std::unique_ptr<Entry[]>> blocks_;
  std::vector<std::unique_ptr<char[]>> arena_;
  char* arena_at_ = nullptr;
  size_t arena_left_ = 0;
  size_t size_ = 0;
  size_t bytes_ = 0;
};

}  // namespace shoal
