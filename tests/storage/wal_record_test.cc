#include "storage/wal_record.h"

#include <cmath>
#include <limits>
#include <random>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

SchemaDefinition SomeSchema() {
  SchemaDefinition definition{3,
                              {{{10, 360}, {60, 10080}}, {AggregationMethod::kPercentile, 0.25}}};
  definition.schema.aggregation.percentile = 9990;
  definition.schema.aggregation.whisper = true;
  definition.schema.aggregation.also = {{AggregationMethod::kMax, 0},
                                        {AggregationMethod::kPercentile, 5000}};
  return definition;
}

WalBatch SomeBatch(int64_t span) {
  WalBatch batch;
  batch.series = {7, 0, 4'000'000'000};
  batch.timestamps_sec = {1'700'000'000, 1'700'000'000 + span, 1'700'000'000};
  batch.values = {1.5, -0.0, std::numeric_limits<double>::infinity()};
  return batch;
}

TEST(WalRecordTest, EveryKindComesBackAsItWas) {
  std::string bytes;
  WalRecord record;
  EncodeSchemaRecord(SomeSchema(), &bytes);
  ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok());
  EXPECT_EQ(record.kind, WalRecordKind::kSchema);
  EXPECT_EQ(record.schema, SomeSchema());

  const std::vector<SeriesDefinition> series = {{0, 0, "a"}, {70'000, 3, "servers.web01.cpu;dc=x"}};
  EncodeSeriesRecord(series, &bytes);
  ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok());
  EXPECT_EQ(record.series, series);

  EncodeDeleteRecord(123, &bytes);
  ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok());
  EXPECT_EQ(record.deleted, 123u);

  EncodeSchemaChangeRecord({70'000, 300}, &bytes);
  ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok());
  EXPECT_EQ(record.kind, WalRecordKind::kSchemaChange);
  EXPECT_EQ(record.change, (SchemaChange{70'000, 300}));

  EncodeCheckpointRecord({5, 99}, &bytes);
  ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok());
  EXPECT_EQ(record.checkpoint, (LogPosition{5, 99}));

  for (const int64_t span : {int64_t{0}, int64_t{10}, int64_t{65'535}, int64_t{65'536},
                             int64_t{1} << 32, int64_t{1} << 40}) {
    const WalBatch batch = SomeBatch(span);
    EncodeBatchRecord(batch, &bytes);
    ASSERT_TRUE(DecodeWalRecord(bytes, &record).ok()) << span;
    EXPECT_EQ(record.batch.series, batch.series);
    EXPECT_EQ(record.batch.timestamps_sec, batch.timestamps_sec);
    EXPECT_EQ(record.batch.values, batch.values);
    EXPECT_TRUE(std::signbit(record.batch.values[1]));
  }
}

TEST(WalRecordTest, TheBytesAreFrozen) {
  // The examples of docs/format/wal.md.
  std::string bytes;
  WalBatch batch;
  batch.series = {1, 2};
  batch.timestamps_sec = {1'700'000'000, 1'700'000'010};
  batch.values = {1, 2.5};
  EncodeBatchRecord(batch, &bytes);
  EXPECT_EQ(absl::BytesToHexString(bytes),
            "030200f1536500000000020100000002000000"
            "00000a00000000000000f03f0000000000000440");
  EncodeSchemaRecord({0, {{{10, 360}}, {AggregationMethod::kAverage, 0.5}}}, &bytes);
  EXPECT_EQ(absl::BytesToHexString(bytes),
            "010000010000000000000000e03f0000010a000000000000006801000000000000");
  EncodeSeriesRecord({{{5, 0, "a.b"}}}, &bytes);
  EXPECT_EQ(absl::BytesToHexString(bytes),
            "020105000361"
            "2e62");
}

TEST(WalRecordTest, TruncatedOrProlongedRecordsAreRefused) {
  std::vector<std::string> all(4);
  EncodeSchemaRecord(SomeSchema(), &all[0]);
  EncodeSeriesRecord({{{1, 0, "a.b"}, {2, 0, "c"}}}, &all[1]);
  EncodeBatchRecord(SomeBatch(100), &all[2]);
  EncodeCheckpointRecord({300, 70'000}, &all[3]);
  WalRecord record;
  for (const std::string& bytes : all) {
    for (size_t size = 0; size < bytes.size(); ++size) {
      EXPECT_TRUE(
          absl::IsDataLoss(DecodeWalRecord(absl::string_view(bytes).substr(0, size), &record)));
    }
    EXPECT_TRUE(absl::IsDataLoss(DecodeWalRecord(bytes + "x", &record)));
  }
}

TEST(WalRecordTest, RandomBytesNeverHarm) {
  std::mt19937_64 random(3);
  WalRecord record;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 64, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    if (!bytes.empty()) bytes[0] = static_cast<char>(random() % 7);
    DecodeWalRecord(bytes, &record).IgnoreError();
  }
}

TEST(WalRecordTest, SchemasThatNoReaderCouldUseAreRefused) {
  std::string bytes;
  WalRecord record;
  SchemaDefinition schema = SomeSchema();
  schema.schema.archives[1].step_sec = 65;  // not a multiple of 10
  EncodeSchemaRecord(schema, &bytes);
  EXPECT_FALSE(DecodeWalRecord(bytes, &record).ok());
  schema = SomeSchema();
  schema.schema.aggregation.x_files_factor = 2;
  EncodeSchemaRecord(schema, &bytes);
  EXPECT_FALSE(DecodeWalRecord(bytes, &record).ok());
}

}  // namespace
}  // namespace shoal
