// The labels of a name tree, each kept once: "cpu" or "user" occurs a million times in the names of
// a fleet. A label lives as long as somebody refers to it.
//
// Threads: none of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "base/checksum.h"
#include "storage/index/chunked_array.h"

namespace shoal {

class LabelPool {
 public:
  using Id = uint32_t;
  static constexpr Id kNone = 0xffffffff;
  static constexpr size_t kLabelBytesMax = 0xffff;

  LabelPool() : ids_(0, Hasher{this}, Equal{this}) {}
  LabelPool(const LabelPool&) = delete;
  LabelPool& operator=(const LabelPool&) = delete;

  // kNone: no such label.
  Id Find(absl::string_view text) const {
    const auto it = ids_.find(text);
    return it == ids_.end() ? kNone : *it;
  }
  // Adds a reference; makes the label when it is new.
  Id Acquire(absl::string_view text);
  void Release(Id id);
  absl::string_view Text(Id id) const {
    const Header* const header = HeaderOf(id);
    return {reinterpret_cast<const char*>(header + 1), header->size};
  }

  size_t size() const { return ids_.size(); }
  size_t bytes() const { return units_.bytes() + ids_.capacity() * (sizeof(Id) + 1); }
  // Whether there is no room for a label of any length.
  bool full() const { return units_.size() >= kUnitsMax; }

 private:
  // Labels lie in units of four bytes, so that 32 bits name 16 GiB of them.
  using Unit = uint32_t;
  static constexpr size_t kChunkUnits = 1 << 18;
  static constexpr size_t kUnitsMax = size_t{0xffffffff} - kChunkUnits;
  struct Header {
    uint32_t references = 0;
    uint32_t size = 0;
  };
  struct Hasher {
    using is_transparent = void;
    const LabelPool* pool;
    size_t operator()(absl::string_view text) const { return Hash64(text); }
    size_t operator()(Id id) const { return Hash64(pool->Text(id)); }
  };
  struct Equal {
    using is_transparent = void;
    const LabelPool* pool;
    bool operator()(Id a, Id b) const { return a == b; }
    bool operator()(Id a, absl::string_view b) const { return pool->Text(a) == b; }
    bool operator()(absl::string_view a, Id b) const { return pool->Text(b) == a; }
  };

  static size_t UnitsFor(size_t text_size) {
    return (sizeof(Header) + text_size + sizeof(Unit) - 1) / sizeof(Unit);
  }
  Header* HeaderOf(Id id) { return reinterpret_cast<Header*>(&units_[id]); }
  const Header* HeaderOf(Id id) const { return reinterpret_cast<const Header*>(&units_[id]); }

  ChunkedArray<Unit, kChunkUnits> units_;
  std::vector<std::vector<Id>> free_;  // by number of units
  absl::flat_hash_set<Id, Hasher, Equal> ids_;
};

}  // namespace shoal
