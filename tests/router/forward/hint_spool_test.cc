#include "router/forward/hint_spool.h"

#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "gtest/gtest.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

class HintSpoolTest : public testing::Test {
 protected:
  HintSpoolTest() {
    options_.fs = &fs_;
    options_.dir = "/spool/node-1";
    options_.segment_bytes = 1024;
  }
  void Open() {
    spool_ = nullptr;
    auto spool = HintSpool::Open(options_);
    ASSERT_TRUE(spool.ok()) << spool.status();
    spool_ = *std::move(spool);
  }
  void Append(int first, int count) {
    for (int i = first; i < first + count; ++i) {
      ASSERT_TRUE(spool_->Append(absl::StrCat("record ", i)).ok());
    }
    ASSERT_TRUE(spool_->Sync().ok());
  }
  std::vector<std::string> ReadAll(LogPosition from, LogPosition* end = nullptr) {
    std::vector<std::string> records;
    HintSpool::Reader reader = spool_->NewReader(from);
    std::string record;
    while (reader.Next(&record).value_or(false)) records.push_back(record);
    if (end != nullptr) *end = reader.position();
    return records;
  }

  FaultFileSystem fs_;
  HintSpoolOptions options_;
  std::unique_ptr<HintSpool> spool_;
};

TEST_F(HintSpoolTest, ReadsOnlyWhatIsDurable) {
  Open();
  EXPECT_FALSE(spool_->had_records_at_open());
  Append(0, 3);
  ASSERT_TRUE(spool_->Append("not synced").ok());
  EXPECT_EQ(ReadAll(spool_->consumed_at_open()).size(), 3u);
  ASSERT_TRUE(spool_->Sync().ok());
  EXPECT_EQ(ReadAll(spool_->consumed_at_open()).size(), 4u);
}

TEST_F(HintSpoolTest, ResumesBehindWhatWasConsumed) {
  Open();
  Append(0, 5);
  LogPosition middle;
  ReadAll(spool_->consumed_at_open(), &middle);
  Append(5, 5);
  ASSERT_TRUE(spool_->SetConsumed(middle).ok());
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  Open();
  EXPECT_TRUE(spool_->had_records_at_open());
  const std::vector<std::string> left = ReadAll(spool_->consumed_at_open());
  ASSERT_EQ(left.size(), 5u);
  EXPECT_EQ(left[0], "record 5");
}

TEST_F(HintSpoolTest, WhatComesAfterEverythingWasConsumedIsNeverBehindTheCursor) {
  Open();
  for (int round = 0; round < 5; ++round) {
    Append(round * 200, 200);
    EXPECT_EQ(ReadAll(spool_->consumed_at_open()).size(), 200u) << round;
    ASSERT_TRUE(spool_->SetAllConsumed().ok());
    EXPECT_LT(spool_->bytes(), 100u);
    fs_.PowerLoss(
        round % 2 == 0 ? FaultFileSystem::Unsynced::kDrop : FaultFileSystem::Unsynced::kKeep,
        static_cast<uint64_t>(round));
    Open();
    EXPECT_FALSE(spool_->had_records_at_open());
  }
}

TEST_F(HintSpoolTest, EvenWhenEverySegmentWasTakenAway) {
  Open();
  Append(0, 500);
  ASSERT_TRUE(spool_->SetAllConsumed().ok());
  spool_ = nullptr;
  for (const std::string& path : fs_.Files()) {
    if (path.find("/log/") == std::string::npos) continue;
    ASSERT_TRUE(fs_.Remove(path).ok());
  }
  Open();
  Append(0, 3);
  Open();
  EXPECT_EQ(ReadAll(spool_->consumed_at_open()).size(), 3u);
}

TEST_F(HintSpoolTest, DamagedCursorMeansEverythingAgain) {
  Open();
  Append(0, 5);
  LogPosition end;
  ReadAll(spool_->consumed_at_open(), &end);
  Append(5, 5);
  ASSERT_TRUE(spool_->SetConsumed(end).ok());
  spool_ = nullptr;
  ASSERT_TRUE(fs_.FlipBits("/spool/node-1/cursor", 9, 1));
  Open();
  EXPECT_EQ(ReadAll(spool_->consumed_at_open()).size(), 10u);
}

TEST_F(HintSpoolTest, CursorIsAsDocumented) {
  Open();
  Append(0, 1);
  ASSERT_TRUE(spool_->SetConsumed({1, 0x20}).ok());
  auto bytes = ReadFile(&fs_, "/spool/node-1/cursor", 100);
  ASSERT_TRUE(bytes.ok());
  ASSERT_EQ(bytes->size(), 28u);
  EXPECT_EQ(bytes->substr(0, 24),
            std::string("SPCR\1\0\0\0\1\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", 24));
}

TEST_F(HintSpoolTest, CursorOfANewerVersionStopsTheStart) {
  std::string cursor("SPCR\2\0\0\0\1\0\0\0\0\0\0\0\x20\0\0\0\0\0\0\0", 24);
  AppendLE<uint32_t>(&cursor, Checksum32(cursor));
  ASSERT_TRUE(fs_.CreateDirs("/spool/node-1").ok());
  ASSERT_TRUE(WriteFileAtomically(&fs_, "/spool/node-1/cursor", cursor).ok());
  EXPECT_EQ(HintSpool::Open(options_).status().code(), absl::StatusCode::kFailedPrecondition);
}

TEST_F(HintSpoolTest, DropOldestGivesUpOneSegment) {
  Open();
  Append(0, 300);
  const uint64_t before = spool_->bytes();
  const LogPosition first = spool_->consumed_at_open();
  const auto dropped = spool_->DropOldest(first);
  ASSERT_TRUE(dropped.ok()) << dropped.status();
  EXPECT_LT(spool_->bytes(), before);
  EXPECT_GT(dropped->begin, first);
  const std::vector<std::string> left = ReadAll(dropped->begin);
  EXPECT_LT(left.size(), 300u);
  EXPECT_EQ(left.back(), "record 299");
}

}  // namespace
}  // namespace shoal
