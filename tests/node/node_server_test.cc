#include "node/node_server.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmath>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "admin.grpc.pb.h"
#include "router/forward/grpc_node_reader.h"
#include "tests/node/test_node.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr uint32_t kPartitions = 64;

// The answer to GET `path`, headers included.
std::string HttpGet(uint16_t port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  std::string answer;
  if (connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0) {
    const std::string request =
        absl::StrCat("GET ", path, " HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    if (write(fd, request.data(), request.size()) == static_cast<ssize_t>(request.size())) {
      char buffer[4096];
      ssize_t size = 0;
      while ((size = read(fd, buffer, sizeof(buffer))) > 0) {
        answer.append(buffer, static_cast<size_t>(size));
      }
    }
  }
  close(fd);
  return answer;
}

class NodeServerTest : public ::testing::Test {
 protected:
  void Start() { Start(TestConfig(dir_.path())); }
  void Start(NodeConfig config) {
    server_ = std::make_unique<NodeServer>(std::move(config));
    const absl::Status status = server_->Start();
    ASSERT_TRUE(status.ok()) << status;
    stub_ = StubOf(*server_);
    reader_ = MakeGrpcNodeReader(
        {.name = "node-1", .address = absl::StrCat("127.0.0.1:", server_->grpc_port())});
  }
  void Restart() {
    const absl::Status status = server_->Stop();
    ASSERT_TRUE(status.ok()) << status;
    Start();
  }
  // timestamp -> value of one series, over all of its recent range.
  std::map<int64_t, double> ReadPoints(const std::string& name) {
    std::map<int64_t, double> points;
    NodeFetchRequest request;
    request.patterns = {name};
    request.range = {now_sec_ - 3600, now_sec_ + 60, now_sec_};
    Cancellation cancel;
    const absl::Status status = reader_->Fetch(
        request, AllPartitions(kPartitions),
        std::chrono::steady_clock::now() + std::chrono::seconds(20), &cancel,
        [&](FetchedSeries fetched) {
          for (size_t i = 0; i < fetched.series.values.size(); ++i) {
            if (std::isnan(fetched.series.values[i])) continue;
            points[fetched.series.start_sec + static_cast<int64_t>(i) * fetched.series.step_sec] =
                fetched.series.values[i];
          }
          return absl::OkStatus();
        });
    EXPECT_TRUE(status.ok()) << status;
    return points;
  }

  TestDir dir_;
  // On the default schema's grid of 60 s, in the recent past.
  const int64_t now_sec_ = Clock::System()->NowSec() / 60 * 60;
  std::unique_ptr<NodeServer> server_;
  std::unique_ptr<v1::Node::Stub> stub_;
  std::unique_ptr<NodeReader> reader_;
};

TEST_F(NodeServerTest, FlushOnRequestEmptiesTheWriteBufferIntoRingFiles) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 60, 1.5}, {"a.c", now_sec_ - 60, 2.5}}));
  ASSERT_EQ(stream.AwaitAck().sequence(), 1u);
  v1::StatusResponse before;
  grpc::ClientContext before_call;
  ASSERT_TRUE(stub_->Status(&before_call, v1::StatusRequest(), &before).ok());
  EXPECT_EQ(before.write_buffer_points(), 2u);

  const auto admin = v1::Admin::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", server_->grpc_port()), grpc::InsecureChannelCredentials()));
  grpc::ClientContext call;
  v1::FlushResponse flushed;
  const grpc::Status status = admin->Flush(&call, v1::FlushRequest(), &flushed);
  ASSERT_TRUE(status.ok()) << status.error_message();
  v1::StatusResponse after;
  grpc::ClientContext after_call;
  ASSERT_TRUE(stub_->Status(&after_call, v1::StatusRequest(), &after).ok());
  EXPECT_EQ(after.write_buffer_points(), 0u);
  EXPECT_GT(after.disk_bytes(), before.disk_bytes());
  EXPECT_EQ(ReadPoints("a.b"), (std::map<int64_t, double>{{(now_sec_ - 60) / 60 * 60, 1.5}}));
}

TEST_F(NodeServerTest, DeletesByPatternOnRequestAndTakesTheNamesAgain) {
  Start();
  const int64_t minute = (now_sec_ - 60) / 60 * 60;
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a.b", minute, 1}, {"a.c", minute, 2}, {"b.b", minute, 3}}));
  ASSERT_EQ(stream.AwaitAck().sequence(), 1u);
  const auto admin = v1::Admin::NewStub(grpc::CreateChannel(
      absl::StrCat("127.0.0.1:", server_->grpc_port()), grpc::InsecureChannelCredentials()));
  v1::DeleteSeriesRequest request;
  request.set_pattern("a.*");
  request.set_names_max(1);
  for (const bool dry_run : {true, false}) {
    grpc::ClientContext call;
    v1::DeleteSeriesResponse deleted;
    request.set_dry_run(dry_run);
    const grpc::Status status = admin->DeleteSeries(&call, request, &deleted);
    ASSERT_TRUE(status.ok()) << status.error_message();
    EXPECT_EQ(deleted.series(), 2u);
    ASSERT_EQ(deleted.names_size(), 1);
    EXPECT_EQ(deleted.names(0), "a.b");
    EXPECT_EQ(ReadPoints("a.c").size(), dry_run ? 1u : 0u);
  }
  EXPECT_EQ(ReadPoints("b.b").size(), 1u);
  // The stream that knew the name ends without an acknowledgement; the next one makes it anew.
  v1::PointBatch stale;
  stale.set_sequence(2);
  stale.add_refs(1);
  stale.add_timestamps_sec(static_cast<uint32_t>(minute));
  stale.add_values(4);
  ASSERT_TRUE(stream.Send(stale));
  EXPECT_EQ(stream.AwaitAck().sequence(), 0u);
  TestWriteStream again(stub_.get(), 2);
  ASSERT_TRUE(again.AwaitHello());
  ASSERT_TRUE(again.Send({{"a.b", minute - 60, 5}}));
  ASSERT_EQ(again.AwaitAck().sequence(), 1u);
  EXPECT_EQ(ReadPoints("a.b"), (std::map<int64_t, double>{{minute - 60, 5}}));
  request.set_pattern("a.[");
  grpc::ClientContext call;
  v1::DeleteSeriesResponse deleted;
  EXPECT_EQ(admin->DeleteSeries(&call, request, &deleted).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(NodeServerTest, AnAcknowledgedPointIsReadableAtOnceWithItsExactValue) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 60, 0.1}, {"a.c", now_sec_ - 60, -1e308}}));
  const v1::WriteAck ack = stream.AwaitAck();
  EXPECT_EQ(ack.sequence(), 1u);
  EXPECT_EQ(ack.refused_indexes_size(), 0);
  EXPECT_EQ(ReadPoints("a.b"), (std::map<int64_t, double>{{now_sec_ - 60, 0.1}}));
  EXPECT_EQ(ReadPoints("a.c"), (std::map<int64_t, double>{{now_sec_ - 60, -1e308}}));
  EXPECT_TRUE(stream.Close().ok());
}

TEST_F(NodeServerTest, EveryBatchIsAcknowledgedInOrder) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  constexpr int kBatches = 200;
  std::thread sender([&] {
    for (int i = 0; i < kBatches; ++i) {
      ASSERT_TRUE(stream.Send({{absl::StrCat("s.", i % 10), now_sec_ - 60, double(i)}}));
    }
  });
  for (int i = 1; i <= kBatches; ++i) ASSERT_EQ(stream.AwaitAck().sequence(), uint64_t(i));
  sender.join();
  EXPECT_EQ(ReadPoints("s.9"), (std::map<int64_t, double>{{now_sec_ - 60, 199.0}}));
}

TEST_F(NodeServerTest, RefusedPointsAreNamedAndTheRestIsTaken) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a..b", now_sec_ - 60, 1},
                           {"good", now_sec_ - 60, 2},
                           {"good2", now_sec_ + 10 * 86'400, 3},
                           {"../../etc/passwd", now_sec_ - 60, 4}}));
  const v1::WriteAck ack = stream.AwaitAck();
  EXPECT_EQ(ack.sequence(), 1u);
  ASSERT_EQ(ack.refused_indexes_size(), 3);
  EXPECT_EQ(ack.refused_indexes(0), 0u);
  EXPECT_EQ(ack.refused_reasons(0), v1::REFUSAL_REASON_BAD_NAME);
  EXPECT_EQ(ack.refused_indexes(1), 2u);
  EXPECT_EQ(ack.refused_reasons(1), v1::REFUSAL_REASON_TOO_FAR_AHEAD);
  EXPECT_EQ(ack.refused_indexes(2), 3u);
  EXPECT_EQ(ack.refused_reasons(2), v1::REFUSAL_REASON_BAD_NAME);
  EXPECT_EQ(ReadPoints("good"), (std::map<int64_t, double>{{now_sec_ - 60, 2}}));
}

TEST_F(NodeServerTest, AcknowledgedPointsSurviveARestartAndAResendChangesNothing) {
  Start();
  {
    TestWriteStream stream(stub_.get(), 1);
    ASSERT_TRUE(stream.AwaitHello());
    ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 120, 1}, {"a.b", now_sec_ - 60, 2}}));
    ASSERT_EQ(stream.AwaitAck().sequence(), 1u);
  }
  Restart();
  const std::map<int64_t, double> expected{{now_sec_ - 120, 1}, {now_sec_ - 60, 2}};
  EXPECT_EQ(ReadPoints("a.b"), expected);
  TestWriteStream again(stub_.get(), 2);
  ASSERT_TRUE(again.AwaitHello());
  ASSERT_TRUE(again.Send({{"a.b", now_sec_ - 120, 1}, {"a.b", now_sec_ - 60, 2}}));
  ASSERT_EQ(again.AwaitAck().sequence(), 1u);
  EXPECT_EQ(ReadPoints("a.b"), expected);
}

TEST_F(NodeServerTest, ANewerStreamOfTheSameRouterEndsTheOlderOne) {
  Start();
  TestWriteStream older(stub_.get(), 1);
  ASSERT_TRUE(older.AwaitHello());
  TestWriteStream newer(stub_.get(), 2);
  ASSERT_TRUE(newer.AwaitHello());
  EXPECT_EQ(older.Finish().error_code(), grpc::StatusCode::CANCELLED);
  ASSERT_TRUE(newer.Send({{"a.b", now_sec_ - 60, 1}}));
  EXPECT_EQ(newer.AwaitAck().sequence(), 1u);
  TestWriteStream stale(stub_.get(), 1);
  EXPECT_FALSE(stale.AwaitHello());
  EXPECT_EQ(stale.Finish().error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(NodeServerTest, StreamsOfDifferentRoutersRunSideBySide) {
  Start();
  TestWriteStream one(stub_.get(), 1, "router-1");
  TestWriteStream two(stub_.get(), 1, "router-2");
  ASSERT_TRUE(one.AwaitHello());
  ASSERT_TRUE(two.AwaitHello());
  ASSERT_TRUE(one.Send({{"a.b", now_sec_ - 60, 1}}));
  ASSERT_TRUE(two.Send({{"a.c", now_sec_ - 60, 1}}));
  EXPECT_EQ(one.AwaitAck().sequence(), 1u);
  EXPECT_EQ(two.AwaitAck().sequence(), 1u);
}

TEST_F(NodeServerTest, AHelloForSomeoneElseIsRefusedWithTheReason) {
  Start();
  const auto refused = [&](const std::string& cluster, const std::string& node) {
    TestWriteStream stream(stub_.get(), 1, "router-1", cluster, node);
    EXPECT_FALSE(stream.AwaitHello());
    const grpc::Status status = stream.Finish();
    EXPECT_EQ(status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
    return status.error_message();
  };
  EXPECT_THAT(refused("other", "node-1"), HasSubstr("other"));
  EXPECT_THAT(refused("test", "node-2"), HasSubstr("node-2"));
}

TEST_F(NodeServerTest, ABadBatchEndsTheStreamAfterTheAcknowledgementsBeforeIt) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 60, 1}}));
  v1::PointBatch bad;
  bad.set_sequence(2);
  bad.add_refs(77);
  bad.add_timestamps_sec(1);
  bad.add_values(1);
  ASSERT_TRUE(stream.Send(bad));
  EXPECT_EQ(stream.AwaitAck().sequence(), 1u);
  const grpc::Status status = stream.Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("77"));
  EXPECT_THAT(HttpGet(server_->http_port(), "/metrics"),
              HasSubstr("shoal_node_bad_batches_total 1"));
}

TEST_F(NodeServerTest, AStopAcknowledgesWhatIsInFlightAndEndsOpenStreams) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  constexpr int kBatches = 50;
  for (int i = 0; i < kBatches; ++i) {
    ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 60 * (i + 1), double(i)}}));
  }
  uint64_t acknowledged = 0;
  std::thread receiver([&] {
    while (true) {
      const v1::WriteAck ack = stream.AwaitAck();
      if (ack.sequence() == 0) break;
      acknowledged = ack.sequence();
    }
  });
  const auto started = std::chrono::steady_clock::now();
  const absl::Status stopped = server_->Stop();
  EXPECT_TRUE(stopped.ok()) << stopped;
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(8));
  receiver.join();
  Start();
  const std::map<int64_t, double> points = ReadPoints("a.b");
  EXPECT_GE(points.size(), acknowledged);
}

TEST_F(NodeServerTest, HealthReadinessAndMetricsAnswer) {
  Start();
  const uint16_t port = server_->http_port();
  EXPECT_THAT(HttpGet(port, "/healthz"), HasSubstr("200 OK"));
  EXPECT_THAT(HttpGet(port, "/readyz"), HasSubstr("200 OK"));
  const std::string metrics = HttpGet(port, "/metrics");
  EXPECT_THAT(metrics, HasSubstr("# TYPE shoal_node_points_received_total counter"));
  EXPECT_THAT(metrics, HasSubstr("text/plain; version=0.0.4"));
  EXPECT_THAT(HttpGet(port, "/nothing"), HasSubstr("404"));
}

TEST_F(NodeServerTest, APortInUseIsAnErrorThatTouchesNoData) {
  Start();
  TestDir other;
  const std::string data = absl::StrCat(other.path(), "/data");
  NodeConfig grpc = TestConfig(data);
  grpc.grpc_listen = absl::StrCat("127.0.0.1:", server_->grpc_port());
  {
    NodeServer second(std::move(grpc));
    const absl::Status status = second.Start();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr("listen.grpc"));
  }
  NodeConfig http = TestConfig(data);
  http.http_listen = absl::StrCat("127.0.0.1:", server_->http_port());
  {
    NodeServer second(std::move(http));
    const absl::Status status = second.Start();
    EXPECT_FALSE(status.ok());
    EXPECT_THAT(std::string(status.message()), HasSubstr("listen.http"));
  }
  EXPECT_FALSE(std::filesystem::exists(data));
}

TEST_F(NodeServerTest, ADataDirectoryThatIsHeldOrSomeoneElsesIsRefused) {
  Start();
  {
    NodeServer second(TestConfig(dir_.path()));
    EXPECT_FALSE(second.Start().ok());
  }
  ASSERT_TRUE(server_->Stop().ok());
  NodeConfig other = TestConfig(dir_.path());
  other.engine.node_name = "node-2";
  NodeServer third(std::move(other));
  const absl::Status status = third.Start();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("node-1"));
}

TEST_F(NodeServerTest, ADataDirectoryThatCannotBeMadeIsNamed) {
  // A file in the place of the folder: also root cannot write there.
  const std::string path = absl::StrCat(dir_.path(), "/file");
  std::ofstream(path) << "x";
  NodeServer server(TestConfig(path));
  const absl::Status status = server.Start();
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(std::string(status.message()), HasSubstr(path));
}

TEST_F(NodeServerTest, StatusTellsWhatTheNodeHolds) {
  Start();
  TestWriteStream stream(stub_.get(), 1);
  ASSERT_TRUE(stream.AwaitHello());
  ASSERT_TRUE(stream.Send({{"a.b", now_sec_ - 60, 1}, {"a.c", now_sec_ - 60, 1}}));
  ASSERT_EQ(stream.AwaitAck().sequence(), 1u);
  const absl::StatusOr<NodeStatus> status =
      reader_->Status(std::chrono::steady_clock::now() + std::chrono::seconds(10));
  ASSERT_TRUE(status.ok()) << status.status();
  EXPECT_EQ(status->node, "node-1");
  EXPECT_EQ(status->cluster, "test");
  EXPECT_EQ(status->series, 2u);
  EXPECT_EQ(status->points_written, 2u);
  EXPECT_FALSE(status->read_only);
  EXPECT_FALSE(status->version.empty());
}

}  // namespace
}  // namespace shoal
