// Stopping a server in every state that its connections can be in.
#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/net/http_server.h"
#include "gtest/gtest.h"
#include "tests/base/net/http_test_client.h"

namespace shoal {
namespace {

using std::chrono::steady_clock;

class HttpStopTest : public ::testing::Test {
 protected:
  void Start(int threads = 2) {
    HttpServerOptions options;
    options.threads = threads;
    server_ = std::make_unique<HttpServer>(options);
    server_->Route("GET", "/quick",
                   [](const HttpRequest&) { return HttpResponse::Text(200, "quick"); });
    server_->Route("GET", "/large", [](const HttpRequest&) {
      return HttpResponse::Text(200, std::string(64 << 20, 'x'));
    });
    server_->Route("GET", "/wait", [this](const HttpRequest&) {
      MutexLock lock(&mu_);
      ++waiting_;
      changed_.SignalAll();
      while (!released_) changed_.Wait(&mu_);
      return HttpResponse::Text(200, "waited");
    });
    ASSERT_TRUE(server_->Start().ok());
  }
  void WaitForHandlers(int count) {
    MutexLock lock(&mu_);
    while (waiting_ < count) changed_.Wait(&mu_);
  }
  void Release() {
    MutexLock lock(&mu_);
    released_ = true;
    changed_.SignalAll();
  }

  Mutex mu_;
  CondVar changed_;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpStopTest, AServerThatNeverStartedStops) {
  HttpServer server{HttpServerOptions()};
  server.Stop();
  EXPECT_EQ(server.port(), 0);
}

TEST_F(HttpStopTest, IdleConnectionsAreClosedAtOnce) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_EQ(client.Get("/quick").status, 200);
  const auto start = steady_clock::now();
  server_->Stop(60'000);
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(10));
  EXPECT_TRUE(client.ReadEnd());
  EXPECT_FALSE(HttpTestClient(server_->port()).connected());
  server_->Stop();
}

TEST_F(HttpStopTest, ThePortIsFreeAfterwards) {
  Start();
  HttpServerOptions options;
  options.address = "127.0.0.1:" + std::to_string(server_->port());
  HttpTestClient client(server_->port());
  ASSERT_EQ(client.Get("/quick").status, 200);
  server_->Stop();
  HttpServer next(options);
  EXPECT_TRUE(next.Start().ok());
}

TEST_F(HttpStopTest, ARunningHandlerIsAnsweredBeforeTheEnd) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\n\r\n"));
  WaitForHandlers(1);
  HttpTestClient idle(server_->port());
  ASSERT_EQ(idle.Get("/quick").status, 200);
  std::thread stopper([this] { server_->Stop(60'000); });
  // The idle connection's end shows that the stop has begun.
  EXPECT_TRUE(idle.ReadEnd());
  Release();
  const HttpAnswer answer = client.Read();
  EXPECT_EQ(answer.body, "waited");
  EXPECT_EQ(answer.Header("connection"), "close");
  stopper.join();
}

TEST_F(HttpStopTest, PastTheGraceNothingIsSentAndWaitingRequestsDoNotRun) {
  Start(1);
  std::vector<std::unique_ptr<HttpTestClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_TRUE(clients.back()->Send("GET /wait HTTP/1.1\r\n\r\n"));
    if (i == 0) WaitForHandlers(1);
  }
  std::thread stopper([this] { server_->Stop(50); });
  for (auto& client : clients) EXPECT_EQ(client->Read().status, 0);
  Release();
  stopper.join();
  MutexLock lock(&mu_);
  EXPECT_EQ(waiting_, 1);
}

TEST_F(HttpStopTest, AClientThatDoesNotReadHoldsItNoLongerThanTheGrace) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /large HTTP/1.1\r\n\r\n"));
  HttpTestClient half(server_->port());
  ASSERT_TRUE(half.Send("GET /quick HTTP/1.1\r\nX: "));
  const auto start = steady_clock::now();
  server_->Stop(300);
  EXPECT_LT(steady_clock::now() - start, std::chrono::seconds(10));
}

TEST_F(HttpStopTest, StopsCleanlyUnderLoadFromSeveralThreads) {
  Start();
  std::atomic<bool> done{false};
  std::atomic<int> whole{0};
  std::atomic<int> torn{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 8; ++i) {
    clients.emplace_back([&] {
      while (!done.load()) {
        HttpTestClient client(server_->port());
        while (client.connected()) {
          const HttpAnswer answer = client.Get("/quick");
          if (answer.status == 0) break;
          ++(answer.status == 200 && answer.body == "quick" ? whole : torn);
        }
      }
    });
  }
  while (whole.load() < 500) std::this_thread::yield();
  std::thread second([this] { server_->Stop(); });
  server_->Stop();
  second.join();
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(torn.load(), 0);
}

}  // namespace
}  // namespace shoal
