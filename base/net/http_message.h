// HTTP requests and responses as handlers see them, and the decoding of parameters. All functions
// are pure.
#pragma once

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

// A request with more parameters than this is refused: each costs far more memory than its two
// bytes of input.
inline constexpr size_t kHttpParamsMax = 20'000;

// Decoded parameters in order of appearance; a name may repeat (target=...&target=...). The parsers
// below drop a trailing
// "[]" of a name ("target[]" is "target"), as PHP-style clients write it.
class HttpParams {
 public:
  void Add(std::string name, std::string value) {
    items_.emplace_back(std::move(name), std::move(value));
  }
  bool Has(absl::string_view name) const;
  // The last value, as Django does; `fallback` when absent.
  absl::string_view Get(absl::string_view name, absl::string_view fallback = "") const;
  std::vector<std::string> GetAll(absl::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// "a=1&b=%20x+y" -> parameters. '+' is a space. Broken percent escapes stay as they are. False,
// with what was read so far, when `params` would hold more than kHttpParamsMax.
bool ParseUrlEncoded(absl::string_view text, HttpParams* params);
// The fields of a multipart/form-data body; parts that are files are skipped. False when the body
// does not have the form that `content_type` announces (boundary missing, not terminated), or as
// above.
bool ParseMultipartForm(absl::string_view content_type, absl::string_view body, HttpParams* params);
// Percent-decodes a path component.
std::string UrlDecode(absl::string_view text, bool plus_is_space);

struct HttpRequest {
  std::string method;  // upper case
  std::string path;    // decoded, without the query string
  // The query string's, then the form body's (application/x-www-form-urlencoded and
  // multipart/form-data).
  HttpParams params;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;
  std::string remote;  // "127.0.0.1:51234"

  absl::string_view Header(absl::string_view lower_case_name) const;  // empty when absent
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;

  static HttpResponse Text(int status, absl::string_view text);
  static HttpResponse Json(int status, std::string json);
};

}  // namespace shoal
