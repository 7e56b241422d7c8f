#include "base/config.h"

#include <algorithm>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "base/carbon_ini.h"
#include "base/status_macros.h"
#include "toml++/toml.h"

namespace shoal {
namespace {

struct Unit {
  absl::string_view name;
  int64_t factor;
};
constexpr Unit kByteUnits[] = {
    {"B", 1}, {"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", int64_t{1} << 40}};
constexpr Unit kDurationUnits[] = {
    {"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}, {"d", 86'400'000}};

const char* TypeName(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::table:
      return "a table";
    case toml::node_type::array:
      return "an array";
    case toml::node_type::string:
      return "a string";
    case toml::node_type::integer:
      return "an integer";
    case toml::node_type::floating_point:
      return "a float";
    case toml::node_type::boolean:
      return "a boolean";
    default:
      return "a date or time";
  }
}

// "64MiB" by the units; false for anything else, and past 64 bits.
bool ParseWithUnit(absl::string_view text, absl::Span<const Unit> units, int64_t* value) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) {
    ++digits;
  }
  int64_t number = 0;
  if (!absl::SimpleAtoi(text.substr(0, digits), &number)) return false;
  const absl::string_view name = absl::StripLeadingAsciiWhitespace(text.substr(digits));
  for (const Unit& unit : units) {
    if (name == unit.name) return !__builtin_mul_overflow(number, unit.factor, value);
  }
  return false;
}

std::string UnitNames(absl::Span<const Unit> units) {
  return absl::StrJoin(units, ", ",
                       [](std::string* out, const Unit& unit) { absl::StrAppend(out, unit.name); });
}

// toml++ throws; nothing leaves here but a Status.
absl::StatusOr<toml::table> ParseToml(absl::string_view text, const std::string& name) {
  try {
    return toml::parse(std::string_view(text.data(), text.size()), name);
  } catch (const toml::parse_error& error) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ":", error.source().begin.line, ": ",
                     absl::string_view(error.description().data(), error.description().size())));
  }
}

}  // namespace

struct Config::Impl {
  std::string name;
  toml::table root;
  absl::Status status;
  absl::flat_hash_set<std::string> known;                   // keys that were asked for
  absl::flat_hash_set<std::string> table_arrays;            // keys of TableCount
  absl::flat_hash_map<std::string, std::string> overrides;  // key -> text of the value

  // The node of a dotted key, or nullptr; *line is that of the deepest node on the way that has
  // one, else 0.
  toml::node* Find(absl::string_view key, uint32_t* line) {
    toml::node* node = &root;
    *line = 0;
    for (absl::string_view part : absl::StrSplit(key, '.')) {
      if (toml::table* table = node->as_table()) {
        node = table->get(std::string_view(part.data(), part.size()));
      } else if (toml::array* array = node->as_array()) {
        size_t index = 0;
        node = absl::SimpleAtoi(part, &index) ? array->get(index) : nullptr;
      } else {
        node = nullptr;
      }
      if (node == nullptr) return nullptr;
      if (node->source().begin.line != 0) *line = node->source().begin.line;
    }
    return node;
  }

  void Fail(absl::string_view key, absl::string_view message) {
    if (!status.ok()) return;
    std::string where;
    if (overrides.contains(key)) {
      where = "--set ";
    } else {
      uint32_t line;
      Find(key, &line);
      where = line == 0 ? absl::StrCat(name, ": ") : absl::StrCat(name, ":", line, ": ");
    }
    status = absl::InvalidArgumentError(absl::StrCat(where, key, ": ", message));
  }

  void FailType(absl::string_view key, absl::string_view expected, const toml::node& found) {
    Fail(key, absl::StrCat("expected ", expected, ", found ", TypeName(found)));
  }

  // Notes the key as known. Nothing once an error was met.
  toml::node* Ask(absl::string_view key) {
    known.emplace(key);
    uint32_t line;
    return status.ok() ? Find(key, &line) : nullptr;
  }

  // A string, or the text of an override that happens to be valid TOML of another type: `--set
  // node.name=7`.
  bool AsString(absl::string_view key, const toml::node& node, std::string* value) {
    if (const auto* text = node.as_string()) {
      *value = text->get();
      return true;
    }
    const auto given = overrides.find(key);
    if (given == overrides.end() || !node.is_value()) return false;
    *value = given->second;
    return true;
  }

  void SetInRange(absl::string_view key, int64_t number, int64_t min, int64_t max,
                  absl::string_view unit, int64_t* value) {
    if (number >= min && number <= max) {
      *value = number;
      return;
    }
    Fail(key, absl::StrCat("expected ", min, unit, " to ", max, unit, ", found ", number, unit));
  }

  absl::Status ApplyOverride(absl::string_view text);
  void CheckTable(const toml::table& table, const std::string& prefix);
  void CheckNode(const toml::node& node, const std::string& key);
  bool IsKnownTable(const std::string& key) const;
};

absl::Status Config::Impl::ApplyOverride(absl::string_view text) {
  const size_t equals = text.find('=');
  const absl::string_view key =
      absl::StripAsciiWhitespace(text.substr(0, std::min(equals, text.size())));
  const auto error = [&](absl::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", key, ": ", message));
  };
  if (equals == absl::string_view::npos || key.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("--set ", text, ": expected section.key=value"));
  }
  const std::string value(absl::StripAsciiWhitespace(text.substr(equals + 1)));
  // The value is read as the only line of a document; what is not TOML, or is more than one value,
  // is a string.
  toml::table parsed;
  if (value.find('\n') == std::string::npos) {
    auto document = ParseToml(absl::StrCat("value = ", value), "--set");
    if (document.ok()) parsed = *std::move(document);
  }
  if (parsed.size() != 1) {
    parsed.clear();
    parsed.insert("value", value);
  }

  toml::node* node = &root;
  const std::vector<std::string> parts = absl::StrSplit(key, '.');
  for (size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].empty()) return error("an empty part in the key");
    const bool is_last = i + 1 == parts.size();
    if (toml::table* table = node->as_table()) {
      if (is_last) {
        table->insert_or_assign(parts[i], *parsed.get("value"));
        break;
      }
      node = table->get(parts[i]);
      if (node == nullptr) node = &table->insert(parts[i], toml::table{}).first->second;
    } else {
      size_t index = 0;
      toml::array* array = node->as_array();
      toml::node* element =
          array != nullptr && absl::SimpleAtoi(parts[i], &index) ? array->get(index) : nullptr;
      if (element == nullptr || is_last) {
        return error(absl::StrCat("\"", absl::StrJoin(parts.begin(), parts.begin() + i, "."),
                                  "\" has no \"", parts[i], "\""));
      }
      node = element;
    }
  }
  overrides[std::string(key)] = value;
  return absl::OkStatus();
}

bool Config::Impl::IsKnownTable(const std::string& key) const {
  const std::string prefix = key + ".";
  for (const std::string& known_key : known) {
    if (absl::StartsWith(known_key, prefix)) return true;
  }
  return false;
}

void Config::Impl::CheckTable(const toml::table& table, const std::string& prefix) {
  for (const auto& [toml_key, node] : table) {
    const absl::string_view key(toml_key.str().data(), toml_key.str().size());
    // A quoted key with a dot in it is not the dotted key of the same spelling.
    const bool quoted = absl::StrContains(key, '.');
    CheckNode(node, quoted ? absl::StrCat(prefix, "\"", key, "\"") : absl::StrCat(prefix, key));
  }
}

void Config::Impl::CheckNode(const toml::node& node, const std::string& key) {
  if (!status.ok() || known.contains(key)) return;
  if (const toml::table* table = node.as_table()) {
    if (!table->empty()) return CheckTable(*table, key + ".");
    if (IsKnownTable(key)) return;
  } else if (const toml::array* array = node.as_array(); array && table_arrays.contains(key)) {
    for (size_t i = 0; i < array->size(); ++i) {
      CheckNode(*array->get(i), absl::StrCat(key, ".", i));
    }
    return;
  } else if (IsKnownTable(key)) {
    return FailType(key, "a table", node);
  }
  uint32_t line = node.source().begin.line;
  if (uint32_t found_line; line != 0 && Find(key, &found_line) == nullptr) {
    // A key that Find cannot spell.
    status =
        absl::InvalidArgumentError(absl::StrCat(name, ":", line, ": ", key, ": unknown setting"));
    return;
  }
  Fail(key, "unknown setting");
}

Config::Config(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Config::Config(Config&&) noexcept = default;
Config& Config::operator=(Config&&) noexcept = default;
Config::~Config() = default;

absl::StatusOr<Config> Config::Load(const std::string& path,
                                    const std::vector<std::string>& overrides) {
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return Parse(text, path, overrides);
}

absl::StatusOr<Config> Config::Parse(absl::string_view text, const std::string& name,
                                     const std::vector<std::string>& overrides) {
  auto impl = std::make_unique<Impl>();
  impl->name = name;
  SHOAL_ASSIGN_OR_RETURN(impl->root, ParseToml(text, name));
  for (const std::string& given : overrides) {
    SHOAL_RETURN_IF_ERROR(impl->ApplyOverride(given));
  }
  return Config(std::move(impl));
}

void Config::GetString(absl::string_view key, std::string* value) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  if (!impl_->AsString(key, *node, value)) impl_->FailType(key, "a string", *node);
}

void Config::GetBool(absl::string_view key, bool* value) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  if (const auto* boolean = node->as_boolean()) {
    *value = boolean->get();
  } else {
    impl_->FailType(key, "true or false", *node);
  }
}

void Config::GetInt(absl::string_view key, int64_t* value, int64_t min, int64_t max) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  if (const auto* integer = node->as_integer()) {
    impl_->SetInRange(key, integer->get(), min, max, "", value);
  } else {
    impl_->FailType(key, "an integer", *node);
  }
}

void Config::GetDouble(absl::string_view key, double* value, double min, double max) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  double number = 0;
  if (const auto* real = node->as_floating_point()) {
    number = real->get();
  } else if (const auto* integer = node->as_integer()) {
    number = static_cast<double>(integer->get());
  } else {
    return impl_->FailType(key, "a number", *node);
  }
  if (number >= min && number <= max) {
    *value = number;
  } else {  // NaN comes here too
    impl_->Fail(key, absl::StrCat("expected ", min, " to ", max, ", found ", number));
  }
}

void Config::GetBytes(absl::string_view key, int64_t* value, int64_t min, int64_t max) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  int64_t bytes = 0;
  if (const auto* integer = node->as_integer()) {
    bytes = integer->get();
  } else if (const auto* text = node->as_string(); text == nullptr) {
    return impl_->FailType(key, "a size such as \"64MiB\"", *node);
  } else if (!ParseWithUnit(text->get(), kByteUnits, &bytes)) {
    return impl_->Fail(key, absl::StrCat("expected a whole number with a unit of ",
                                         UnitNames(kByteUnits), ", found \"", text->get(), "\""));
  }
  impl_->SetInRange(key, bytes, min, max, "B", value);
}

void Config::GetDurationMs(absl::string_view key, int64_t* value, int64_t min, int64_t max) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  int64_t duration_ms = 0;
  const auto* text = node->as_string();
  // A bare number would leave the reader of the file to guess its unit.
  if (text == nullptr) return impl_->FailType(key, "a duration such as \"10s\"", *node);
  if (!ParseWithUnit(text->get(), kDurationUnits, &duration_ms)) {
    return impl_->Fail(
        key, absl::StrCat("expected a whole number with a unit of ", UnitNames(kDurationUnits),
                          ", found \"", text->get(), "\""));
  }
  impl_->SetInRange(key, duration_ms, min, max, "ms", value);
}

void Config::GetStringList(absl::string_view key, std::vector<std::string>* value) {
  const toml::node* node = impl_->Ask(key);
  if (node == nullptr) return;
  const toml::array* array = node->as_array();
  if (array == nullptr) return impl_->FailType(key, "an array of strings", *node);
  std::vector<std::string> texts;
  for (const toml::node& element : *array) {
    const auto* text = element.as_string();
    if (text == nullptr) return impl_->FailType(key, "an array of strings only", element);
    texts.push_back(text->get());
  }
  *value = std::move(texts);
}

void Config::GetChoice(absl::string_view key, std::string* value,
                       const std::vector<std::string>& allowed) {
  std::string chosen = *value;
  GetString(key, &chosen);
  if (chosen == *value) return;
  for (const std::string& choice : allowed) {
    if (chosen != choice) continue;
    *value = std::move(chosen);
    return;
  }
  impl_->Fail(key, absl::StrCat("expected one of ", absl::StrJoin(allowed, ", "), ", found \"",
                                chosen, "\""));
}

bool Config::Has(absl::string_view key) const {
  uint32_t line;
  return impl_->Find(key, &line) != nullptr;
}

void Config::Require(absl::string_view key) {
  if (!Has(key)) impl_->Fail(key, "missing");
}

void Config::Fail(absl::string_view key, absl::string_view message) { impl_->Fail(key, message); }

size_t Config::TableCount(absl::string_view key) {
  impl_->table_arrays.emplace(key);
  uint32_t line;
  const toml::node* node = impl_->status.ok() ? impl_->Find(key, &line) : nullptr;
  if (node == nullptr) return 0;
  const toml::array* array = node->as_array();
  if (array == nullptr) {
    impl_->FailType(key, absl::StrCat("tables headed [[", key, "]]"), *node);
    return 0;
  }
  for (const toml::node& element : *array) {
    if (element.is_table()) continue;
    impl_->FailType(key, absl::StrCat("tables headed [[", key, "]]"), element);
    return 0;
  }
  return array->size();
}

std::string Config::ResolvePath(const std::string& path) const {
  if (path.empty() || path.front() == '/') return path;
  const size_t slash = impl_->name.rfind('/');
  if (slash == std::string::npos) return path;
  return absl::StrCat(impl_->name.substr(0, slash + 1), path);
}

absl::Status Config::Finish() {
  if (impl_->status.ok()) impl_->CheckTable(impl_->root, "");
  return impl_->status;
}

absl::StatusOr<HostPort> ParseHostPort(absl::string_view text) {
  const auto error = [text](absl::string_view message) {
    return absl::InvalidArgumentError(absl::StrCat("\"", text, "\": ", message));
  };
  HostPort result;
  absl::string_view host;
  absl::string_view port;
  if (absl::StartsWith(text, "[")) {
    const size_t end = text.find("]:");
    if (end == absl::string_view::npos) return error("expected [ADDRESS]:PORT");
    host = text.substr(1, end - 1);
    port = text.substr(end + 2);
  } else {
    const size_t colon = text.find(':');
    if (colon == absl::string_view::npos) return error("expected HOST:PORT");
    host = text.substr(0, colon);
    port = text.substr(colon + 1);
    if (absl::StrContains(port, ':')) return error("an IPv6 address goes in brackets: [::1]:2003");
  }
  if (host.empty()) return error("no host");
  for (const char c : host) {
    if (!absl::ascii_isgraph(static_cast<unsigned char>(c)) || absl::StrContains("/[]\"'", c)) {
      return error("not a host");
    }
  }
  int number = -1;
  for (const char c : port) {
    if (!absl::ascii_isdigit(static_cast<unsigned char>(c)))
      return error("the port is not a number");
  }
  if (!absl::SimpleAtoi(port, &number) || number < 0 || number > 65535) {
    return error("the port is not a number from 0 to 65535");
  }
  result.host = std::string(host);
  result.port = static_cast<uint16_t>(number);
  return result;
}

}  // namespace shoal
