#include "base/carbon_ini.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

constexpr size_t kFileBytesMax = 16 << 20;

bool IsComment(absl::string_view text) {
  return !text.empty() && (text.front() == '#' || text.front() == ';');
}

// Without "# ..." after white space.
absl::string_view WithoutComment(absl::string_view text) {
  for (size_t i = 1; i < text.size(); ++i) {
    if (text[i] == '#' && absl::ascii_isspace(static_cast<unsigned char>(text[i - 1]))) {
      return text.substr(0, i);
    }
  }
  return text;
}

class Parser {
 public:
  explicit Parser(absl::string_view file) : file_(file) {}

  absl::Status AddLine(absl::string_view line) {
    ++line_;
    if (line.find('\0') != absl::string_view::npos) return Error("a NUL byte");
    const absl::string_view text = absl::StripAsciiWhitespace(line);
    if (text.empty() || IsComment(text)) return absl::OkStatus();
    const size_t indent = line.find_first_not_of(" \t");
    const absl::string_view body = absl::StripTrailingAsciiWhitespace(WithoutComment(text));
    // As in Python's ConfigParser: what is indented deeper than the key above it goes on with that
    // key's value.
    if (has_key_ && indent > key_indent_) {
      absl::StrAppend(&sections_.back().entries.back().value, "\n", body);
      return absl::OkStatus();
    }
    if (body.front() == '[') return AddSection(body);
    key_indent_ = indent;
    return AddEntry(body);
  }

  std::vector<CarbonIniSection> TakeSections() { return std::move(sections_); }

 private:
  absl::Status Error(absl::string_view message) const {
    return absl::InvalidArgumentError(absl::StrCat(file_, ":", line_, ": ", message));
  }

  absl::Status AddSection(absl::string_view body) {
    if (body.back() != ']') return Error("a section's name must end in ']'");
    const absl::string_view name = absl::StripAsciiWhitespace(body.substr(1, body.size() - 2));
    if (name.empty()) return Error("a section without a name");
    const auto same = std::find_if(sections_.begin(), sections_.end(),
                                   [name](const auto& section) { return section.name == name; });
    if (same != sections_.end()) {
      return Error(absl::StrCat("section [", name, "] was already in line ", same->line));
    }
    CarbonIniSection section;
    section.name = std::string(name);
    section.line = line_;
    sections_.push_back(std::move(section));
    has_key_ = false;
    return absl::OkStatus();
  }

  absl::Status AddEntry(absl::string_view body) {
    const size_t delimiter = body.find_first_of("=:");
    if (delimiter == absl::string_view::npos) {
      return Error(absl::StrCat("\"", body, "\" is neither [section] nor key = value"));
    }
    CarbonIniEntry entry;
    entry.key =
        absl::AsciiStrToLower(absl::StripTrailingAsciiWhitespace(body.substr(0, delimiter)));
    entry.value = std::string(absl::StripLeadingAsciiWhitespace(body.substr(delimiter + 1)));
    entry.line = line_;
    if (entry.key.empty()) return Error("a value without a key");
    if (sections_.empty()) return Error(absl::StrCat(entry.key, ": stands before any [section]"));
    CarbonIniSection& section = sections_.back();
    if (const CarbonIniEntry* same = section.Find(entry.key); same != nullptr) {
      return Error(absl::StrCat(entry.key, ": was already set in line ", same->line));
    }
    section.entries.push_back(std::move(entry));
    has_key_ = true;
    return absl::OkStatus();
  }

  const absl::string_view file_;
  int line_ = 0;
  bool has_key_ = false;
  size_t key_indent_ = 0;  // of the newest key, valid while has_key_
  std::vector<CarbonIniSection> sections_;
};

}  // namespace

const CarbonIniEntry* CarbonIniSection::Find(absl::string_view key) const {
  for (const CarbonIniEntry& entry : entries) {
    if (entry.key == key) return &entry;
  }
  return nullptr;
}

absl::StatusOr<std::vector<CarbonIniSection>> ParseCarbonIni(absl::string_view text,
                                                             absl::string_view file) {
  absl::ConsumePrefix(&text, "\xef\xbb\xbf");  // the byte order mark that some editors leave
  Parser parser(file);
  for (absl::string_view line : absl::StrSplit(text, '\n')) {
    SHOAL_RETURN_IF_ERROR(parser.AddLine(line));
  }
  return parser.TakeSections();
}

absl::StatusOr<std::string> ReadTextFile(const std::string& path) {
  const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rbe"),
                                                             &std::fclose);
  if (file == nullptr) {
    const int error = errno;
    const std::string message = absl::StrCat(path, ": ", std::strerror(error));
    return error == ENOENT ? absl::NotFoundError(message) : absl::InvalidArgumentError(message);
  }
  std::string text;
  char buffer[16384];
  size_t got;
  while ((got = std::fread(buffer, 1, sizeof(buffer), file.get())) > 0) {
    text.append(buffer, got);
    if (text.size() > kFileBytesMax) {
      return absl::InvalidArgumentError(
          absl::StrCat(path, ": larger than ", kFileBytesMax, " bytes"));
    }
  }
  if (std::ferror(file.get())) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", std::strerror(errno)));
  }
  return text;
}

}  // namespace shoal
