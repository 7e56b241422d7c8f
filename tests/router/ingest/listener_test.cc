#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "router/ingest/ingest_server.h"
#include "tests/router/forward/fake_cluster.h"

namespace shoal {
namespace {

// What the sender sees at the end of its connection.
enum class End { kAcknowledged, kReset, kNothingYet };

class Client {
 public:
  explicit Client(uint16_t port, int type = SOCK_STREAM) : fd_(::socket(AF_INET, type, 0)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    EXPECT_EQ(::connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)), 0);
  }
  ~Client() {
    if (fd_ >= 0) ::close(fd_);
  }
  bool Send(absl::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  // Bytes that the kernel took without waiting.
  size_t SendWithoutWaiting(absl::string_view bytes) {
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<size_t>(sent);
  }
  void Finish() { ::shutdown(fd_, SHUT_WR); }
  void Abort() {
    struct linger value = {1, 0};
    ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &value, sizeof(value));
    ::close(std::exchange(fd_, -1));
  }
  End WaitEnd(int timeout_ms = 10'000) {
    pollfd poll_fd = {fd_, POLLIN, 0};
    if (::poll(&poll_fd, 1, timeout_ms) == 0) return End::kNothingYet;
    char byte;
    const ssize_t got = ::recv(fd_, &byte, 1, 0);
    EXPECT_LE(got, 0);
    return got == 0 ? End::kAcknowledged : End::kReset;
  }

 private:
  int fd_;
};

class ListenerTest : public testing::Test {
 protected:
  void Start(int64_t memory_bytes_max = 64 << 20, int64_t spool_bytes_max = 1 << 30) {
    cluster_ = std::make_unique<FakeCluster>(3, 2, 2, memory_bytes_max, spool_bytes_max);
    options_.address = {"127.0.0.1", 0};
    options_.loops = 2;
    options_.listener.pipeline.names.partition_count = cluster_->topology().partitions;
    server_ = std::make_unique<IngestServer>(options_, cluster_->dispatcher(), cluster_->budget(),
                                             cluster_->metrics());
    const absl::Status status = server_->Init();
    ASSERT_TRUE(status.ok()) << status;
    server_->Start();
  }
  void TearDown() override {
    if (server_ == nullptr) return;
    server_->StopReading();
    cluster_->dispatcher()->Stop();
    server_->Stop();
  }
  double Count(const std::string& name, const std::string& label = "") {
    return cluster_->Metric("shoal_router_" + name, label);
  }
  static std::string Lines(int count, int first = 0) {
    std::string lines;
    for (int i = first; i < first + count; ++i) {
      absl::StrAppend(&lines, "a.series", i % 100, " ", i, " ", 1'700'000'000 + i, "\n");
    }
    return lines;
  }

  IngestOptions options_;
  std::unique_ptr<FakeCluster> cluster_;
  std::unique_ptr<IngestServer> server_;
};

TEST_F(ListenerTest, AnswersACleanCloseWhenEverythingIsDurable) {
  Start();
  for (int i = 0; i < 20; ++i) {
    Client client(server_->port());
    ASSERT_TRUE(client.Send(Lines(100, i * 100)));
    client.Finish();
    ASSERT_EQ(client.WaitEnd(), End::kAcknowledged);
    // Not before: every copy is on its peer by now.
    ASSERT_EQ(cluster_->total_points(), static_cast<size_t>(200 * (i + 1)));
  }
  EXPECT_EQ(Count("points_acked_total", "tcp"), 2000);
  EXPECT_EQ(Count("points_in_flight"), 0);
  EXPECT_EQ(Count("connections_acknowledged_total"), 20);
  EXPECT_TRUE(WaitUntil([&] { return Count("connections_open") == 0; }));
}

TEST_F(ListenerTest, HoldsTheAnswerBackUntilThen) {
  Start();
  for (int i = 0; i < 3; ++i) cluster_->peer(i)->HoldAcks(true);
  Client client(server_->port());
  ASSERT_TRUE(client.Send("a.b 1 1700000000"));
  client.Finish();
  EXPECT_EQ(client.WaitEnd(50), End::kNothingYet);
  for (int i = 0; i < 3; ++i) cluster_->peer(i)->HoldAcks(false);
  EXPECT_EQ(client.WaitEnd(), End::kAcknowledged);
}

TEST_F(ListenerTest, AConnectionWithNothingToSayIsAnsweredToo) {
  Start();
  Client client(server_->port());
  client.Finish();
  EXPECT_EQ(client.WaitEnd(), End::kAcknowledged);
}

TEST_F(ListenerTest, StoppingResetsWhoHasNotClosed) {
  Start();
  Client client(server_->port());
  ASSERT_TRUE(client.Send(Lines(10)));
  ASSERT_TRUE(WaitUntil([&] { return Count("points_acked_total") == 10; }));
  TearDown();
  EXPECT_EQ(client.WaitEnd(), End::kReset);
  server_ = nullptr;
}

TEST_F(ListenerTest, StoppingStillAnswersWhoHasClosed) {
  Start();
  for (int i = 0; i < 3; ++i) cluster_->peer(i)->HoldAcks(true);
  Client client(server_->port());
  ASSERT_TRUE(client.Send(Lines(10)));
  client.Finish();
  ASSERT_TRUE(WaitUntil([&] { return cluster_->total_points() == 20; }));
  server_->StopReading();
  EXPECT_EQ(client.WaitEnd(20), End::kNothingYet);
  for (int i = 0; i < 3; ++i) cluster_->peer(i)->HoldAcks(false);
  EXPECT_TRUE(server_->WaitSettled(std::chrono::seconds(10)));
  EXPECT_EQ(client.WaitEnd(), End::kAcknowledged);
}

TEST_F(ListenerTest, ACutConnectionCostsItsHalfLineOnly) {
  Start();
  {
    Client client(server_->port());
    ASSERT_TRUE(client.Send(Lines(10) + "half.a.line 1 17000"));
    ASSERT_TRUE(WaitUntil([&] { return Count("points_acked_total") == 10; }));
    client.Abort();
  }
  ASSERT_TRUE(WaitUntil([&] { return Count("connections_broken_total") == 1; }));
  EXPECT_EQ(Count("lines_bad_total", "partial_line_at_close"), 1);
  EXPECT_EQ(Count("points_received_total"), 10);
}

TEST_F(ListenerTest, TakesDatagrams) {
  Start();
  Client client(server_->port(), SOCK_DGRAM);
  // Loopback may still drop when buffers are full; a few datagrams never do.
  for (int i = 0; i < 5; ++i) {
    ASSERT_TRUE(client.Send(
        absl::StrCat("u.a", i, " 1 1700000000\nnot a line at all\r\nu.b", i, " 2 1700000000")));
  }
  ASSERT_TRUE(WaitUntil([&] { return Count("points_acked_total", "udp") == 10; }));
  EXPECT_EQ(Count("lines_bad_total", "udp"), 5);
  EXPECT_EQ(Count("udp_datagrams_total"), 5);
  EXPECT_EQ(Count("points_received_total", "tcp"), 0);
}

TEST_F(ListenerTest, FullMemoryStopsReadingAndGoesOnWhenItIsFree) {
  // No copy can become durable: two of three nodes hang, and the spool takes only next to nothing.
  Start(/*memory_bytes_max=*/1 << 20, /*spool_bytes_max=*/4096);
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(WaitUntil([&] {
      return cluster_->dispatcher()->StatusOf(static_cast<size_t>(i)).state == ReplicaState::kWhole;
    }));
    cluster_->peer(i)->Hang();
  }
  Client client(server_->port());
  const std::string lines = Lines(2000);
  size_t sent = 0;
  size_t offset = 0;  // lines must stay whole over partial sends
  ASSERT_TRUE(WaitUntil([&] {
    const size_t now = client.SendWithoutWaiting(absl::string_view(lines).substr(offset));
    sent += now;
    offset = (offset + now) % lines.size();
    return now == 0 && Count("read_pauses_total") > 0;
  }));
  // Far more was offered than memory holds, and far less was taken.
  EXPECT_LT(cluster_->budget()->used(), 8 << 20);
  const double received = Count("points_received_total");
  for (int i = 0; i < 3; ++i) cluster_->peer(i)->Revive();
  ASSERT_TRUE(client.Send(absl::string_view(lines).substr(offset)));
  client.Finish();
  EXPECT_EQ(client.WaitEnd(60'000), End::kAcknowledged);
  EXPECT_GT(Count("points_received_total"), received);
  EXPECT_EQ(Count("points_received_total"), Count("points_acked_total"));
  EXPECT_EQ(Count("lines_bad_total"), 0);
}

TEST_F(ListenerTest, TooManyConnectionsAreRefused) {
  options_.listener.connections_max = 2;
  Start();
  Client one(server_->port());
  Client two(server_->port());
  ASSERT_TRUE(WaitUntil([&] { return Count("connections_open") == 2; }));
  Client three(server_->port());
  EXPECT_EQ(three.WaitEnd(), End::kReset);
  EXPECT_EQ(Count("connections_refused_total"), 1);
  one.Finish();
  EXPECT_EQ(one.WaitEnd(), End::kAcknowledged);
  ASSERT_TRUE(WaitUntil([&] { return Count("connections_open") == 1; }));
  Client four(server_->port());
  four.Finish();
  EXPECT_EQ(four.WaitEnd(), End::kAcknowledged);
}

TEST_F(ListenerTest, SilentConnectionsAreClosed) {
  options_.listener.idle_timeout_ms = 50;
  Start();
  Client client(server_->port());
  EXPECT_EQ(client.WaitEnd(), End::kReset);
  EXPECT_EQ(Count("connections_idle_total"), 1);
}

TEST_F(ListenerTest, EndlessLineIsBoundedAndCostsItselfOnly) {
  Start();
  Client client(server_->port());
  ASSERT_TRUE(client.Send("a.before 1 1700000000\n"));
  const std::string piece(64 << 10, 'x');
  for (int i = 0; i < 256; ++i) ASSERT_TRUE(client.Send(piece));
  ASSERT_TRUE(client.Send("\na.after 2 1700000000\n"));
  client.Finish();
  ASSERT_EQ(client.WaitEnd(), End::kAcknowledged);
  EXPECT_EQ(Count("points_acked_total"), 2);
  EXPECT_EQ(Count("lines_bad_total", "line_too_long"), 1);
  EXPECT_EQ(Count("lines_bad_total"), 1);
}

TEST_F(ListenerTest, ManyConnectionsAtOnce) {
  Start();
  std::vector<std::thread> senders;
  std::atomic<int> acknowledged{0};
  for (int t = 0; t < 8; ++t) {
    senders.emplace_back([&, t] {
      for (int i = 0; i < 25; ++i) {
        Client client(server_->port());
        if (!client.Send(Lines(50, (t * 25 + i) * 50))) continue;
        client.Finish();
        if (client.WaitEnd() == End::kAcknowledged) ++acknowledged;
      }
    });
  }
  for (std::thread& sender : senders) sender.join();
  EXPECT_EQ(acknowledged, 200);
  EXPECT_EQ(Count("points_acked_total"), 10'000);
  EXPECT_EQ(cluster_->total_points(), 20'000u);
}

TEST_F(ListenerTest, APortInUseIsAnErrorThatNamesIt) {
  Start();
  IngestOptions options = options_;
  options.address.port = server_->port();
  MetricRegistry metrics;
  IngestServer second(options, cluster_->dispatcher(), cluster_->budget(), &metrics);
  const absl::Status status = second.Init();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_NE(status.message().find(absl::StrCat("127.0.0.1:", server_->port(), " (TCP)")),
            absl::string_view::npos)
      << status;
}

}  // namespace
}  // namespace shoal
