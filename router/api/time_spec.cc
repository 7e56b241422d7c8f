#include "router/api/time_spec.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/strings/str_split.h"
#include "absl/time/civil_time.h"
#include "base/status_macros.h"
#include "router/query/time_offset.h"

namespace shoal {
namespace {

constexpr int64_t kTimeSecMax = 253402300799;  // the last second of the year 9999
constexpr size_t kTextBytesMax = 128;
constexpr absl::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
constexpr absl::string_view kWeekdays =
    "montuewedthufrisatsun";  // absl::Weekday counts from Monday

bool IsDigits(absl::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(),
                                      [](unsigned char c) { return absl::ascii_isdigit(c); });
}

std::optional<int> Number(absl::string_view text) {
  int number;
  if (text.size() > 6 || !IsDigits(text) || !absl::SimpleAtoi(text, &number)) return std::nullopt;
  return number;
}

// Index of a three-letter word in a string of such words.
std::optional<int> WordIndex(absl::string_view words, absl::string_view text) {
  if (text.size() < 3) return std::nullopt;
  for (size_t i = 0; i < words.size(); i += 3) {
    if (words.substr(i, 3) == text.substr(0, 3)) return static_cast<int>(i / 3);
  }
  return std::nullopt;
}

absl::Status Invalid(absl::string_view what, absl::string_view text) {
  return absl::InvalidArgumentError(absl::StrCat(what, " \"", text.substr(0, kTextBytesMax), "\""));
}

// Seconds since midnight.
struct TimeOfDay {
  int hour = 0;
  int minute = 0;
};

// Takes a time of day from the front of `ref`: "16:30", "4:30pm", "8am", "noon", "midnight",
// "teatime". Twelve o'clock follows Graphite: 12am is noon and 12pm is midnight.
absl::StatusOr<TimeOfDay> TakeTimeOfDay(absl::string_view* ref) {
  TimeOfDay time;
  const absl::string_view whole = *ref;
  const auto bad = [whole] { return Invalid("invalid time of day in", whole); };
  const auto afternoon = [](int hour) { return (hour + 12) % 24; };

  if (const size_t colon = ref->find(':'); colon == 1 || colon == 2) {
    const std::optional<int> hour = Number(ref->substr(0, colon));
    const std::optional<int> minute = Number(ref->substr(colon + 1, 2));
    if (!hour || !minute) return bad();
    time = {.hour = *hour, .minute = *minute};
    ref->remove_prefix(std::min(colon + 3, ref->size()));
    if (absl::ConsumePrefix(ref, "pm")) {
      time.hour = afternoon(time.hour);
    } else {
      absl::ConsumePrefix(ref, "am");
    }
  }
  for (const absl::string_view half : {"am", "pm"}) {
    const size_t at = ref->find(half);
    if (at != 1 && at != 2) continue;
    const std::optional<int> hour = Number(ref->substr(0, at));
    if (!hour) return bad();
    time.hour = half == "pm" ? afternoon(*hour) : *hour;
    ref->remove_prefix(at + 2);
  }
  if (absl::ConsumePrefix(ref, "noon")) {
    time = {.hour = 12};
  } else if (absl::ConsumePrefix(ref, "midnight")) {
    time = {};
  } else if (absl::ConsumePrefix(ref, "teatime")) {
    time = {.hour = 16};
  }
  if (time.hour > 23 || time.minute > 59) return bad();
  return time;
}

absl::StatusOr<absl::CivilDay> Day(int year, int month, int day, absl::string_view text) {
  const absl::CivilDay result(year, month, day);
  // Civil time normalises the 31st of June to the 1st of July; that is no date.
  if (year < 1 || year > 9999 || result.month() != month || result.day() != day)
    return Invalid("no such date:", text);
  return result;
}

// MM/DD/YY or MM/DD/YYYY.
absl::StatusOr<absl::CivilDay> SlashDate(absl::string_view text) {
  const std::vector<absl::string_view> parts = absl::StrSplit(text, '/');
  const std::optional<int> month = Number(parts[0]);
  const std::optional<int> day = Number(parts[1]);
  const std::optional<int> given_year = Number(parts[2]);
  if (!month || !day || !given_year) return Invalid("invalid date", text);
  int year = *given_year;
  if (year < 1900) year += 1900;
  if (year < 1970) year += 100;
  return Day(year, *month, *day, text);
}

// "jan5", "january15": what lies between the month and its day does not matter.
absl::StatusOr<absl::CivilDay> MonthDate(absl::string_view text, int month, int64_t year) {
  std::optional<int> day = Number(text.substr(text.size() - 2));
  if (!day) day = Number(text.substr(text.size() - 1));
  if (!day) return Invalid("a day must follow the month in", text);
  return Day(static_cast<int>(year), month, *day, text);
}

// The day that is left of a reference once its time of day is gone.
absl::StatusOr<absl::CivilDay> ParseDay(absl::string_view text, absl::CivilDay today,
                                        absl::string_view whole) {
  if (text.empty() || text == "today") return today;
  if (text == "yesterday") return today - 1;
  if (text == "tomorrow") return today + 1;
  if (std::count(text.begin(), text.end(), '/') == 2) return SlashDate(text);
  if (text.size() == 8 && IsDigits(text)) {
    return Day(*Number(text.substr(0, 4)), *Number(text.substr(4, 2)), *Number(text.substr(6, 2)),
               text);
  }
  if (const std::optional<int> month = WordIndex(kMonths, text))
    return MonthDate(text, *month + 1, today.year());
  if (const std::optional<int> weekday = WordIndex(kWeekdays, text)) {
    const int back = (static_cast<int>(absl::GetWeekday(today)) - *weekday + 7) % 7;
    return today - back;
  }
  return Invalid("unknown day in", whole);
}

absl::StatusOr<int64_t> ParseReference(absl::string_view ref, absl::TimeZone zone,
                                       int64_t now_sec) {
  if (ref.empty() || ref == "now") return now_sec;
  const absl::string_view whole = ref;
  SHOAL_ASSIGN_OR_RETURN(const TimeOfDay time, TakeTimeOfDay(&ref));
  const absl::CivilDay today(zone.At(absl::FromUnixSeconds(now_sec)).cs);
  SHOAL_ASSIGN_OR_RETURN(const absl::CivilDay day, ParseDay(ref, today, whole));
  const absl::CivilSecond civil(day.year(), day.month(), day.day(), time.hour, time.minute, 0);
  const absl::TimeZone::TimeInfo info = zone.At(civil);
  // A time that occurs twice or never is read in standard time: as the later of the two, or by the
  // offset before the jump.
  return absl::ToUnixSeconds(info.kind == absl::TimeZone::TimeInfo::REPEATED ? info.post
                                                                             : info.pre);
}

// Eight digits that could be a date are one.
bool LooksLikeDate(absl::string_view digits) {
  return digits.size() == 8 && *Number(digits.substr(0, 4)) > 1900 &&
         *Number(digits.substr(4, 2)) < 13 && *Number(digits.substr(6, 2)) < 32;
}

absl::StatusOr<int64_t> Clamped(int64_t seconds, absl::string_view text) {
  if (seconds > kTimeSecMax) return Invalid("a time after the year 9999:", text);
  return std::max<int64_t>(0, seconds);
}

}  // namespace

absl::StatusOr<int64_t> ParseTimeSpec(absl::string_view text, absl::TimeZone zone,
                                      int64_t now_sec) {
  if (text.size() > kTextBytesMax)
    return Invalid("a time of more than 128 bytes:", text.substr(0, 32));
  std::string clean = absl::AsciiStrToLower(absl::StripAsciiWhitespace(text));
  std::erase_if(clean, [](char c) { return c == '_' || c == ',' || c == ' '; });
  const absl::string_view spec = clean;
  if (IsDigits(spec) && !LooksLikeDate(spec)) {
    int64_t seconds;
    if (!absl::SimpleAtoi(spec, &seconds)) return Invalid("a time after the year 9999:", text);
    return Clamped(seconds, text);
  }
  size_t split = spec.find('+');
  if (split == absl::string_view::npos) split = std::min(spec.find('-'), spec.size());
  SHOAL_ASSIGN_OR_RETURN(const int64_t reference,
                         ParseReference(spec.substr(0, split), zone, now_sec));
  SHOAL_ASSIGN_OR_RETURN(const int64_t offset, ParseTimeOffset(spec.substr(split)));
  return Clamped(reference + offset, text);
}

std::optional<absl::TimeZone> FindTimeZone(const std::string& name) {
  constexpr size_t kNameBytesMax = 64;
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '/' ||
      absl::StrContains(name, "..")) {
    return std::nullopt;
  }
  for (const char c : name) {
    if (!absl::ascii_isalnum(static_cast<unsigned char>(c)) && c != '/' && c != '_' && c != '-' &&
        c != '+') {
      return std::nullopt;
    }
  }
  // LoadTimeZone remembers every name that it was asked for, the wrong ones too: only ask for those
  // that exist.
  const char* directory = std::getenv("TZDIR");
  const std::string path =
      absl::StrCat(directory != nullptr ? directory : "/usr/share/zoneinfo", "/", name);
  struct stat info;
  if (name != "UTC" && (stat(path.c_str(), &info) != 0 || !S_ISREG(info.st_mode)))
    return std::nullopt;
  absl::TimeZone zone;
  if (!absl::LoadTimeZone(name, &zone)) return std::nullopt;
  return zone;
}

}  // namespace shoal
