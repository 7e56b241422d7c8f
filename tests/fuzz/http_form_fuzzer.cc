// Parameters of HTTP requests: query strings and both kinds of form bodies. Oracle: what was read,
// written out again in the escaped form, reads the same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/check.h"
#include "base/net/http_gzip.h"
#include "base/net/http_message.h"

namespace {

std::string Escape(absl::string_view text) {
  std::string escaped;
  for (char c : text) absl::StrAppendFormat(&escaped, "%%%02x", static_cast<unsigned char>(c));
  return escaped;
}

void CheckReadsBack(const shoal::HttpParams& params) {
  std::string text;
  for (const auto& [name, value] : params.items()) {
    // A name may still end in "[]": only the last pair is dropped.
    absl::StrAppend(&text, Escape(name), absl::EndsWith(name, "[]") ? "%5b%5d" : "", "=",
                    Escape(value), "&");
  }
  shoal::HttpParams again;
  SHOAL_CHECK(shoal::ParseUrlEncoded(text, &again));
  SHOAL_CHECK(again.items() == params.items());
}

}  // namespace

// Input: one byte for the length of a Content-Type, the Content-Type, the body.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view input(reinterpret_cast<const char*>(data), size);
  shoal::HttpParams form;
  shoal::ParseUrlEncoded(input, &form);
  CheckReadsBack(form);
  SHOAL_CHECK(shoal::UrlDecode(Escape(input), false) == input);

  if (input.empty()) return 0;
  const size_t type_size = static_cast<unsigned char>(input[0]);
  const absl::string_view type = input.substr(1, type_size);
  const absl::string_view body = input.substr(1 + type.size());
  shoal::HttpParams multipart;
  shoal::ParseMultipartForm(type, body, &multipart);
  size_t bytes = 0;
  for (const auto& [name, value] : multipart.items()) bytes += name.size() + value.size();
  SHOAL_CHECK(bytes <= body.size());
  CheckReadsBack(multipart);
  shoal::AcceptsGzip(type);
  return 0;
}
