// HTTP requests and responses as handlers see them.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

namespace shoal {

// Decoded parameters in order of appearance; a name may repeat (target=...&target=...).
class HttpParams {
 public:
  void Add(std::string name, std::string value) { items_.emplace_back(std::move(name), std::move(value)); }
  bool Has(absl::string_view name) const;
  // The last value, as Django does; `fallback` when absent.
  absl::string_view Get(absl::string_view name, absl::string_view fallback = "") const;
  std::vector<std::string> GetAll(absl::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& items() const { return items_; }

 private:
  std::vector<std::pair<std::string, std::string>> items_;
};

// "a=1&b=%20x+y" -> parameters. '+' is a space. Broken percent escapes stay as they are.
void ParseUrlEncoded(absl::string_view text, HttpParams* params);
// Percent-decodes a path component.
std::string UrlDecode(absl::string_view text, bool plus_is_space);

struct HttpRequest {
  std::string method;  // upper case
  std::string path;    // decoded, without the query string
  HttpParams params;   // the query string's, then the form body's (application/x-www-form-urlencoded and multipart/form-data)
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
