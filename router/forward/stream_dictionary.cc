#include "router/forward/stream_dictionary.h"

#include <algorithm>

namespace shoal {

void StreamDictionary::Translate(const std::shared_ptr<const NameBook>& book,
                                 absl::Span<const uint32_t> refs) {
  defined_refs_.clear();
  defined_names_.clear();
  refs_.resize(refs.size());
  auto it = books_.find(book->id());
  if (it == books_.end()) {
    // Books come seldom, and this is when old ones have gone.
    for (auto old = books_.begin(); old != books_.end();) {
      const auto at = old++;
      if (at->second.book.expired()) books_.erase(at);
    }
    it = books_.emplace(book->id(), Book{book, {}}).first;
  }
  std::vector<uint32_t>& stream_refs = it->second.stream_refs;
  for (size_t i = 0; i < refs.size(); ++i) {
    const uint32_t ref = refs[i];
    if (ref >= stream_refs.size()) {
      stream_refs.resize(std::max<size_t>(ref + 1, stream_refs.size() * 2), kUndefined);
    }
    uint32_t& stream_ref = stream_refs[ref];
    if (stream_ref == kUndefined) {
      stream_ref = next_ref_++;
      defined_refs_.push_back(stream_ref);
      defined_names_.push_back(book->name(ref));
    }
    refs_[i] = stream_ref;
  }
}

void StreamDictionary::Translate(absl::Span<const absl::string_view> names,
                                 absl::Span<const uint32_t> refs) {
  defined_refs_.clear();
  defined_names_.clear();
  refs_.resize(refs.size());
  ref_of_name_.resize(names.size());
  for (size_t i = 0; i < names.size(); ++i) {
    const auto [it, added] = names_.try_emplace(names[i], next_ref_);
    if (added) {
      defined_refs_.push_back(next_ref_++);
      defined_names_.push_back(names[i]);
    }
    ref_of_name_[i] = it->second;
  }
  for (size_t i = 0; i < refs.size(); ++i) refs_[i] = ref_of_name_[refs[i]];
}

}  // namespace shoal
