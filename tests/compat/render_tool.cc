// Answers HTTP requests of a script from series in memory, through the real handlers: the other
// side of graphite_diff.py.
//
// Standard input, a line each:
//   archive NAME RETENTION STEP START VALUE...   one archive of a series, finest first; N is absent
//   get PATH[?QUERY]                             answered at once by "STATUS BYTES\n", the body,
//   "\n"

#include <charconv>
#include <cstdio>
#include <iostream>
#include <sstream>
#include <string>

#include "absl/strings/match.h"
#include "router/api/api.h"
#include "tests/router/query/memory_source.h"

namespace shoal {
namespace {

bool ReadArchive(std::istringstream& line, MemorySource* source) {
  Series points;
  int64_t retention_sec = 0;
  if (!(line >> points.name >> retention_sec >> points.step_sec >> points.start_sec)) return false;
  for (std::string text; line >> text;) {
    double value = kAbsent;
    if (text != "N" &&
        std::from_chars(text.data(), text.data() + text.size(), value).ec != std::errc())
      return false;
    points.values.push_back(value);
  }
  const std::string name = points.name;
  source->AddArchive(name, retention_sec, std::move(points));
  return true;
}

HttpResponse Answer(const std::string& url, MemorySource* source) {
  const ApiOptions options;
  HttpRequest request;
  request.method = "GET";
  const size_t mark = url.find('?');
  request.path = UrlDecode(url.substr(0, mark), /*plus_is_space=*/false);
  if (mark != std::string::npos) ParseUrlEncoded(url.substr(mark + 1), &request.params);
  if (request.path == "/render") return HandleRender(request, source, options);
  if (request.path == "/metrics/find") return HandleFind(request, source, options);
  if (request.path == "/metrics/expand") return HandleExpand(request, source, options);
  if (request.path == "/metrics/index.json") return HandleIndex(request, source, options);
  if (absl::StartsWith(request.path, "/functions")) return HandleFunctions(request);
  return HttpResponse::Text(404, "no such path\n");
}

int Main() {
  std::ios::sync_with_stdio(false);
  MemorySource source;
  for (std::string text; std::getline(std::cin, text);) {
    std::istringstream line(text);
    std::string word;
    line >> word;
    if (word == "archive" && ReadArchive(line, &source)) continue;
    std::string url;
    if (word != "get" || !(line >> url)) {
      std::cerr << "cannot read: " << text.substr(0, 100) << "\n";
      return 2;
    }
    const HttpResponse response = Answer(url, &source);
    std::cout << response.status << " " << response.body.size() << "\n"
              << response.body << "\n"
              << std::flush;
  }
  return 0;
}

}  // namespace
}  // namespace shoal

int main() { return shoal::Main(); }
