// Fixed-width and varint integers, little-endian: the byte order of every file and packed column of
// ours.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"

namespace shoal {

static_assert(std::endian::native == std::endian::little,
              "Shoal's formats are read and written in place");

template <typename T>
inline T LoadLE(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

template <typename T>
inline void StoreLE(void* to, T value) {
  std::memcpy(to, &value, sizeof(T));
}

template <typename T>
inline void AppendLE(std::string* to, T value) {
  to->append(reinterpret_cast<const char*>(&value), sizeof(T));
}

// LEB128, at most 10 bytes.
inline void AppendVarint(std::string* to, uint64_t value) {
  while (value >= 0x80) {
    to->push_back(static_cast<char>(value | 0x80));
    value >>= 7;
  }
  to->push_back(static_cast<char>(value));
}

inline void AppendLengthPrefixed(std::string* to, absl::string_view bytes) {
  AppendVarint(to, bytes.size());
  to->append(bytes.data(), bytes.size());
}

// Takes values off the front of a byte range that is not trusted: every Get checks what is left,
// and returns false (leaving the value untouched) when it does not fit.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  template <typename T>
  bool Get(T* value) {
    if (rest_.size() < sizeof(T)) return false;
    *value = LoadLE<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return true;
  }
  bool GetVarint(uint64_t* value) {
    uint64_t result = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      if (rest_.empty()) return false;
      const uint8_t byte = static_cast<uint8_t>(rest_.front());
      rest_.remove_prefix(1);
      result |= static_cast<uint64_t>(byte & 0x7f) << shift;
      if ((byte & 0x80) == 0) {
        *value = result;
        return true;
      }
    }
    return false;
  }
  bool GetBytes(size_t size, absl::string_view* bytes) {
    if (rest_.size() < size) return false;
    *bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return true;
  }
  bool GetLengthPrefixed(absl::string_view* bytes) {
    uint64_t size = 0;
    return GetVarint(&size) && size <= rest_.size() && GetBytes(static_cast<size_t>(size), bytes);
  }
  absl::string_view rest() const { return rest_; }
  bool empty() const { return rest_.empty(); }

 private:
  absl::string_view rest_;
};

}  // namespace shoal
