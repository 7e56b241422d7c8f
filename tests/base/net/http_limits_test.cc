// What a client cannot do to the server: sizes, numbers, slowness and nonsense.
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "base/net/http_server.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/net/http_test_client.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

class HttpLimitsTest : public ::testing::Test {
 protected:
  HttpLimitsTest() { options_.metrics = &metrics_; }

  void Start() {
    server_ = std::make_unique<HttpServer>(options_);
    server_->Route("GET,POST", "/size", [](const HttpRequest& request) {
      return HttpResponse::Text(200, absl::StrCat(request.body.size()));
    });
    server_->Route("GET", "/large", [](const HttpRequest& request) {
      const int mebibytes = request.params.Get("n") == "64" ? 64 : 8;
      return HttpResponse::Text(200, std::string(static_cast<size_t>(mebibytes) << 20, 'x'));
    });
    server_->Route("GET,POST", "/wait", [this](const HttpRequest&) {
      MutexLock lock(&mu_);
      ++waiting_;
      changed_.SignalAll();
      while (!released_) changed_.Wait(&mu_);
      return HttpResponse::Text(200, "waited");
    });
    ASSERT_TRUE(server_->Start().ok());
  }
  void TearDown() override { Release(); }

  void Release() {
    MutexLock lock(&mu_);
    released_ = true;
    changed_.SignalAll();
  }
  void WaitForHandlers(int count) {
    MutexLock lock(&mu_);
    while (waiting_ < count) changed_.Wait(&mu_);
  }
  bool Serves() { return HttpTestClient(server_->port()).Get("/size").status == 200; }

  HttpServerOptions options_;
  MetricRegistry metrics_;
  Mutex mu_;
  CondVar changed_;
  int waiting_ ABSL_GUARDED_BY(mu_) = 0;
  bool released_ ABSL_GUARDED_BY(mu_) = false;
  std::unique_ptr<HttpServer> server_;  // last: its handlers use the above
};

TEST_F(HttpLimitsTest, ABodyAtTheLimitPassesAndOnePastItIs413) {
  options_.body_bytes_max = 100'000;
  Start();
  HttpTestClient client(server_->port());
  EXPECT_EQ(client.Post("/size", "text/plain", std::string(100'000, 'x')).body, "100000");
  const HttpAnswer answer = client.Post("/size", "text/plain", std::string(100'001, 'x'));
  EXPECT_EQ(answer.status, 413);
  EXPECT_EQ(answer.Header("connection"), "close");
  EXPECT_TRUE(client.ReadEnd());
}

TEST_F(HttpLimitsTest, ADeclaredBodyPastTheLimitIs413BeforeItComes) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send(
      "POST /size HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 99999999999\r\n\r\n"));
  EXPECT_EQ(client.Read().status, 413);
}

TEST_F(HttpLimitsTest, AChunkedBodyPastTheLimitIs413) {
  options_.body_bytes_max = 1000;
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("POST /size HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"));
  for (int i = 0; i < 11; ++i) client.Send(absl::StrCat("64\r\n", std::string(100, 'x'), "\r\n"));
  EXPECT_EQ(client.Read().status, 413);
}

TEST_F(HttpLimitsTest, AHeaderPastTheLimitIs431) {
  options_.header_bytes_max = 4096;
  Start();
  HttpTestClient client(server_->port());
  EXPECT_EQ(client.Get("/size", absl::StrCat("X: ", std::string(3500, 'x'), "\r\n")).status, 200);
  const HttpAnswer answer =
      client.Get("/size", absl::StrCat("X: ", std::string(200'000, 'x'), "\r\n"));
  EXPECT_EQ(answer.status, 431);
  HttpTestClient endless(server_->port());
  endless.Send(absl::StrCat("GET /", std::string(200'000, 'x')));
  EXPECT_EQ(endless.Read().status, 431);
}

TEST_F(HttpLimitsTest, TooManyParametersAre400) {
  Start();
  HttpTestClient client(server_->port());
  std::string form;
  for (size_t i = 0; i <= kHttpParamsMax; ++i) form += "a&";
  EXPECT_EQ(client.Post("/size", "application/x-www-form-urlencoded", form).status, 400);
  EXPECT_EQ(client.Post("/size", "multipart/form-data; boundary=B", "nonsense").status, 400);
  EXPECT_EQ(client.Get("/size").status, 200);
}

TEST_F(HttpLimitsTest, ASlowHeaderIs408) {
  options_.idle_timeout_ms = 200;
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /size HTTP/1.1\r\nX-Slow: "));
  EXPECT_EQ(client.Read().status, 408);
  EXPECT_TRUE(client.ReadEnd());
}

TEST_F(HttpLimitsTest, ADrippingBodyIs408AtOneDeadlineForAllOfIt) {
  options_.idle_timeout_ms = 300;
  Start();
  HttpTestClient client(server_->port(), 20);
  const auto start = std::chrono::steady_clock::now();
  ASSERT_TRUE(client.Send("POST /size HTTP/1.1\r\nContent-Length: 100000\r\n\r\n"));
  HttpAnswer answer;
  // Each byte comes well before the deadline; the read's own timeout paces them.
  for (int i = 0; i < 500 && answer.status == 0; ++i) {
    client.Send("x");
    answer = client.Read();
  }
  EXPECT_EQ(answer.status, 408);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
}

TEST_F(HttpLimitsTest, AnIdleConnectionIsClosedWithoutAWord) {
  options_.idle_timeout_ms = 100;
  Start();
  HttpTestClient fresh(server_->port());
  EXPECT_TRUE(fresh.ReadEnd());
  HttpTestClient used(server_->port());
  EXPECT_EQ(used.Get("/size").status, 200);
  EXPECT_TRUE(used.ReadEnd());
}

TEST_F(HttpLimitsTest, AHandlerMayTakeLongerThanTheIdleTimeout) {
  options_.idle_timeout_ms = 50;
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /wait HTTP/1.1\r\n\r\n"));
  WaitForHandlers(1);
  // The same sweep that closes this idle one has seen the waiting one as well.
  EXPECT_TRUE(HttpTestClient(server_->port()).ReadEnd());
  Release();
  EXPECT_EQ(client.Read().body, "waited");
}

TEST_F(HttpLimitsTest, AClientThatDoesNotReadIsClosedAndItsAnswerFreed) {
  options_.idle_timeout_ms = 200;
  options_.buffer_bytes_max = 20 << 20;
  Start();
  std::vector<std::unique_ptr<HttpTestClient>> clients;
  for (int i = 0; i < 10; ++i) {
    clients.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_TRUE(clients.back()->Send("GET /large HTTP/1.1\r\n\r\n"));
  }
  // Only two of ten answers fit; the others are refused rather than held.
  int refused = 0;
  for (int attempt = 0; attempt < 1000 && refused == 0; ++attempt) {
    if (HttpTestClient(server_->port()).Get("/large").status == 503) ++refused;
  }
  EXPECT_GT(refused, 0);
  // Once the idle ones are closed there is room again.
  HttpAnswer answer;
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (answer.status != 200 && std::chrono::steady_clock::now() < deadline) {
    answer = HttpTestClient(server_->port()).Get("/large");
  }
  EXPECT_EQ(answer.body.size(), 8u << 20);
}

TEST_F(HttpLimitsTest, AnAnswerThatWasReadIsHeldNoLonger) {
  options_.buffer_bytes_max = 10 << 20;
  Start();
  HttpTestClient idle(server_->port());
  ASSERT_EQ(idle.Get("/large").status, 200);
  // The last byte may be read before the server knows that it was taken.
  HttpAnswer answer;
  for (int attempt = 0; attempt < 100 && answer.status != 200; ++attempt) {
    answer = HttpTestClient(server_->port()).Get("/large");
  }
  EXPECT_EQ(answer.status, 200);
}

TEST_F(HttpLimitsTest, OneAnswerMayBeLargerThanTheBuffers) {
  options_.buffer_bytes_max = 1 << 20;
  Start();
  EXPECT_EQ(HttpTestClient(server_->port()).Get("/large?n=64").body.size(), 64u << 20);
}

TEST_F(HttpLimitsTest, BodiesOfAllConnectionsTogetherAreBounded) {
  options_.buffer_bytes_max = 1 << 20;
  Start();
  const std::string body(700 << 10, 'x');
  const std::string head = absl::StrCat("HTTP/1.1\r\nContent-Length: ", body.size(), "\r\n\r\n");
  HttpTestClient holder(server_->port());
  ASSERT_TRUE(holder.Send(absl::StrCat("POST /wait ", head, body)));
  WaitForHandlers(1);
  HttpTestClient refused(server_->port());
  refused.Send(absl::StrCat("POST /size ", head, body));
  EXPECT_EQ(refused.Read().status, 503);
  EXPECT_TRUE(Serves()) << "small requests still fit";
  Release();
  EXPECT_EQ(holder.Read().status, 200);
  EXPECT_EQ(holder.Post("/size", "text/plain", body).status, 200);
}

TEST_F(HttpLimitsTest, ConnectionsPastTheLimitAreClosedAtOnce) {
  options_.connections_max = 5;
  Start();
  std::vector<std::unique_ptr<HttpTestClient>> clients;
  for (int i = 0; i < 5; ++i) {
    clients.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_EQ(clients.back()->Get("/size").status, 200);
  }
  EXPECT_TRUE(HttpTestClient(server_->port()).ReadEnd());
  EXPECT_THAT(metrics_.PrometheusText(), HasSubstr("shoal_http_connections_refused_total 1\n"));
  clients.pop_back();
  // The server learns of the close in its own time.
  bool served = false;
  for (int attempt = 0; attempt < 10'000 && !served; ++attempt) served = Serves();
  EXPECT_TRUE(served);
}

TEST_F(HttpLimitsTest, RequestsPastTheQueueAre503) {
  options_.threads = 1;
  options_.queue_max = 2;
  Start();
  std::vector<std::unique_ptr<HttpTestClient>> clients;
  for (int i = 0; i < 3; ++i) {
    clients.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_TRUE(clients.back()->Send("GET /wait HTTP/1.1\r\n\r\n"));
    if (i == 0) WaitForHandlers(1);
  }
  HttpTestClient client(server_->port());
  HttpAnswer answer;
  // The two that wait may not have been read yet.
  for (int attempt = 0; attempt < 3 && answer.status != 503; ++attempt) {
    ASSERT_TRUE(client.Send("GET /size HTTP/1.1\r\n\r\n"));
    answer = client.Read();
  }
  EXPECT_EQ(answer.status, 503);
  Release();
  for (auto& one : clients) EXPECT_EQ(one->Read().status, 200);
  EXPECT_EQ(client.Get("/size").status, 200) << "a refused request costs no connection";
}

TEST_F(HttpLimitsTest, WhatIsNotHttpIs400) {
  Start();
  for (const char* text :
       {"\x16\x03\x01\x02\x01", "hello\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n",
        "GET / HTTP/1.1\r\nno colon\r\n\r\n", "GET / HTTP/1.1\r\n: x\r\n\r\n",
        "POST /size HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        "POST /size HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "POST /size HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nnot a size\r\n",
        "GET /\x01 HTTP/1.1\r\n\r\n"}) {
    HttpTestClient client(server_->port());
    ASSERT_TRUE(client.Send(text));
    client.ShutdownSend();
    const HttpAnswer answer = client.Read();
    // A text that could still become a request is cut off by the client's close: no answer, just
    // the end.
    EXPECT_TRUE(answer.status == 400 || answer.status == 0) << text << ": " << answer.status;
    EXPECT_TRUE(client.ReadEnd()) << text;
  }
  EXPECT_TRUE(Serves());
}

TEST_F(HttpLimitsTest, ABodyInAnUnknownEncodingIsRefusedNotMisread) {
  Start();
  HttpTestClient smuggler(server_->port());
  // Taken as a request without a body, the rest would be read as a second request.
  ASSERT_TRUE(smuggler.Send(
      "POST /size HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\nGET /size HTTP/1.1\r\n\r\n"));
  const int status = smuggler.Read().status;
  EXPECT_TRUE(status == 501 || status == 400) << status;
  EXPECT_TRUE(smuggler.ReadEnd());
  HttpTestClient both(server_->port());
  ASSERT_TRUE(both.Send(
      "POST /size HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"));
  EXPECT_EQ(both.Read().status, 400);
  HttpTestClient packed(server_->port());
  ASSERT_TRUE(
      packed.Send("POST /size HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\n\r\nx"));
  EXPECT_EQ(packed.Read().status, 415);
}

TEST_F(HttpLimitsTest, RandomBytesAndResetsLeaveItServing) {
  Start();
  std::mt19937 random(42);
  const std::string valid = "POST /size?a=1 HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello";
  for (int i = 0; i < 300; ++i) {
    std::string text = valid;
    for (int flips = 0; flips < 3; ++flips) {
      text[random() % text.size()] = static_cast<char>(random());
    }
    HttpTestClient client(server_->port(), 20'000);
    client.Send(absl::string_view(text).substr(0, random() % (text.size() + 1)));
    if (i % 3 == 0) client.Reset();
  }
  EXPECT_TRUE(Serves());
}

TEST_F(HttpLimitsTest, SlowClientsDoNotSlowTheOthers) {
  Start();
  std::vector<std::unique_ptr<HttpTestClient>> slow;
  for (int i = 0; i < 300; ++i) {
    slow.push_back(std::make_unique<HttpTestClient>(server_->port()));
    const char* texts[] = {
        "", "GET /size HTTP/1.1\r\nX:", "POST /size HTTP/1.1\r\nContent-Length: 4000000\r\n\r\nx"};
    slow.back()->Send(texts[i % 3]);
  }
  HttpTestClient client(server_->port());
  const auto start = std::chrono::steady_clock::now();
  for (int i = 0; i < 500; ++i) ASSERT_EQ(client.Get("/size").status, 200);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(10));
}

}  // namespace
}  // namespace shoal
