// Raw metric names of one ingest loop -> refs: validation, canonical form, hashing and placement
// once per name, not per point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "base/metric/metric_name.h"
#include "router/forward/name_book.h"

namespace shoal {

// An open-addressing hash table over a NameBook. Bounded: when the book is full, a new one is begun
// and the table is empty again; batches that refer to the old book keep it alive. Belongs to one
// thread.
class NameTable {
 public:
  struct Options {
    uint32_t partition_count = 0;
    size_t names_max = 1 << 20;
    size_t bytes_max = 256 << 20;  // of the names
  };
  explicit NameTable(const Options& options);

  // The ref of `raw` in book(), which may be another book than before the call. kNone and *ref set,
  // or what is wrong with the name.
  NameError Find(absl::string_view raw, uint32_t* ref);

  const std::shared_ptr<NameBook>& book() const { return book_; }
  uint64_t generations() const { return generations_; }

 private:
  struct Slot {
    uint32_t tag = 0;           // high half of the hash
    uint32_t ref_plus_one = 0;  // 0: empty
  };
  NameError FindHashed(absl::string_view raw, uint32_t* ref);
  uint64_t HashOf(absl::string_view raw) const;
  NameError Insert(absl::string_view raw, uint64_t hash, uint32_t* ref);
  void Place(uint64_t hash, uint32_t ref);
  void Grow();
  void BeginGeneration();

  const Options options_;
  // Random per process: names that collide cannot be prepared.
  const uint64_t seed_;
  std::shared_ptr<NameBook> book_;
  std::vector<Slot> slots_;  // power of two, at most 3/4 full
  // By ref: the ref that was asked for after it the last time, at first the one made after it. A
  // guess, checked before it is believed.
  std::vector<uint32_t> successors_;
  uint32_t last_ref_ = 0;
  int confidence_ = 0;
  uint64_t generations_ = 0;
};

}  // namespace shoal
