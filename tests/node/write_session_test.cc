#include "node/write_session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "points.pb.h"
#include "tests/node/manual_engine.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::PointBatch Batch(uint64_t sequence, const std::vector<uint32_t>& refs) {
  v1::PointBatch batch;
  batch.set_sequence(sequence);
  for (const uint32_t ref : refs) {
    batch.add_refs(ref);
    batch.add_timestamps_sec(1'700'000'000 + ref);
    batch.add_values(ref + 0.5);
  }
  return batch;
}

void Define(uint32_t ref, const std::string& name, v1::PointBatch* batch) {
  batch->add_defined_refs(ref);
  batch->add_defined_names(name);
}

class WriteSessionTest : public ::testing::Test {
 protected:
  WriteSession& session() {
    if (session_ == nullptr)
      session_ = std::make_unique<WriteSession>(&engine_, limits_, &metrics_);
    return *session_;
  }
  // The next acknowledgement, which must come.
  BatchAck Ack() {
    BatchAck ack;
    bool more = false;
    EXPECT_TRUE(session().NextAck(&ack, &more));
    return ack;
  }
  bool NoMoreAcks() {
    BatchAck ack;
    bool more = false;
    return !session().NextAck(&ack, &more);
  }

  MetricRegistry registry_;
  WriteMetrics metrics_{&registry_};
  NodeLimits limits_;
  ManualEngine engine_;
  std::unique_ptr<WriteSession> session_;
};

TEST_F(WriteSessionTest, TranslatesRefsAndPassesColumnsOn) {
  v1::PointBatch batch = Batch(1, {70'000, 3, 70'000});
  Define(3, "a", &batch);
  Define(70'000, "b", &batch);
  ASSERT_TRUE(session().Accept(batch).ok());
  const WriteBatch written = engine_.batch(0);
  EXPECT_THAT(written.series, ElementsAre(1, 0, 1));
  EXPECT_THAT(written.timestamps_sec, ElementsAre(1'700'070'000, 1'700'000'003, 1'700'070'000));
  EXPECT_THAT(written.values, ElementsAre(70'000.5, 3.5, 70'000.5));
  engine_.Complete(0);
  EXPECT_EQ(Ack().sequence, 1u);
}

TEST_F(WriteSessionTest, ADefinitionHoldsForLaterBatches) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  ASSERT_TRUE(session().Accept(Batch(2, {1, 1})).ok());
  engine_.Complete(0);
  engine_.Complete(1);
}

TEST_F(WriteSessionTest, AcknowledgesInTheOrderOfBatchesWhateverTheOrderOfCommits) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  ASSERT_TRUE(session().Accept(Batch(2, {1})).ok());
  ASSERT_TRUE(session().Accept(Batch(3, {1})).ok());
  engine_.Complete(2);
  engine_.Complete(1);
  engine_.Complete(0);
  EXPECT_EQ(Ack().sequence, 1u);
  EXPECT_EQ(Ack().sequence, 2u);
  EXPECT_EQ(Ack().sequence, 3u);
}

TEST_F(WriteSessionTest, NothingIsAcknowledgedBeforeTheEngineHasIt) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  std::atomic<bool> acknowledged{false};
  std::atomic<bool> committed{false};
  std::thread writer([&] {
    BatchAck ack;
    bool more = false;
    EXPECT_TRUE(session_->NextAck(&ack, &more));
    acknowledged = true;
    EXPECT_TRUE(committed.load());
  });
  EXPECT_FALSE(acknowledged.load());
  committed = true;
  engine_.Complete(0);
  writer.join();
}

TEST_F(WriteSessionTest, AFailedBatchEndsAcknowledgementsAlsoOfLaterOnes) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  ASSERT_TRUE(session().Accept(Batch(2, {1})).ok());
  ASSERT_TRUE(session().Accept(Batch(3, {1})).ok());
  engine_.Complete(0);
  engine_.Complete(1, {.status = absl::UnavailableError("disk full"), .refused = {}});
  engine_.Complete(2);
  EXPECT_EQ(Ack().sequence, 1u);
  EXPECT_TRUE(NoMoreAcks());
  EXPECT_EQ(session().failure().code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(session().Accept(Batch(4, {1})).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(engine_.batch_count(), 3u);
}

TEST_F(WriteSessionTest, RefusalsOfNamesAndOfTheEngineAreReportedAtTheirPlaceInTheBatch) {
  engine_.FailResolve("bad", absl::InvalidArgumentError("bad name"));
  engine_.FailResolve("new", absl::ResourceExhaustedError("limit"));
  v1::PointBatch batch = Batch(1, {1, 2, 3, 4, 1});
  Define(1, "a", &batch);
  Define(2, "bad", &batch);
  Define(3, "new", &batch);
  Define(4, "b", &batch);
  ASSERT_TRUE(session().Accept(batch).ok());
  EXPECT_THAT(engine_.batch(0).series, ElementsAre(0, 1, 0));
  engine_.Complete(0, {.status = absl::OkStatus(), .refused = {{2, RefusalReason::kTooOld}}});
  const BatchAck ack = Ack();
  ASSERT_EQ(ack.refused.size(), 3u);
  EXPECT_EQ(ack.refused[0].index, 1u);
  EXPECT_EQ(ack.refused[0].reason, RefusalReason::kBadName);
  EXPECT_EQ(ack.refused[1].index, 2u);
  EXPECT_EQ(ack.refused[1].reason, RefusalReason::kSeriesLimit);
  EXPECT_EQ(ack.refused[2].index, 4u);
  EXPECT_EQ(ack.refused[2].reason, RefusalReason::kTooOld);
  EXPECT_EQ(metrics_.refused_bad_name->Value(), 1u);
  EXPECT_EQ(metrics_.refused_series_limit->Value(), 1u);
}

TEST_F(WriteSessionTest, ABatchOfWhichNothingIsLeftIsAcknowledgedInItsTurn) {
  engine_.FailResolve("bad", absl::InvalidArgumentError("bad name"));
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  v1::PointBatch second = Batch(2, {2});
  Define(2, "bad", &second);
  ASSERT_TRUE(session().Accept(first).ok());
  ASSERT_TRUE(session().Accept(second).ok());
  ASSERT_TRUE(session().Accept(Batch(3, {})).ok());
  EXPECT_EQ(engine_.batch_count(), 1u);
  engine_.Complete(0);
  EXPECT_EQ(Ack().sequence, 1u);
  EXPECT_EQ(Ack().refused.size(), 1u);
  EXPECT_EQ(Ack().sequence, 3u);
}

TEST_F(WriteSessionTest, AnUndefinedRefIsTheRoutersFault) {
  const absl::Status status = session().Accept(Batch(1, {9}));
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("ref 9"));
  EXPECT_EQ(metrics_.bad_batches->Value(), 1u);
  EXPECT_EQ(engine_.batch_count(), 0u);
}

TEST_F(WriteSessionTest, ARefThatChangesItsMeaningIsTheRoutersFault) {
  v1::PointBatch first = Batch(1, {});
  Define(1, "a", &first);
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  v1::PointBatch second = Batch(2, {});
  Define(1, "b", &second);
  EXPECT_EQ(session().Accept(second).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(WriteSessionTest, ASequenceThatSkipsOrRepeatsIsTheRoutersFault) {
  ASSERT_TRUE(session().Accept(Batch(1, {})).ok());
  EXPECT_EQ(session().Accept(Batch(3, {})).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(session().Accept(Batch(1, {})).code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(WriteSessionTest, AnEngineThatTakesNoNewSeriesEndsTheStreamWithoutBlamingTheRouter) {
  engine_.FailResolve("a", absl::UnavailableError("disk full"));
  v1::PointBatch batch = Batch(1, {1});
  Define(1, "a", &batch);
  EXPECT_EQ(session().Accept(batch).code(), absl::StatusCode::kUnavailable);
}

TEST_F(WriteSessionTest, TheReaderIsHeldWhileTooMuchIsInFlight) {
  limits_.write_inflight_bytes_max = 1000;  // one batch of 20 points is 656 bytes
  v1::PointBatch first = Batch(1, std::vector<uint32_t>(20, 1));
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  std::thread reader(
      [&] { EXPECT_TRUE(session_->Accept(Batch(2, std::vector<uint32_t>(20, 1))).ok()); });
  engine_.AwaitBatches(1);
  EXPECT_EQ(engine_.batch_count(), 1u);
  engine_.Complete(0);
  EXPECT_EQ(Ack().sequence, 1u);
  reader.join();
  EXPECT_EQ(engine_.batch_count(), 2u);
  engine_.Complete(1);
}

TEST_F(WriteSessionTest, AStoppedSessionStillAcknowledgesWhatIsInFlight) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  session().Stop(absl::UnavailableError("the node is stopping"));
  EXPECT_EQ(session().Accept(Batch(2, {1})).code(), absl::StatusCode::kUnavailable);
  engine_.Complete(0);
  EXPECT_EQ(Ack().sequence, 1u);
  EXPECT_TRUE(NoMoreAcks());
}

TEST_F(WriteSessionTest, AfterTheLastBatchThereIsAnEnd) {
  v1::PointBatch first = Batch(1, {1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  session().FinishReading();
  engine_.Complete(0);
  EXPECT_THAT(Ack().refused, IsEmpty());
  EXPECT_TRUE(NoMoreAcks());
  EXPECT_TRUE(session().failure().ok());
}

TEST_F(WriteSessionTest, ARefusedNameIsTriedAgainLater) {
  limits_.refused_retry_ms = 0;
  engine_.FailResolve("full", absl::ResourceExhaustedError("limit"));
  v1::PointBatch first = Batch(1, {1, 2});
  Define(1, "full", &first);
  Define(2, "known", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  EXPECT_EQ(engine_.batch(0).series.size(), 1u);  // the known one loses nothing
  engine_.Complete(0);
  EXPECT_EQ(Ack().refused.size(), 1u);
  engine_.AllowResolve("full");
  ASSERT_TRUE(session().Accept(Batch(2, {1, 2})).ok());
  EXPECT_EQ(engine_.batch(1).series.size(), 2u);
  engine_.Complete(1);
  EXPECT_THAT(Ack().refused, IsEmpty());
}

TEST_F(WriteSessionTest, ARefusedNameIsNotTriedAgainAtOnce) {
  engine_.FailResolve("full", absl::ResourceExhaustedError("limit"));
  v1::PointBatch first = Batch(1, {1});
  Define(1, "full", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  engine_.AllowResolve("full");
  ASSERT_TRUE(session().Accept(Batch(2, {1})).ok());
  EXPECT_EQ(engine_.batch_count(), 0u);
  EXPECT_EQ(Ack().refused.size(), 1u);
  EXPECT_EQ(Ack().refused.size(), 1u);
}

TEST_F(WriteSessionTest, APointOfADeletedSeriesEndsTheStreamUnacknowledged) {
  v1::PointBatch first = Batch(1, {1, 1});
  Define(1, "a", &first);
  ASSERT_TRUE(session().Accept(first).ok());
  WriteResult result;
  result.refused.push_back({1, RefusalReason::kSeriesGone});
  engine_.Complete(0, std::move(result));
  EXPECT_TRUE(NoMoreAcks());
  EXPECT_TRUE(absl::IsUnavailable(session().failure())) << session().failure();
}

}  // namespace
}  // namespace shoal
