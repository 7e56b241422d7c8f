// Cuts a byte stream into lines, in place.
#pragma once

#include <cstddef>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Keeps at most `line_bytes_max` bytes between two reads: the line that the last read did not
// complete. Not thread safe.
class LineFramer {
 public:
  explicit LineFramer(size_t line_bytes_max) : line_bytes_max_(line_bytes_max) {}

  // Calls on_line(absl::string_view) for every line that `bytes` completes, without its newline;
  // the view is valid during the call only. A line longer than line_bytes_max, wherever it is cut
  // into reads, is given to on_too_long(its first bytes) once instead, and skipped to its newline.
  template <typename OnLine, typename OnTooLong>
  void Feed(absl::string_view bytes, const OnLine& on_line, const OnTooLong& on_too_long) {
    const char* at = bytes.data();
    const char* const end = at + bytes.size();
    if (skipping_ || !partial_.empty()) {
      const char* const newline = FindNewline(at, end);
      Continue(absl::string_view(at, static_cast<size_t>(newline - at)), on_too_long);
      if (newline == end) return;
      if (!skipping_) on_line(absl::string_view(partial_));
      skipping_ = false;
      partial_.clear();
      at = newline + 1;
    }
    while (at != end) {
      const char* const newline = FindNewline(at, end);
      const absl::string_view line(at, static_cast<size_t>(newline - at));
      if (newline == end) {
        Continue(line, on_too_long);
        return;
      }
      if (line.size() > line_bytes_max_) {
        on_too_long(line);
      } else {
        on_line(line);
      }
      at = newline + 1;
    }
  }

  // What came after the last newline; empty inside a line that is too long.
  absl::string_view partial() const { return partial_; }
  void Clear() {
    std::string().swap(partial_);
    skipping_ = false;
  }

 private:
  static const char* FindNewline(const char* at, const char* end) {
    if (at == end) return end;
    const void* found = std::memchr(at, '\n', static_cast<size_t>(end - at));
    return found == nullptr ? end : static_cast<const char*>(found);
  }

  template <typename OnTooLong>
  void Continue(absl::string_view more, const OnTooLong& on_too_long) {
    if (skipping_) return;
    if (partial_.size() + more.size() > line_bytes_max_) {
      partial_.append(more.data(), line_bytes_max_ - partial_.size());
      on_too_long(absl::string_view(partial_));
      std::string().swap(partial_);
      skipping_ = true;
      return;
    }
    partial_.append(more.data(), more.size());
  }

  const size_t line_bytes_max_;
  std::string partial_;
  bool skipping_ = false;  // inside a line that was given to on_too_long
};

}  // namespace shoal
