#include "proto/convert.h"

#include <gmock/gmock.h>
#include <grpcpp/support/status.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <string>

#include "points.pb.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

TEST(StatusConversion, EveryCodeComesBackWithItsMessage) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "why");
    EXPECT_EQ(FromGrpcStatus(ToGrpcStatus(status)), status) << code;
  }
}

TEST(StatusConversion, AnUnknownCodeIsUnknownNotOk) {
  const int code = 20;  // a peer of a later version
  const grpc::Status status(static_cast<grpc::StatusCode>(code), "odd");
  EXPECT_EQ(FromGrpcStatus(status).code(), absl::StatusCode::kUnknown);
}

TEST(StatusConversion, LongMessagesAreCut) {
  const absl::Status status = absl::InternalError(std::string(1 << 20, 'x'));
  EXPECT_EQ(ToGrpcStatus(status).error_message().size(), 4096u);
}

TEST(StatusConversion, OnlyWhatMayChangeIsRetryable) {
  EXPECT_TRUE(IsRetryable(absl::UnavailableError("")));
  EXPECT_TRUE(IsRetryable(absl::DeadlineExceededError("")));
  EXPECT_TRUE(IsRetryable(absl::AbortedError("")));
  EXPECT_FALSE(IsRetryable(absl::OkStatus()));
  EXPECT_FALSE(IsRetryable(absl::InvalidArgumentError("")));
  EXPECT_FALSE(IsRetryable(absl::ResourceExhaustedError("")));
  EXPECT_FALSE(IsRetryable(absl::FailedPreconditionError("")));
}

Series Example() {
  Series series;
  series.name = "a.b";
  series.start_sec = 1'700'000'040;
  series.step_sec = 10;
  series.values = {1.5, kAbsent, -0.0, std::numeric_limits<double>::infinity(), 5e-324};
  return series;
}

TEST(SeriesConversion, RoundTripsEveryBit) {
  const Series series = Example();
  v1::SeriesColumn column;
  ToColumn(series, 0, series.values.size(), &column);
  v1::SeriesColumn parsed;
  ASSERT_TRUE(parsed.ParseFromString(column.SerializeAsString()));
  Series back;
  ASSERT_TRUE(FromColumn(parsed, &back).ok());
  EXPECT_EQ(back.name, series.name);
  EXPECT_EQ(back.start_sec, series.start_sec);
  EXPECT_EQ(back.step_sec, series.step_sec);
  ASSERT_EQ(back.values.size(), series.values.size());
  for (size_t i = 0; i < back.values.size(); ++i) {
    EXPECT_EQ(std::isnan(back.values[i]), std::isnan(series.values[i]));
    if (std::isnan(back.values[i])) continue;
    EXPECT_EQ(back.values[i], series.values[i]);
  }
  EXPECT_TRUE(std::signbit(back.values[2]));
}

TEST(SeriesConversion, APartOfASeriesStartsWhereItBelongs) {
  v1::SeriesColumn column;
  ToColumn(Example(), 3, 2, &column);
  EXPECT_EQ(column.start_sec(), 1'700'000'070);
  EXPECT_EQ(column.values_size(), 2);
}

TEST(SeriesConversion, WhatCannotBeASeriesIsRefused) {
  Series series;
  v1::SeriesColumn column;
  ToColumn(Example(), 0, 5, &column);
  column.set_step_sec(0);
  EXPECT_EQ(FromColumn(column, &series).code(), absl::StatusCode::kInvalidArgument);
  ToColumn(Example(), 0, 5, &column);
  column.set_start_sec(std::numeric_limits<int64_t>::max());
  EXPECT_EQ(FromColumn(column, &series).code(), absl::StatusCode::kInvalidArgument);
  column.set_start_sec(0);
  column.set_name("");
  EXPECT_EQ(FromColumn(column, &series).code(), absl::StatusCode::kInvalidArgument);
  column.set_name(std::string(5000, 'x'));
  EXPECT_EQ(FromColumn(column, &series).code(), absl::StatusCode::kInvalidArgument);
}

TEST(PartitionSetConversion, RoundTrips) {
  PartitionBits bits(13);
  bits.Set(0);
  bits.Set(7);
  bits.Set(8);
  bits.Set(12);
  v1::PartitionSet set;
  ToPartitionSet(bits, &set);
  EXPECT_EQ(set.bitmap(), std::string("\x81\x11", 2));
  const absl::StatusOr<PartitionBits> back = FromPartitionSet(set);
  ASSERT_TRUE(back.ok()) << back.status();
  for (uint32_t p = 0; p < 13; ++p) EXPECT_EQ(back->Test(p), bits.Test(p)) << p;
}

TEST(PartitionSetConversion, SizesThatDoNotFitAreRefused) {
  v1::PartitionSet set;
  EXPECT_EQ(FromPartitionSet(set).status().code(), absl::StatusCode::kInvalidArgument);
  set.set_partition_count(0xffffffff);
  EXPECT_EQ(FromPartitionSet(set).status().code(), absl::StatusCode::kInvalidArgument);
  set.set_partition_count(13);
  set.set_bitmap("x");
  EXPECT_EQ(FromPartitionSet(set).status().code(), absl::StatusCode::kInvalidArgument);
  set.set_bitmap(std::string("\x00\x20", 2));
  EXPECT_EQ(FromPartitionSet(set).status().code(), absl::StatusCode::kInvalidArgument);
  set.set_bitmap(std::string("\x00\x10", 2));
  EXPECT_TRUE(FromPartitionSet(set).ok());
}

v1::PointBatch GoodBatch() {
  v1::PointBatch batch;
  batch.set_sequence(7);
  batch.add_defined_refs(1);
  batch.add_defined_names("a.b");
  batch.add_refs(1);
  batch.add_timestamps_sec(1'700'000'000);
  batch.add_values(1.5);
  return batch;
}

TEST(ValidateBatch, TakesAGoodOneAndAnEmptyOne) {
  EXPECT_TRUE(ValidateBatch(GoodBatch()).ok());
  EXPECT_TRUE(ValidateBatch(v1::PointBatch()).ok());
}

TEST(ValidateBatch, UnequalColumnsAreRefusedByNumber) {
  v1::PointBatch batch = GoodBatch();
  batch.add_values(2);
  const absl::Status status = ValidateBatch(batch);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("batch 7"));
  batch = GoodBatch();
  batch.add_refs(1);
  EXPECT_FALSE(ValidateBatch(batch).ok());
  batch = GoodBatch();
  batch.add_timestamps_sec(1);
  EXPECT_FALSE(ValidateBatch(batch).ok());
  batch = GoodBatch();
  batch.add_defined_refs(2);
  EXPECT_FALSE(ValidateBatch(batch).ok());
}

TEST(ValidateBatch, NaNAndTooManyPointsAreRefused) {
  v1::PointBatch batch = GoodBatch();
  batch.set_values(0, kAbsent);
  EXPECT_FALSE(ValidateBatch(batch).ok());
  batch = GoodBatch();
  const int count = static_cast<int>(kBatchPointsMax) + 1;
  batch.mutable_refs()->Resize(count, 1);
  batch.mutable_timestamps_sec()->Resize(count, 1);
  batch.mutable_values()->Resize(count, 1);
  EXPECT_FALSE(ValidateBatch(batch).ok());
}

TEST(ValidateBatch, TheLargestBatchFitsIntoAMessage) {
  v1::PointBatch batch;
  const int count = static_cast<int>(kBatchPointsMax);
  batch.mutable_refs()->Resize(count, 0xffffffff);
  batch.mutable_timestamps_sec()->Resize(count, 0xffffffff);
  batch.mutable_values()->Resize(count, 1.1);
  EXPECT_TRUE(ValidateBatch(batch).ok());
  EXPECT_LT(batch.ByteSizeLong(), static_cast<size_t>(kMessageBytesMax));
}

}  // namespace
}  // namespace shoal
