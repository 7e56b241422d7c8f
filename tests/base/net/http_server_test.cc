#include "base/net/http_server.h"

#include <zlib.h>

#include <atomic>
#include <memory>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/mutex.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/base/net/http_test_client.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Echoes what the handler saw: "METHOD path|name=value|...|body".
HttpResponse Echo(const HttpRequest& request) {
  std::string text = absl::StrCat(request.method, " ", request.path);
  for (const auto& [name, value] : request.params.items()) {
    absl::StrAppend(&text, "|", name, "=", value);
  }
  absl::StrAppend(&text, "|", request.body);
  return HttpResponse::Text(200, text);
}

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(HttpServerOptions options = {}) {
    options.metrics = &metrics_;
    server_ = std::make_unique<HttpServer>(options);
    server_->Route("GET,POST", "/echo", Echo);
    server_->Route("GET", "/files/*", Echo);
    server_->Route("GET", "/large", [](const HttpRequest&) {
      return HttpResponse::Text(200, std::string(3 << 20, 'x'));
    });
    server_->Route("GET", "/picture", [](const HttpRequest&) {
      HttpResponse response = HttpResponse::Text(200, std::string(5000, 'x'));
      response.content_type = "image/png";
      return response;
    });
    server_->Route("GET", "/inject", [](const HttpRequest& request) {
      HttpResponse response = HttpResponse::Text(200, "x");
      response.headers.emplace_back("X-Echo", std::string(request.params.Get("v")));
      response.headers.emplace_back(std::string(request.params.Get("n")), "value");
      response.content_type = std::string(request.params.Get("t", "text/plain"));
      return response;
    });
    server_->Route("GET", "/throw",
                   [](const HttpRequest&) -> HttpResponse { throw std::runtime_error("boom"); });
    server_->Route("GET", "/none", [](const HttpRequest&) {
      HttpResponse response;
      response.status = 304;
      return response;
    });
    ASSERT_TRUE(server_->Start().ok());
  }

  MetricRegistry metrics_;
  std::unique_ptr<HttpServer> server_;
};

TEST_F(HttpServerTest, KeepsTheConnectionForManyRequests) {
  Start();
  HttpTestClient client(server_->port());
  for (int i = 0; i < 100; ++i) {
    const HttpAnswer answer = client.Get(absl::StrCat("/echo?i=", i));
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(answer.body, absl::StrCat("GET /echo|i=", i, "|"));
  }
}

TEST_F(HttpServerTest, AnswersPipelinedRequestsInOrder) {
  Start();
  HttpTestClient client(server_->port());
  std::string requests;
  for (int i = 0; i < 50; ++i) {
    absl::StrAppend(&requests, "POST /echo HTTP/1.1\r\nContent-Length: 2\r\n\r\n", 10 + i);
  }
  ASSERT_TRUE(client.Send(requests));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(client.Read().body, absl::StrCat("POST /echo|", 10 + i));
}

TEST_F(HttpServerTest, ClosesWhenAskedTo) {
  Start();
  HttpTestClient client(server_->port());
  const HttpAnswer answer = client.Get("/echo", "Connection: close\r\n");
  EXPECT_EQ(answer.Header("connection"), "close");
  EXPECT_TRUE(client.ReadEnd());
  HttpTestClient old(server_->port());
  ASSERT_TRUE(old.Send("GET /echo HTTP/1.0\r\n\r\n"));
  EXPECT_EQ(old.Read().status, 200);
  EXPECT_TRUE(old.ReadEnd());
}

TEST_F(HttpServerTest, AnswersAClientThatHasClosedItsSide) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("GET /echo?a=1 HTTP/1.1\r\n\r\n"));
  client.ShutdownSend();
  EXPECT_EQ(client.Read().body, "GET /echo|a=1|");
  EXPECT_TRUE(client.ReadEnd());
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(client.Send("HEAD /echo HTTP/1.1\r\n\r\nGET /echo HTTP/1.1\r\n\r\n"));
  EXPECT_EQ(client.Read(true).Header("content-length"), "11");
  EXPECT_EQ(client.Read().body, "GET /echo|");
}

TEST_F(HttpServerTest, NotModifiedHasNoBody) {
  Start();
  HttpTestClient client(server_->port());
  const HttpAnswer answer = client.Get("/none");
  EXPECT_EQ(answer.status, 304);
  EXPECT_EQ(answer.Header("content-length"), "");
  EXPECT_EQ(client.Get("/echo").status, 200);
}

TEST_F(HttpServerTest, TellsUnknownPathsFromWrongMethods) {
  Start();
  HttpTestClient client(server_->port());
  EXPECT_EQ(client.Get("/nothing").status, 404);
  EXPECT_EQ(client.Get("/").status, 404);
  const HttpAnswer answer = client.Post("/large", "text/plain", "x");
  EXPECT_EQ(answer.status, 405);
  EXPECT_EQ(answer.Header("allow"), "GET, HEAD");
  EXPECT_EQ(answer.Header("x-content-type-options"), "nosniff");
  EXPECT_EQ(client.Get("/echo").status, 200) << "the connection goes on";
}

TEST_F(HttpServerTest, DecodesPathAndParameters) {
  Start();
  HttpTestClient client(server_->port());
  EXPECT_EQ(client.Get("/echo/?target[]=a+b&x=%3Cb%3E").body, "GET /echo/|target=a b|x=<b>|");
  EXPECT_EQ(client.Get("/files/%2e%2e/a+b").body, "GET /files/../a+b|");
  EXPECT_EQ(client.Get("http://host.example/echo?a=1#part").body, "GET /echo|a=1|");
  EXPECT_EQ(client.Get("//echo").status, 404);
  EXPECT_EQ(
      client.Post("/echo?a=1", "application/x-www-form-urlencoded; charset=utf-8", "a=2&b=3").body,
      "POST /echo|a=1|a=2|b=3|a=2&b=3");
  EXPECT_EQ(client
                .Post("/echo", "multipart/form-data; boundary=B",
                      "--B\r\nContent-Disposition: form-data; name=\"t\"\r\n\r\nv\r\n--B--")
                .status,
            200);
  EXPECT_EQ(client.Post("/echo", "text/plain", "a=2").body, "POST /echo|a=2");
}

TEST_F(HttpServerTest, ReadsChunkedBodies) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(
      client.Send("POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                  "3\r\nabc\r\n2;ext=1\r\nde\r\n0\r\nTrailer: x\r\n\r\n"));
  EXPECT_EQ(client.Read().body, "POST /echo|abcde");
  EXPECT_EQ(client.Get("/echo").status, 200);
}

TEST_F(HttpServerTest, TellsAWaitingClientToGoOn) {
  Start();
  HttpTestClient client(server_->port());
  ASSERT_TRUE(
      client.Send("POST /echo HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n"));
  ASSERT_TRUE(client.Send("body"));
  EXPECT_EQ(client.Read().body, "POST /echo|body");
}

TEST_F(HttpServerTest, CompressesLargeAnswersWhenAsked) {
  Start();
  HttpTestClient client(server_->port());
  HttpAnswer answer = client.Get("/large", "Accept-Encoding: deflate, gzip\r\n");
  EXPECT_EQ(answer.Header("content-encoding"), "gzip");
  EXPECT_EQ(answer.Header("vary"), "Accept-Encoding");
  EXPECT_LT(answer.body.size(), 100'000u);
  std::string text((3 << 20) + 1, '\0');
  z_stream stream = {};
  ASSERT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(answer.body.data());
  stream.avail_in = static_cast<uInt>(answer.body.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  inflateEnd(&stream);
  text.resize(stream.total_out);
  EXPECT_EQ(text, std::string(3 << 20, 'x'));

  EXPECT_EQ(client.Get("/large").Header("content-encoding"), "");
  EXPECT_EQ(client.Get("/echo", "Accept-Encoding: gzip\r\n").Header("content-encoding"), "");
  EXPECT_EQ(client.Get("/picture", "Accept-Encoding: gzip\r\n").Header("content-encoding"), "");
}

TEST_F(HttpServerTest, InputInHeadersCannotAddHeaders) {
  Start();
  HttpTestClient client(server_->port());
  const HttpAnswer answer = client.Get(
      "/inject?v=a%0d%0aX-Evil:+1%0d%0a%0d%0a&n=X-Evil:+2%0d%0a&t=text/html%0d%0aX-Evil:+3");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.Header("x-evil"), "");
  EXPECT_EQ(answer.Header("x-echo"), "a  X-Evil: 1");
  EXPECT_EQ(answer.body, "x");
}

TEST_F(HttpServerTest, AHandlerThatThrowsAnswers500) {
  Start();
  HttpTestClient client(server_->port());
  const HttpAnswer answer = client.Get("/throw");
  EXPECT_EQ(answer.status, 500);
  EXPECT_THAT(answer.body, Not(HasSubstr("boom")));
  EXPECT_EQ(client.Get("/echo").status, 200);
}

TEST_F(HttpServerTest, ServesManyConnectionsAtOnce) {
  Start();
  constexpr int kConnections = 200;
  std::vector<std::unique_ptr<HttpTestClient>> clients;
  for (int i = 0; i < kConnections; ++i) {
    clients.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_TRUE(clients.back()->connected());
  }
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < kConnections; ++i) {
      ASSERT_TRUE(clients[i]->Send(absl::StrCat("GET /echo?i=", i, " HTTP/1.1\r\n\r\n")));
    }
    for (int i = 0; i < kConnections; ++i) {
      ASSERT_EQ(clients[i]->Read().body, absl::StrCat("GET /echo|i=", i, "|"));
    }
  }
  EXPECT_THAT(metrics_.PrometheusText(), HasSubstr("shoal_http_connections 200\n"));
}

TEST_F(HttpServerTest, ControlRoutesAnswerWhileEveryWorkerIsBusy) {
  HttpServerOptions options;
  options.threads = 2;
  server_ = std::make_unique<HttpServer>(options);
  Mutex mu;
  CondVar changed;
  int running = 0;
  bool release = false;
  server_->Route("GET", "/slow", [&](const HttpRequest&) {
    MutexLock lock(&mu);
    ++running;
    changed.SignalAll();
    while (!release) changed.Wait(&mu);
    return HttpResponse::Text(200, "done");
  });
  server_->Route(
      "GET", "/healthz", [](const HttpRequest&) { return HttpResponse::Text(200, "ok"); },
      HttpLane::kControl);
  ASSERT_TRUE(server_->Start().ok());
  std::vector<std::unique_ptr<HttpTestClient>> busy;
  for (int i = 0; i < 4; ++i) {
    busy.push_back(std::make_unique<HttpTestClient>(server_->port()));
    ASSERT_TRUE(busy.back()->Send("GET /slow HTTP/1.1\r\n\r\n"));
  }
  {
    MutexLock lock(&mu);
    while (running < 2) changed.Wait(&mu);
  }
  HttpTestClient client(server_->port());
  EXPECT_EQ(client.Get("/healthz").body, "ok");
  {
    MutexLock lock(&mu);
    release = true;
    changed.SignalAll();
  }
  for (auto& one : busy) EXPECT_EQ(one->Read().body, "done");
}

TEST_F(HttpServerTest, CountsRequestsByRouteAndCode) {
  Start();
  HttpTestClient client(server_->port());
  client.Get("/echo?a=1");
  client.Get("/echo/?a=2");
  client.Get("/files/a");
  client.Get("/nothing/here");
  const std::string text = metrics_.PrometheusText();
  EXPECT_THAT(text, HasSubstr("shoal_http_requests_total{path=\"/echo\",code=\"200\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("shoal_http_requests_total{path=\"/files/*\",code=\"200\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("shoal_http_requests_total{path=\"other\",code=\"404\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("shoal_http_request_seconds_count 3\n"));
}

TEST_F(HttpServerTest, StartSaysWhyItCannotListen) {
  Start();
  HttpServerOptions options;
  options.address = absl::StrCat("127.0.0.1:", server_->port());
  const absl::Status taken = HttpServer(options).Start();
  EXPECT_EQ(taken.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(taken.message(), absl::StrCat("listen ", options.address, ": Address already in use"));
  for (const char* address :
       {"", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:http"}) {
    options.address = address;
    EXPECT_EQ(HttpServer(options).Start().code(), absl::StatusCode::kInvalidArgument) << address;
  }
}

TEST_F(HttpServerTest, AThousandRequestsOnFreshConnections) {
  Start();
  std::atomic<int> answered{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 250; ++i) {
        HttpTestClient client(server_->port());
        if (client.Get("/echo", "Connection: close\r\n").status == 200) ++answered;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(answered.load(), 1000);
}

}  // namespace
}  // namespace shoal
