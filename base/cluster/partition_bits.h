// A set of partitions: what a query asks one replica for.
#pragma once

#include <cstdint>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"

namespace shoal {

// One bit per partition. Not thread safe while it changes.
class PartitionBits {
 public:
  static constexpr uint32_t kPartitionsMax = 1 << 20;

  explicit PartitionBits(uint32_t partition_count)
      : count_(partition_count), bitmap_((size_t{partition_count} + 7) / 8, '\0') {}

  // From the wire's form, which is not trusted: InvalidArgument unless the sizes fit and no bit
  // past the last is set.
  static absl::StatusOr<PartitionBits> FromBitmap(uint32_t partition_count, std::string bitmap) {
    if (partition_count == 0 || partition_count > kPartitionsMax) {
      return absl::InvalidArgumentError(
          absl::StrCat("partition count ", partition_count, " is not within 1..", kPartitionsMax));
    }
    if (bitmap.size() != (size_t{partition_count} + 7) / 8) {
      return absl::InvalidArgumentError(absl::StrCat("a bitmap of ", bitmap.size(), " bytes for ",
                                                     partition_count, " partitions"));
    }
    const uint32_t used_bits = partition_count % 8;
    if (used_bits != 0 && (static_cast<uint8_t>(bitmap.back()) >> used_bits) != 0) {
      return absl::InvalidArgumentError("a partition past the last one is set");
    }
    PartitionBits bits(partition_count);
    bits.bitmap_ = std::move(bitmap);
    return bits;
  }

  // `partition` must be below partition_count().
  void Set(uint32_t partition) {
    char& byte = bitmap_[partition / 8];
    byte = static_cast<char>(static_cast<uint8_t>(byte) | (1u << (partition % 8)));
  }
  bool Test(uint32_t partition) const {
    return (static_cast<uint8_t>(bitmap_[partition / 8]) >> (partition % 8) & 1) != 0;
  }
  bool empty() const { return bitmap_.find_first_not_of('\0') == std::string::npos; }
  uint32_t partition_count() const { return count_; }
  // Bit p % 8 of byte p / 8: the wire's form.
  const std::string& bitmap() const { return bitmap_; }

 private:
  uint32_t count_;
  std::string bitmap_;
};

}  // namespace shoal
