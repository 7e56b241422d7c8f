#include "base/metric/retention.h"

#include <re2/re2.h>

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/carbon_ini.h"
#include "base/metric/config_pattern.h"
#include "base/status_macros.h"

namespace shoal {
namespace {

struct Unit {
  absl::string_view name;
  int64_t seconds;
};
// Whisper's units; 'm' is minutes because months do not exist there.
constexpr Unit kUnits[] = {
    {"seconds", 1},  {"minutes", 60},   {"hours", 3600},
    {"days", 86400}, {"weeks", 604800}, {"years", 31536000},
};

// Whisper's headers keep steps, numbers of points and retentions in 32 bits. The same bound keeps
// our products from overflowing.
constexpr int64_t kSecondsMax = std::numeric_limits<uint32_t>::max();
// An archive's number is one byte in storage; nobody needs as many.
constexpr size_t kArchivesMax = 32;

absl::Status BadRetention(absl::string_view text, absl::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("retention \"", text, "\": ", why));
}

// "10", "10s", "5min": the number, and the seconds of its unit (0 without one). Nothing when
// malformed or too large.
struct Quantity {
  int64_t number = 0;
  int64_t unit_sec = 0;
};
std::optional<Quantity> ParseQuantity(absl::string_view text) {
  size_t digits = 0;
  while (digits < text.size() && absl::ascii_isdigit(static_cast<unsigned char>(text[digits]))) {
    ++digits;
  }
  Quantity quantity;
  // Ten digits hold every number up to kSecondsMax.
  const absl::string_view number = text.substr(0, digits);
  if (!absl::SimpleAtoi(number, &quantity.number) || quantity.number > kSecondsMax) {
    return std::nullopt;
  }
  const absl::string_view unit_text = text.substr(digits);
  if (unit_text.empty()) return quantity;
  for (const Unit& unit : kUnits) {
    if (!absl::StartsWith(unit.name, unit_text)) continue;
    quantity.unit_sec = unit.seconds;
    return quantity;
  }
  return std::nullopt;
}

absl::StatusOr<Archive> ParseArchive(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, ':');
  if (parts.size() != 2) return BadRetention(text, "expected STEP:RETENTION, as in 10s:6h");
  const auto step = ParseQuantity(absl::StripAsciiWhitespace(parts[0]));
  const auto retention = ParseQuantity(absl::StripAsciiWhitespace(parts[1]));
  if (!step || !retention) {
    return BadRetention(
        text, absl::StrCat(step ? "the retention" : "the step",
                           " is not a number below 2^32 with a unit of s, m, h, d, w or y"));
  }
  Archive archive;
  archive.step_sec = step->number * std::max<int64_t>(step->unit_sec, 1);
  if (archive.step_sec <= 0) return BadRetention(text, "the step is zero");
  if (archive.step_sec > kSecondsMax) return BadRetention(text, "the step is too long");
  archive.points = retention->unit_sec == 0
                       ? retention->number
                       : retention->number * retention->unit_sec / archive.step_sec;
  if (archive.points <= 0) return BadRetention(text, "holds not even one point");
  if (archive.points > kSecondsMax / archive.step_sec) {
    return BadRetention(text, "covers more than 2^32 seconds");
  }
  return archive;
}

std::string DurationText(int64_t seconds) {
  const Unit* largest = &kUnits[0];
  for (const Unit& unit : kUnits) {
    if (seconds % unit.seconds == 0) largest = &unit;
  }
  return absl::StrCat(seconds / largest->seconds, largest->name.substr(0, 1));
}

std::string ArchiveText(const Archive& archive) {
  return absl::StrCat(DurationText(archive.step_sec), ":", DurationText(archive.retention_sec()));
}

// `coarse` follows `fine` in the list.
absl::Status CheckNeighbours(const Archive& fine, const Archive& coarse) {
  const auto bad = [&](absl::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("retentions ", ArchiveText(fine), " and ", ArchiveText(coarse), ": ", why));
  };
  if (coarse.step_sec == fine.step_sec) return bad("the same step twice");
  if (coarse.step_sec % fine.step_sec != 0)
    return bad("the finer step does not divide the coarser");
  if (coarse.retention_sec() <= fine.retention_sec()) {
    return bad("the coarser archive must cover more time than the finer");
  }
  if (fine.points < coarse.step_sec / fine.step_sec) {
    return bad("the finer archive holds too few points to make one of the coarser");
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<Archive>> ParseRetentions(absl::string_view text) {
  std::vector<Archive> archives;
  for (absl::string_view part : absl::StrSplit(text, ',')) {
    SHOAL_ASSIGN_OR_RETURN(const Archive archive, ParseArchive(absl::StripAsciiWhitespace(part)));
    if (archives.size() == kArchivesMax) {
      return absl::InvalidArgumentError(absl::StrCat("more than ", kArchivesMax, " retentions"));
    }
    archives.push_back(archive);
  }
  std::stable_sort(archives.begin(), archives.end(),
                   [](const Archive& a, const Archive& b) { return a.step_sec < b.step_sec; });
  for (size_t i = 1; i < archives.size(); ++i) {
    SHOAL_RETURN_IF_ERROR(CheckNeighbours(archives[i - 1], archives[i]));
  }
  return archives;
}

std::string RetentionsText(const std::vector<Archive>& archives) {
  std::string text;
  for (const Archive& archive : archives) {
    absl::StrAppend(&text, text.empty() ? "" : ",", ArchiveText(archive));
  }
  return text;
}

size_t ArchiveForAge(const std::vector<Archive>& archives, int64_t age_sec) {
  size_t i = 0;
  while (i + 1 < archives.size() && archives[i].retention_sec() < age_sec) ++i;
  return i;
}

struct SchemaRules::Rule {
  std::string section;
  std::unique_ptr<RE2> pattern;  // null: matches every name
  std::vector<Archive> archives;
};

SchemaRules::SchemaRules() : default_archives_{Archive{}} {}
SchemaRules::~SchemaRules() = default;
SchemaRules::SchemaRules(SchemaRules&&) noexcept = default;
SchemaRules& SchemaRules::operator=(SchemaRules&&) noexcept = default;

absl::StatusOr<SchemaRules> SchemaRules::Parse(absl::string_view text, absl::string_view file) {
  // "priority" is Graphite's past, "compressed" is go-carbon's: neither means anything here.
  static constexpr absl::string_view kKnownKeys[] = {"pattern", "retentions", "match-all",
                                                     "priority", "compressed"};
  SHOAL_ASSIGN_OR_RETURN(const auto sections, ParseCarbonIni(text, file));
  SchemaRules rules;
  for (const CarbonIniSection& section : sections) {
    WarnOfUnknownKeys(file, section, kKnownKeys);
    auto rule = std::make_unique<Rule>();
    rule->section = section.name;
    if (section.Find("match-all") == nullptr) {
      SHOAL_ASSIGN_OR_RETURN(rule->pattern, CompileSectionPattern(file, section));
    }
    const CarbonIniEntry* retentions = section.Find("retentions");
    if (retentions == nullptr) return SectionError(file, section.line, section, "no retentions");
    auto archives = ParseRetentions(retentions->value);
    if (!archives.ok()) {
      return SectionError(file, retentions->line, section, archives.status().message());
    }
    rule->archives = *std::move(archives);
    rules.rules_.push_back(std::move(rule));
  }
  return rules;
}

absl::StatusOr<SchemaRules> SchemaRules::Load(const std::string& path) {
  SHOAL_ASSIGN_OR_RETURN(const std::string text, ReadTextFile(path));
  return Parse(text, path);
}

SchemaRules::Match SchemaRules::Find(absl::string_view name) const {
  const re2::StringPiece piece(name.data(), name.size());
  for (const auto& rule : rules_) {
    if (rule->pattern == nullptr || RE2::PartialMatch(piece, *rule->pattern)) {
      return {rule->section, &rule->archives};
    }
  }
  return {"default", &default_archives_};
}

}  // namespace shoal
