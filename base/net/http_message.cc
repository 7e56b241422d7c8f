#include "base/net/http_message.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

namespace shoal {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

bool AddParam(std::string name, std::string value, HttpParams* params) {
  if (params->items().size() >= kHttpParamsMax) return false;
  if (absl::EndsWith(name, "[]")) name.resize(name.size() - 2);
  params->Add(std::move(name), std::move(value));
  return true;
}

// The value of `; key=value` or `; key="value"` in a header such as Content-Disposition. False when
// it is absent.
bool HeaderParam(absl::string_view header, absl::string_view key, std::string* value) {
  size_t pos = header.find(';');
  while (pos != absl::string_view::npos && pos < header.size()) {
    const size_t equals = header.find('=', pos + 1);
    if (equals == absl::string_view::npos) return false;
    const absl::string_view name =
        absl::StripAsciiWhitespace(header.substr(pos + 1, equals - pos - 1));
    std::string text;
    pos = equals + 1;
    while (pos < header.size() && (header[pos] == ' ' || header[pos] == '\t')) ++pos;
    if (pos < header.size() && header[pos] == '"') {
      for (++pos; pos < header.size() && header[pos] != '"'; ++pos) {
        if (header[pos] == '\\' && pos + 1 < header.size()) ++pos;
        text.push_back(header[pos]);
      }
      pos = header.find(';', pos);
    } else {
      const size_t end = header.find(';', pos);
      text = std::string(absl::StripAsciiWhitespace(header.substr(
          pos, end == absl::string_view::npos ? absl::string_view::npos : end - pos)));
      pos = end;
    }
    if (absl::EqualsIgnoreCase(name, key)) {
      *value = std::move(text);
      return true;
    }
  }
  return false;
}

// Takes one line without its line end off `text`. False when there is no line end.
bool TakeLine(absl::string_view* text, absl::string_view* line) {
  const size_t end = text->find('\n');
  if (end == absl::string_view::npos) return false;
  *line = absl::StripSuffix(text->substr(0, end), "\r");
  text->remove_prefix(end + 1);
  return true;
}

// One part between two boundaries: headers, an empty line, the content.
bool ParsePart(absl::string_view part, HttpParams* params) {
  std::string name;
  std::string ignored;
  bool is_field = false;
  absl::string_view line;
  do {
    if (!TakeLine(&part, &line)) return false;
    const absl::string_view kDisposition = "content-disposition:";
    if (absl::StartsWithIgnoreCase(line, kDisposition)) {
      const absl::string_view disposition = line.substr(kDisposition.size());
      is_field = HeaderParam(disposition, "name", &name) &&
                 !HeaderParam(disposition, "filename", &ignored);
    }
  } while (!line.empty());
  return !is_field || AddParam(std::move(name), std::string(part), params);
}

}  // namespace

bool HttpParams::Has(absl::string_view name) const {
  for (const auto& [key, value] : items_) {
    if (key == name) return true;
  }
  return false;
}

absl::string_view HttpParams::Get(absl::string_view name, absl::string_view fallback) const {
  for (auto it = items_.rbegin(); it != items_.rend(); ++it) {
    if (it->first == name) return it->second;
  }
  return fallback;
}

std::vector<std::string> HttpParams::GetAll(absl::string_view name) const {
  std::vector<std::string> values;
  for (const auto& [key, value] : items_) {
    if (key == name) values.push_back(value);
  }
  return values;
}

std::string UrlDecode(absl::string_view text, bool plus_is_space) {
  std::string decoded;
  decoded.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '%' && i + 2 < text.size()) {
      const int high = HexDigit(text[i + 1]);
      const int low = HexDigit(text[i + 2]);
      if (high >= 0 && low >= 0) {
        decoded.push_back(static_cast<char>(high * 16 + low));
        i += 2;
        continue;
      }
    }
    decoded.push_back(c == '+' && plus_is_space ? ' ' : c);
  }
  return decoded;
}

bool ParseUrlEncoded(absl::string_view text, HttpParams* params) {
  while (!text.empty()) {
    const size_t end = text.find('&');
    const absl::string_view item = text.substr(0, end);
    text = end == absl::string_view::npos ? absl::string_view() : text.substr(end + 1);
    if (item.empty()) continue;
    const size_t equals = item.find('=');
    const absl::string_view value =
        equals == absl::string_view::npos ? absl::string_view() : item.substr(equals + 1);
    if (!AddParam(UrlDecode(item.substr(0, equals), true), UrlDecode(value, true), params)) {
      return false;
    }
  }
  return true;
}

bool ParseMultipartForm(absl::string_view content_type, absl::string_view body,
                        HttpParams* params) {
  std::string boundary;
  // RFC 2046 allows boundaries of 1 to 70 bytes.
  if (!HeaderParam(content_type, "boundary", &boundary) || boundary.empty() ||
      boundary.size() > 70) {
    return false;
  }
  const std::string first = absl::StrCat("--", boundary);
  const std::string delimiter = absl::StrCat("\r\n", first);
  // Text in front of the first boundary is a preamble, to be ignored.
  size_t start = 0;
  if (!absl::StartsWith(body, first)) {
    start = body.find(delimiter);
    if (start == absl::string_view::npos) return false;
    start += 2;
  }
  body.remove_prefix(start + first.size());
  while (!absl::StartsWith(body, "--")) {
    absl::string_view rest_of_boundary_line;
    if (!TakeLine(&body, &rest_of_boundary_line)) return false;
    const size_t end = body.find(delimiter);
    if (end == absl::string_view::npos) return false;
    if (!ParsePart(body.substr(0, end), params)) return false;
    body.remove_prefix(end + delimiter.size());
  }
  return true;
}

absl::string_view HttpRequest::Header(absl::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) return value;
  }
  return "";
}

HttpResponse HttpResponse::Text(int status, absl::string_view text) {
  HttpResponse response;
  response.status = status;
  response.body = std::string(text);
  return response;
}

HttpResponse HttpResponse::Json(int status, std::string json) {
  HttpResponse response;
  response.status = status;
  response.content_type = "application/json";
  response.body = std::move(json);
  return response;
}

}  // namespace shoal
