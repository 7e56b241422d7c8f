#include "proto/convert.h"

#include <grpcpp/support/status.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metric/metric_name.h"
#include "points.pb.h"

namespace shoal {
namespace {

constexpr size_t kStatusTextBytesMax = 4096;
// Far beyond any time that a 32-bit timestamp can name; keeps sums of times from overflowing.
constexpr int64_t kTimeSecMax = int64_t{1} << 40;

}  // namespace

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  return grpc::Status(static_cast<grpc::StatusCode>(status.raw_code()),
                      std::string(status.message().substr(0, kStatusTextBytesMax)));
}

absl::Status FromGrpcStatus(const grpc::Status& status) {
  if (status.ok()) return absl::OkStatus();
  const int code = static_cast<int>(status.error_code());
  const bool known = code > static_cast<int>(absl::StatusCode::kOk) &&
                     code <= static_cast<int>(absl::StatusCode::kUnauthenticated);
  return absl::Status(known ? static_cast<absl::StatusCode>(code) : absl::StatusCode::kUnknown,
                      absl::string_view(status.error_message()).substr(0, kStatusTextBytesMax));
}

bool IsRetryable(const absl::Status& status) {
  switch (status.code()) {
    case absl::StatusCode::kOk:
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kUnimplemented:
      return false;
    default:
      return true;
  }
}

void ToColumn(const Series& series, size_t first, size_t count, v1::SeriesColumn* column) {
  SHOAL_CHECK(first <= series.values.size() && count <= series.values.size() - first);
  SHOAL_CHECK(series.step_sec > 0 && series.step_sec <= std::numeric_limits<uint32_t>::max());
  column->set_name(series.name);
  column->set_start_sec(series.start_sec + series.step_sec * static_cast<int64_t>(first));
  column->set_step_sec(static_cast<uint32_t>(series.step_sec));
  column->mutable_values()->Add(series.values.begin() + static_cast<ptrdiff_t>(first),
                                series.values.begin() + static_cast<ptrdiff_t>(first + count));
}

absl::Status FromColumn(const v1::SeriesColumn& column, Series* series) {
  if (column.name().empty() || column.name().size() > kNameBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("a series with a name of ", column.name().size(), " bytes"));
  }
  if (column.step_sec() == 0) {
    return absl::InvalidArgumentError(absl::StrCat("series ", column.name(), " has step 0"));
  }
  const int64_t step_sec = column.step_sec();
  const int64_t start_sec = column.start_sec();
  const int64_t count = column.values_size();
  if (start_sec < -kTimeSecMax || start_sec > kTimeSecMax ||
      (count > 0 && count > kTimeSecMax / step_sec)) {
    return absl::InvalidArgumentError(absl::StrCat("series ", column.name(), " starts at ",
                                                   start_sec, " with ", count, " steps of ",
                                                   step_sec, " s"));
  }
  series->name = column.name();
  series->start_sec = start_sec;
  series->step_sec = step_sec;
  series->values.assign(column.values().begin(), column.values().end());
  return absl::OkStatus();
}

void ToPartitionSet(const PartitionBits& bits, v1::PartitionSet* set) {
  set->set_partition_count(bits.partition_count());
  set->set_bitmap(bits.bitmap());
}

absl::StatusOr<PartitionBits> FromPartitionSet(const v1::PartitionSet& set) {
  return PartitionBits::FromBitmap(set.partition_count(), set.bitmap());
}

absl::Status ValidateBatch(const v1::PointBatch& batch) {
  if (batch.defined_refs_size() != batch.defined_names_size()) {
    return absl::InvalidArgumentError(absl::StrCat("batch ", batch.sequence(), " defines ",
                                                   batch.defined_refs_size(), " refs with ",
                                                   batch.defined_names_size(), " names"));
  }
  if (batch.refs_size() != batch.timestamps_sec_size() ||
      batch.refs_size() != batch.values_size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch ", batch.sequence(), " has columns of ", batch.refs_size(), ", ",
                     batch.timestamps_sec_size(), " and ", batch.values_size(), " items"));
  }
  if (static_cast<size_t>(batch.refs_size()) > kBatchPointsMax) {
    return absl::InvalidArgumentError(absl::StrCat("batch ", batch.sequence(), " has ",
                                                   batch.refs_size(), " points; ", kBatchPointsMax,
                                                   " are allowed"));
  }
  if (std::any_of(batch.values().begin(), batch.values().end(),
                  [](double value) { return std::isnan(value); })) {
    return absl::InvalidArgumentError(absl::StrCat("batch ", batch.sequence(), " writes a NaN"));
  }
  return absl::OkStatus();
}

}  // namespace shoal
