#include "base/net/http_session.h"

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/write.hpp>
#include <exception>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "base/logging.h"
#include "base/net/http_gzip.h"

namespace shoal {

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = boost::beast::http;
using std::chrono::milliseconds;
using std::chrono::steady_clock;

namespace {

constexpr size_t kReadBytes = 64 << 10;
// An answer must move by this much within each deadline.
constexpr int64_t kWriteProgressBytes = 64 << 10;
constexpr size_t kGzipBytesMin = 1024;
constexpr size_t kIdleBufferBytes = 8 << 10;
constexpr milliseconds kDrainTimeout(1000);

absl::string_view View(beast::string_view text) {
  return absl::string_view(text.data(), text.size());
}

beast::string_view View(absl::string_view text) {
  return beast::string_view(text.data(), text.size());
}

// RFC 9110 field-name characters.
bool IsToken(absl::string_view text) {
  for (char c : text) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) &&
        !absl::StrContains("!#$%&'*+-.^_`|~", c)) {
      return false;
    }
  }
  return !text.empty();
}

// Handlers may quote input in header values; a line end in one would begin another header.
std::string SafeHeaderValue(absl::string_view value) {
  std::string safe(value);
  for (char& c : safe) {
    if (absl::ascii_iscntrl(static_cast<unsigned char>(c))) c = ' ';
  }
  return safe;
}

// Splits "/path?query" or "http://host/path?query" at the question mark.
std::pair<absl::string_view, absl::string_view> SplitTarget(absl::string_view target) {
  if (!absl::StartsWith(target, "/")) {
    const size_t scheme = target.find("://");
    const size_t slash =
        scheme == absl::string_view::npos ? scheme : target.find_first_of("/?", scheme + 3);
    if (slash != absl::string_view::npos) target.remove_prefix(slash);
  }
  target = target.substr(0, target.find('#'));
  const size_t mark = target.find('?');
  if (mark == absl::string_view::npos) return {target, ""};
  return {target.substr(0, mark), target.substr(mark + 1)};
}

// Adds the fields of a form body. False when the body is not what its type says.
bool AddFormParams(HttpRequest* request) {
  const absl::string_view type = request->Header("content-type");
  if (absl::StartsWithIgnoreCase(type, "application/x-www-form-urlencoded")) {
    return ParseUrlEncoded(request->body, &request->params);
  }
  if (absl::StartsWithIgnoreCase(type, "multipart/form-data")) {
    return ParseMultipartForm(type, request->body, &request->params);
  }
  return true;
}

}  // namespace

HttpMetrics::HttpMetrics(MetricRegistry* registry, const std::string& prefix)
    : request_seconds(
          registry->AddHistogram(absl::StrCat(prefix, "_http_request_seconds"),
                                 "Time from a whole HTTP request read to its answer ready",
                                 MetricRegistry::LatencyBounds())),
      connections(
          registry->AddGauge(absl::StrCat(prefix, "_http_connections"), "Open HTTP connections")),
      connections_refused(
          registry->AddCounter(absl::StrCat(prefix, "_http_connections_refused_total"),
                               "HTTP connections closed at once: too many")),
      registry_(registry),
      requests_name_(absl::StrCat(prefix, "_http_requests_total")) {}

void HttpMetrics::CountRequest(const HttpRoute* route, int code) {
  MutexLock lock(&mu_);
  Counter*& counter = requests_[{route, code}];
  if (counter == nullptr) {
    counter = registry_->AddCounter(
        requests_name_, "HTTP requests answered",
        {{"path", route == nullptr ? "other" : route->pattern}, {"code", absl::StrCat(code)}});
  }
  counter->Add();
}

HttpSession::HttpSession(HttpShared* shared, asio::ip::tcp::socket socket, std::string remote)
    : shared_(shared),
      remote_(std::move(remote)),
      lease_(&shared->budget),
      socket_(std::move(socket)),
      buffer_(static_cast<size_t>(shared->options.header_bytes_max) + kReadBytes) {
  shared_->sessions.insert(this);
  shared_->metrics.connections->Add(1);
  MutexLock lock(&shared_->mu);
  ++shared_->live_sessions;
}

HttpSession::~HttpSession() {
  shared_->sessions.erase(this);
  shared_->metrics.connections->Add(-1);
  MutexLock lock(&shared_->mu);
  --shared_->live_sessions;
  shared_->session_ended.SignalAll();
}

void HttpSession::Enter(State state, milliseconds deadline) {
  state_ = state;
  deadline_ = steady_clock::now() + deadline;
  timed_out_ = false;
}

bool HttpSession::IsIdle() const {
  return state_ == State::kReadHeader && buffer_.size() == 0 && !parser_->got_some();
}

void HttpSession::CheckDeadline(steady_clock::time_point now) {
  if (now < deadline_) return;
  switch (state_) {
    case State::kReadHeader:
    case State::kReadBody: {
      // The reader answers 408. Should it be between two reads, the next check finds it again.
      timed_out_ = true;
      beast::error_code ignored;
      socket_.cancel(ignored);
      break;
    }
    case State::kHandle:
      break;
    case State::kWrite:
    case State::kDrain:
      Close();
      break;
  }
}

void HttpSession::CloseIfIdle() {
  if (IsIdle()) Close();
}

void HttpSession::Close() {
  closed_ = true;
  beast::error_code ignored;
  socket_.close(ignored);
}

void HttpSession::ReadHeader() {
  if (closed_) return;
  if (buffer_.size() == 0 && buffer_.capacity() > kIdleBufferBytes) buffer_.shrink_to_fit();
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(shared_->options.header_bytes_max));
  parser_->body_limit(static_cast<uint64_t>(shared_->options.body_bytes_max));
  parser_->get().body().lease = &lease_;
  route_ = nullptr;
  handler_ = nullptr;
  version_ = 11;
  Enter(State::kReadHeader, milliseconds(shared_->options.idle_timeout_ms));
  http::async_read_header(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](beast::error_code error, size_t) { self->OnHeader(error); });
}

void HttpSession::OnHeader(beast::error_code error) {
  if (error) return OnReadError(error);
  const auto& header = parser_->get();
  version_ = header.version();
  if (header.find(http::field::transfer_encoding) != header.end() && !parser_->chunked()) {
    return SendError(501, "only the transfer encoding \"chunked\" is understood\n", false);
  }
  const absl::string_view encoding = View(header[http::field::content_encoding]);
  if (!encoding.empty() && !absl::EqualsIgnoreCase(encoding, "identity")) {
    return SendError(415, "compressed request bodies are not understood\n", false);
  }
  if (!parser_->is_done() && version_ >= 11 &&
      absl::EqualsIgnoreCase(View(header[http::field::expect]), "100-continue")) {
    return SendContinue();
  }
  ReadBody();
}

void HttpSession::SendContinue() {
  Enter(State::kWrite, milliseconds(shared_->options.idle_timeout_ms));
  static constexpr absl::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";
  asio::async_write(socket_, asio::buffer(kContinue.data(), kContinue.size()),
                    [self = shared_from_this()](beast::error_code error, size_t) {
                      if (!error && !self->closed_) self->ReadBody();
                    });
}

void HttpSession::ReadBody() {
  if (parser_->is_done()) return Dispatch();
  Enter(State::kReadBody, milliseconds(shared_->options.idle_timeout_ms));
  // Beast reads as much as the buffer holds; its first buffer is small.
  const uint64_t expected = parser_->content_length_remaining().value_or(kReadBytes);
  buffer_.reserve(std::min<size_t>(kReadBytes, std::max<size_t>(buffer_.size(), expected)));
  http::async_read(
      socket_, buffer_, *parser_,
      [self = shared_from_this()](beast::error_code error, size_t) { self->OnBody(error); });
}

void HttpSession::OnBody(beast::error_code error) {
  if (error) return OnReadError(error);
  Dispatch();
}

void HttpSession::OnReadError(beast::error_code error) {
  if (closed_) return;
  if (timed_out_) {
    if (IsIdle()) return Drain();
    return SendError(408, "the request did not arrive in time\n", false);
  }
  if (error == http::error::end_of_stream) return Drain();
  if (error == http::error::partial_message) return;
  if (error == http::error::header_limit || error == http::error::buffer_overflow) {
    return SendError(431, "the request's header is too large\n", false);
  }
  if (error == http::error::body_limit) {
    return SendError(413,
                     absl::StrCat("the request's body is larger than ",
                                  shared_->options.body_bytes_max, " bytes\n"),
                     false);
  }
  if (error == boost::system::errc::not_enough_memory) {
    return SendError(503, "too many requests in memory, try again\n", false);
  }
  if (error.category() == make_error_code(http::error::end_of_stream).category()) {
    return SendError(400, absl::StrCat("not an HTTP request: ", error.message(), "\n"), false);
  }
  // The connection broke: nobody is left to answer.
}

void HttpSession::Dispatch() {
  state_ = State::kHandle;
  deadline_ = steady_clock::time_point::max();
  read_at_ = steady_clock::now();
  auto& message = parser_->get();
  keep_alive_ = parser_->keep_alive();
  request_ = HttpRequest();
  request_.method = std::string(View(message.method_string()));
  const auto [path, query] = SplitTarget(View(message.target()));
  request_.path = UrlDecode(path, false);
  query_ = query;
  route_ = shared_->routes.Find(request_.path);
  if (route_ == nullptr) return SendError(404, "no such page\n", keep_alive_);
  handler_ = route_->ForMethod(request_.method);
  if (handler_ == nullptr)
    return SendError(405, "this page does not take the method\n", keep_alive_);
  request_.body = std::move(message.body().data);
  request_.remote = remote_;
  ThreadPool& pool = *(route_->lane == HttpLane::kControl ? shared_->control : shared_->workers);
  auto task = [self = shared_from_this()]() mutable {
    HttpSession* session = self.get();
    session->Handle(std::move(self));
  };
  if (!pool.TrySubmit(std::move(task))) {
    lease_.Release();
    SendError(503, "too many requests, try again\n", keep_alive_);
  }
}

void HttpSession::Handle(std::shared_ptr<HttpSession> self) {
  const bool abandoned = shared_->abandon.load(std::memory_order_relaxed);
  if (!abandoned) {
    try {
      BuildResponse(RunHandler());
    } catch (const std::exception& e) {
      LogError("http", "handler of ", route_->pattern, " failed: ", e.what());
      BuildResponse(HttpResponse::Text(500, "internal error\n"));
    }
    shared_->metrics.request_seconds->Observe(
        std::chrono::duration<double>(steady_clock::now() - read_at_).count());
  }
  // The I/O thread gets the worker's reference, so that the session ends there.
  asio::post(shared_->io, [self = std::move(self), abandoned] {
    if (abandoned) return self->Close();
    self->StartWrite();
  });
}

HttpResponse HttpSession::RunHandler() {
  for (const auto& field : parser_->get()) {
    request_.headers.emplace_back(absl::AsciiStrToLower(View(field.name_string())),
                                  std::string(View(field.value())));
  }
  if (!ParseUrlEncoded(query_, &request_.params) || !AddFormParams(&request_)) {
    return HttpResponse::Text(400, "the request's parameters are too many or malformed\n");
  }
  HttpResponse answer = (*handler_)(request_);
  request_ = HttpRequest();
  lease_.Release();
  return answer;
}

void HttpSession::BuildResponse(HttpResponse answer) {
  const auto& request = parser_->get();
  const bool may_gzip = answer.body.size() > kGzipBytesMin && WorthGzip(answer.content_type) &&
                        std::none_of(answer.headers.begin(), answer.headers.end(), [](auto& field) {
                          return absl::EqualsIgnoreCase(field.first, "content-encoding");
                        });
  bool gzipped = false;
  if (may_gzip && AcceptsGzip(View(request[http::field::accept_encoding]))) {
    std::string packed = GzipCompress(answer.body);
    if (!packed.empty() && packed.size() < answer.body.size()) {
      answer.body = std::move(packed);
      gzipped = true;
    }
  }
  if (!lease_.Grow(static_cast<int64_t>(answer.body.size()))) {
    answer = HttpResponse::Text(503, "too many answers in memory, try again\n");
    gzipped = false;
  }

  response_ = Response(static_cast<http::status>(answer.status), version_);
  response_.set(http::field::server, "shoal");
  response_.set(http::field::date,
                absl::FormatTime("%a, %d %b %E4Y %H:%M:%S GMT", absl::Now(), absl::UTCTimeZone()));
  response_.set(http::field::content_type, SafeHeaderValue(answer.content_type));
  response_.set("X-Content-Type-Options", "nosniff");
  if (may_gzip) response_.set(http::field::vary, "Accept-Encoding");
  if (gzipped) response_.set(http::field::content_encoding, "gzip");
  for (const auto& [name, value] : answer.headers) {
    if (IsToken(name)) response_.insert(View(absl::string_view(name)), SafeHeaderValue(value));
  }
  if (answer.status == 405 && route_ != nullptr) {
    response_.set(http::field::allow, route_->Allow());
  }
  if (answer.status != 204 && answer.status != 304) {
    response_.content_length(answer.body.size());
    if (request.method() != http::verb::head) response_.body() = std::move(answer.body);
  }
  shared_->metrics.CountRequest(route_, answer.status);
}

void HttpSession::SendError(int status, absl::string_view text, bool keep_alive) {
  keep_alive_ = keep_alive;
  BuildResponse(HttpResponse::Text(status, text));
  StartWrite();
}

void HttpSession::StartWrite() {
  if (shared_->stopping) keep_alive_ = false;
  response_.keep_alive(keep_alive_);
  serializer_.emplace(response_);
  written_bytes_ = 0;
  Enter(State::kWrite, milliseconds(shared_->options.idle_timeout_ms));
  WriteSome();
}

void HttpSession::WriteSome() {
  if (closed_) return;
  http::async_write_some(socket_, *serializer_,
                         [self = shared_from_this()](beast::error_code error, size_t bytes) {
                           self->OnWritten(error, bytes);
                         });
}

void HttpSession::OnWritten(beast::error_code error, size_t bytes) {
  if (error || closed_) return;
  written_bytes_ += static_cast<int64_t>(bytes);
  if (!serializer_->is_done()) {
    if (written_bytes_ >= kWriteProgressBytes) {
      written_bytes_ = 0;
      Enter(State::kWrite, milliseconds(shared_->options.idle_timeout_ms));
    }
    return WriteSome();
  }
  serializer_.reset();
  response_ = Response();
  lease_.Release();
  if (!keep_alive_ || shared_->stopping) return Drain();
  ReadHeader();
}

void HttpSession::Drain() {
  beast::error_code error;
  socket_.shutdown(asio::ip::tcp::socket::shutdown_send, error);
  if (error) return;
  buffer_.clear();
  Enter(State::kDrain, std::min(kDrainTimeout, milliseconds(shared_->options.idle_timeout_ms)));
  DrainSome();
}

void HttpSession::DrainSome() {
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(4096),
                          [self = shared_from_this()](beast::error_code error, size_t) {
                            if (!error && !self->closed_) self->DrainSome();
                          });
}

}  // namespace shoal
