// Cuts a byte stream into frames of a 4-byte big-endian length and as many bytes: carbon's pickle
// and protobuf ports.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

// Keeps what has come of the unfinished frame, never more than frame_bytes_max and the length
// itself, whatever is declared. Not thread safe.
class LengthFramer {
 public:
  static constexpr size_t kLengthBytes = 4;

  explicit LengthFramer(size_t frame_bytes_max) : frame_bytes_max_(frame_bytes_max) {}

  // Calls on_frame(absl::string_view) for every frame that `bytes` completes; the view is valid
  // during the call only. on_frame returns whether to go on. False when it said no, or when a frame
  // declares more than frame_bytes_max (too_long() then): where the next frame begins is not known,
  // so that the connection has to end.
  template <typename OnFrame>
  [[nodiscard]] bool Feed(absl::string_view bytes, const OnFrame& on_frame) {
    while (!bytes.empty()) {
      if (partial_.empty()) {
        // Whole frames are given as they lie.
        if (bytes.size() >= kLengthBytes) {
          const size_t size = Length(bytes.data());
          if (size > frame_bytes_max_) return TooLong();
          if (bytes.size() - kLengthBytes >= size) {
            if (!on_frame(bytes.substr(kLengthBytes, size))) return false;
            bytes.remove_prefix(kLengthBytes + size);
            continue;
          }
        }
        partial_.assign(bytes.data(), bytes.size());
        return true;
      }
      if (partial_.size() < kLengthBytes) {
        Take(kLengthBytes, &bytes);
        if (partial_.size() < kLengthBytes) return true;
      }
      const size_t size = Length(partial_.data());
      if (size > frame_bytes_max_) return TooLong();
      Take(kLengthBytes + size, &bytes);
      if (partial_.size() < kLengthBytes + size) return true;
      const bool go_on = on_frame(absl::string_view(partial_).substr(kLengthBytes));
      // A large frame's memory is not kept for small ones.
      if (partial_.capacity() > kKeptBytes) std::string().swap(partial_);
      partial_.clear();
      if (!go_on) return false;
    }
    return true;
  }

  // Inside a frame.
  bool has_partial() const { return !partial_.empty(); }
  bool too_long() const { return too_long_; }

 private:
  static constexpr size_t kKeptBytes = 64 << 10;

  static uint32_t Length(const char* at) {
    uint32_t length = 0;
    for (size_t i = 0; i < kLengthBytes; ++i) length = length << 8 | static_cast<uint8_t>(at[i]);
    return length;
  }
  bool TooLong() {
    too_long_ = true;
    return false;
  }
  // Moves bytes to the partial frame until it has `size`.
  void Take(size_t size, absl::string_view* bytes) {
    const size_t taken = std::min(size - partial_.size(), bytes->size());
    partial_.append(bytes->data(), taken);
    bytes->remove_prefix(taken);
  }

  const size_t frame_bytes_max_;
  std::string partial_;  // with its length
  bool too_long_ = false;
};

}  // namespace shoal
