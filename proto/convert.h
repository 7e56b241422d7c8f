// Between the wire and our own types: the one place where both are known.
//
// What comes from the wire is checked here; what passes is bounded and consistent.
#pragma once

#include <cstddef>
#include <cstdint>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "base/cluster/partition_bits.h"
#include "base/metric/series.h"

namespace grpc {
class Status;
}

namespace shoal::v1 {
class PartitionSet;
class PointBatch;
class SeriesColumn;
}  // namespace shoal::v1

namespace shoal {

// Every message of ours, both ways.
inline constexpr int kMessageBytesMax = 16 << 20;
inline constexpr uint32_t kWriteProtocolVersion = 1;
// Points of one PointBatch. A full batch takes 16 bytes a point, so that it fits into a message
// with its definitions.
inline constexpr size_t kBatchPointsMax = 512 << 10;
// Values of one SeriesColumn; a longer series crosses in several columns that adjoin.
inline constexpr size_t kColumnValuesMax = 1 << 20;

// The codes have the same numbers on both sides. Messages are cut at 4 KiB: they travel in a
// header.
grpc::Status ToGrpcStatus(const absl::Status& status);
absl::Status FromGrpcStatus(const grpc::Status& status);

// Whether the same request may well succeed later or at another replica. False for what the request
// itself is to blame for, or a limit that it ran into.
bool IsRetryable(const absl::Status& status);

// The values [first, first + count) of a series; the column's start moves along.
void ToColumn(const Series& series, size_t first, size_t count, v1::SeriesColumn* column);
// InvalidArgument for a column that cannot be a series of ours (name, step, times out of range).
absl::Status FromColumn(const v1::SeriesColumn& column, Series* series);

void ToPartitionSet(const PartitionBits& bits, v1::PartitionSet* set);
absl::StatusOr<PartitionBits> FromPartitionSet(const v1::PartitionSet& set);

// InvalidArgument when columns that must be of equal length are not, the batch has too many points,
// or a value is NaN (which stands for "absent" everywhere, so it cannot be written).
absl::Status ValidateBatch(const v1::PointBatch& batch);

}  // namespace shoal
