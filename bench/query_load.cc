#include "bench/query_load.h"

#include <atomic>
#include <boost/asio/connect.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http.hpp>
#include <chrono>
#include <memory>
#include <thread>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/strip.h"
#include "base/config.h"
#include "base/status_macros.h"
#include "bench/latency.h"

namespace shoal {
namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;

struct Url {
  HostPort host;
  std::string target;
};

absl::StatusOr<Url> ParseUrl(absl::string_view text) {
  absl::string_view rest = text;
  if (!absl::ConsumePrefix(&rest, "http://")) {
    return absl::InvalidArgumentError(absl::StrCat("'", text, "' does not start with http://"));
  }
  const size_t slash = rest.find('/');
  Url url;
  url.target = slash == absl::string_view::npos ? "/" : std::string(rest.substr(slash));
  const absl::string_view host = rest.substr(0, slash);
  SHOAL_ASSIGN_OR_RETURN(
      url.host,
      ParseHostPort(absl::StrContains(host, ':') ? std::string(host) : absl::StrCat(host, ":80")));
  return url;
}

// One keep-alive connection, opened again when the server closed it.
class HttpClient {
 public:
  // The body's size.
  absl::StatusOr<size_t> Get(const Url& url) {
    boost::system::error_code error;
    if (!socket_) {
      socket_ = std::make_unique<asio::ip::tcp::socket>(context_);
      asio::ip::tcp::resolver resolver(context_);
      const auto found = resolver.resolve(url.host.host, std::to_string(url.host.port), error);
      if (!error) asio::connect(*socket_, found, error);
      if (!error) socket_->set_option(asio::ip::tcp::no_delay(true), error);
      if (error) return Fail(absl::StrCat("connect: ", error.message()));
    }
    http::request<http::empty_body> request{http::verb::get, url.target, 11};
    request.set(http::field::host, url.host.host);
    http::write(*socket_, request, error);
    if (error) return Fail(absl::StrCat("write: ", error.message()));
    http::response_parser<http::string_body> parser;
    parser.body_limit(1u << 30);
    http::read(*socket_, buffer_, parser, error);
    if (error) return Fail(absl::StrCat("read: ", error.message()));
    const auto& response = parser.get();
    const unsigned code = response.result_int();
    const size_t size = response.body().size();
    if (!response.keep_alive()) socket_.reset();
    if (code != 200)
      return absl::UnknownError(absl::StrCat("HTTP ", code, ": ", response.body().substr(0, 200)));
    return size;
  }

 private:
  absl::Status Fail(const std::string& what) {
    socket_.reset();
    buffer_.clear();
    return absl::UnavailableError(what);
  }

  asio::io_context context_;
  std::unique_ptr<asio::ip::tcp::socket> socket_;
  boost::beast::flat_buffer buffer_;
};

struct Client {
  Latencies latencies;
  int64_t errors = 0;
  int64_t bytes = 0;
  absl::Status last_error;
};

}  // namespace

absl::Status RunQueryLoad(const QueryLoadOptions& options) {
  std::vector<Url> urls;
  for (const std::string& text : options.urls) {
    SHOAL_ASSIGN_OR_RETURN(Url url, ParseUrl(text));
    urls.push_back(std::move(url));
  }
  if (urls.empty()) return absl::InvalidArgumentError("no URL given");
  std::vector<Client> clients(static_cast<size_t>(options.clients));
  std::vector<std::thread> threads;
  std::atomic<int64_t> left{options.requests};
  std::atomic<int64_t> warming{options.clients};
  std::atomic<int64_t> begun_ns{0};
  auto now_ns = [] { return std::chrono::steady_clock::now().time_since_epoch().count(); };
  for (Client& client : clients) {
    threads.emplace_back([&] {
      HttpClient connection;
      size_t next = 0;
      for (int64_t i = 0; i < options.warmup; ++i) (void)connection.Get(urls[next++ % urls.size()]);
      // All start counting together.
      if (warming.fetch_sub(1) == 1) begun_ns = now_ns();
      while (warming.load() > 0) std::this_thread::yield();
      while (left.fetch_sub(1) > 0) {
        const int64_t begun = now_ns();
        absl::StatusOr<size_t> size = connection.Get(urls[next++ % urls.size()]);
        if (size.ok()) {
          client.latencies.Add(static_cast<double>(now_ns() - begun) * 1e-9);
          client.bytes += static_cast<int64_t>(*size);
        } else {
          ++client.errors;
          client.last_error = size.status();
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const double seconds = static_cast<double>(now_ns() - begun_ns.load()) * 1e-9;

  Latencies latencies;
  int64_t errors = 0;
  int64_t bytes = 0;
  absl::Status last_error;
  for (Client& client : clients) {
    latencies.Merge(client.latencies);
    errors += client.errors;
    bytes += client.bytes;
    if (!client.last_error.ok()) last_error = client.last_error;
  }
  const double count = static_cast<double>(latencies.count());
  if (options.json) {
    absl::PrintF(
        "{\"answers\":%d,\"errors\":%d,\"seconds\":%.3f,\"answers_per_second\":%.1f,\"bytes_per_"
        "answer\":%.0f,"
        "\"ms\":{\"p50\":%.3f,\"p99\":%.3f,\"max\":%.3f}}\n",
        latencies.count(), errors, seconds, count / seconds,
        count > 0 ? static_cast<double>(bytes) / count : 0, latencies.PercentileMs(50),
        latencies.PercentileMs(99), latencies.PercentileMs(100));
  } else {
    absl::PrintF("%d answers, %d errors in %.2f s: %.1f answers/s, %.0f bytes each\n",
                 latencies.count(), errors, seconds, count / seconds,
                 count > 0 ? static_cast<double>(bytes) / count : 0);
    absl::PrintF("answer: %s\n", latencies.Summary());
  }
  if (latencies.count() == 0) return last_error;
  if (errors > 0) absl::FPrintF(stderr, "last error: %s\n", last_error.ToString());
  return absl::OkStatus();
}

}  // namespace shoal
