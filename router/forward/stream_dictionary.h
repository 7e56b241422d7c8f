// The names that one write stream has been told, by the numbers that stand for them on that stream.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "router/forward/name_book.h"

namespace shoal {

// Stream refs count from 0 without gaps, because the node keeps a vector by ref. Belongs to the one
// thread that sends.
class StreamDictionary {
 public:
  // Translates the refs of a batch into stream refs; names that the stream does not know yet are
  // added to defined_refs() and defined_names(), which hold for this batch only and are valid while
  // `book` lives.
  void Translate(const std::shared_ptr<const NameBook>& book, absl::Span<const uint32_t> refs);
  // The same for names in the open; `refs` index `names`.
  void Translate(absl::Span<const absl::string_view> names, absl::Span<const uint32_t> refs);

  const std::vector<uint32_t>& refs() const { return refs_; }
  const std::vector<uint32_t>& defined_refs() const { return defined_refs_; }
  const std::vector<absl::string_view>& defined_names() const { return defined_names_; }
  // Names defined on the stream so far.
  uint32_t size() const { return next_ref_; }

 private:
  struct Book {
    std::weak_ptr<const NameBook> book;
    std::vector<uint32_t> stream_refs;  // by the book's ref; kUndefined
  };
  static constexpr uint32_t kUndefined = UINT32_MAX;

  uint32_t next_ref_ = 0;
  absl::flat_hash_map<uint64_t, Book> books_;  // by book id
  absl::flat_hash_map<std::string, uint32_t> names_;
  std::vector<uint32_t> refs_;
  std::vector<uint32_t> defined_refs_;
  std::vector<absl::string_view> defined_names_;
  std::vector<uint32_t> ref_of_name_;  // scratch
};

}  // namespace shoal
