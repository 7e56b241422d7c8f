#include "router/api/render_format.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/time/civil_time.h"
#include "base/status_macros.h"
#include "router/api/json_text.h"
#include "router/query/number_text.h"

namespace shoal {
namespace {

constexpr size_t kIntTextBytesMax = 20;
// ",[" value "," timestamp "]"
constexpr size_t kPointTextBytesMax = kFloatTextBytesMax + kIntTextBytesMax + 4;

absl::Status CheckSize(size_t bytes, size_t bytes_max) {
  if (bytes <= bytes_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the answer is longer than ", bytes_max,
                   " bytes: ask for fewer series or a shorter time, or set maxDataPoints"));
}

// What of a series is written: values[first...], consolidated.
struct Points {
  std::vector<double> values = {};
  int64_t start_sec = 0;
  int64_t end_sec = 0;  // inclusive for timestamps
  int64_t step_sec = 1;
};

// Shrinks a series to at most about `limit` points over `span_sec`, which is the span of all series
// of the answer.
//
// A bucket is a whole number of steps. The start moves on to a multiple of the bucket, always
// forward, even when it is one already; one point less than that is dropped in front. So a bucket
// named T holds the points from T - step on: Graphite does it so, and every dashboard made for it
// expects it.
Points Shrink(TimeSeries series, int64_t limit, int64_t span_sec) {
  Points points{
      .start_sec = series.start_sec, .end_sec = series.end_sec, .step_sec = series.step_sec};
  int64_t per_point = 1;
  size_t dropped = 0;
  if (limit == 1) {
    per_point = std::max<int64_t>(1, static_cast<int64_t>(series.values.size()));
  } else if (limit > 1) {
    const double count = static_cast<double>(span_sec) / static_cast<double>(series.step_sec);
    if (static_cast<double>(limit) < count) {
      per_point = static_cast<int64_t>(std::ceil(count / static_cast<double>(limit)));
      const int64_t bucket_sec = per_point * series.step_sec;
      const int64_t nudge = bucket_sec + FloorMod(series.start_sec, series.step_sec) -
                            FloorMod(series.start_sec, bucket_sec);
      points.start_sec += nudge;
      dropped = static_cast<size_t>(std::max<int64_t>(0, nudge / series.step_sec - 1));
      dropped = std::min(dropped, series.values.size());
    }
  }
  points.step_sec = series.step_sec * per_point;
  if (per_point == 1) {
    points.values = std::move(series.values);
  } else {
    points.values = Consolidate(absl::MakeConstSpan(series.values).subspan(dropped), per_point,
                                series.consolidation, series.x_files_factor);
  }
  return points;
}

char* WriteNumberOrNull(double value, char* out) {
  if (std::isnan(value)) {
    std::memcpy(out, "null", 4);
    return out + 4;
  }
  if (std::isinf(value)) {
    const absl::string_view text = value < 0 ? "-1e9999" : "1e9999";
    std::memcpy(out, text.data(), text.size());
    return out + text.size();
  }
  return WriteFloat(value, out);
}

// "[[v,t],[v,t]]"; how many points it wrote.
size_t AppendPoints(const Points& points, bool no_null_points, std::string* out) {
  // Timestamps stop at the reported end, whatever the number of values.
  const int64_t room = points.end_sec < points.start_sec
                           ? 0
                           : (points.end_sec - points.start_sec) / points.step_sec + 1;
  const size_t count = std::min(points.values.size(), static_cast<size_t>(room));
  char buffer[16 << 10];
  char* const full = buffer + sizeof(buffer) - kPointTextBytesMax;
  char* at = buffer;
  size_t written = 0;
  int64_t timestamp = points.start_sec;
  out->push_back('[');
  for (size_t i = 0; i < count; ++i, timestamp += points.step_sec) {
    if (no_null_points && std::isnan(points.values[i])) continue;
    if (written++ > 0) *at++ = ',';
    *at++ = '[';
    at = WriteNumberOrNull(points.values[i], at);
    *at++ = ',';
    at = std::to_chars(at, at + kIntTextBytesMax, timestamp).ptr;
    *at++ = ']';
    if (at > full) {
      out->append(buffer, at);
      at = buffer;
    }
  }
  out->append(buffer, at);
  out->push_back(']');
  return written;
}

void AppendTags(const Tags& tags, std::string* out) {
  out->push_back('{');
  bool first = true;
  for (const auto& [key, value] : tags.items()) {
    if (!first) out->push_back(',');
    first = false;
    AppendJsonString(key, out);
    out->push_back(':');
    AppendJsonString(value, out);
  }
  out->push_back('}');
}

void AppendCsvField(absl::string_view text, std::string* out) {
  if (text.find_first_of(",\"\r\n") == absl::string_view::npos) {
    out->append(text.data(), text.size());
    return;
  }
  out->push_back('"');
  for (const char c : text) {
    if (c == '"') out->push_back('"');
    out->push_back(c);
  }
  out->push_back('"');
}

// "2026-01-31 13:05:00". Asks the zone once for each stretch without a change of its offset.
class CsvClock {
 public:
  explicit CsvClock(absl::TimeZone zone) : zone_(zone) {}

  void Append(int64_t seconds, std::string* out) {
    if (seconds < valid_from_ || seconds >= valid_until_) Refresh(seconds);
    const absl::CivilSecond civil = absl::CivilSecond() + (seconds + offset_sec_);
    char text[32];
    const int size = std::snprintf(text, sizeof(text), "%04lld-%02d-%02d %02d:%02d:%02d",
                                   static_cast<long long>(civil.year()), civil.month(), civil.day(),
                                   civil.hour(), civil.minute(), civil.second());
    out->append(text, static_cast<size_t>(size));
  }

 private:
  void Refresh(int64_t seconds) {
    const absl::Time time = absl::FromUnixSeconds(seconds);
    offset_sec_ = zone_.At(time).offset;
    valid_from_ = seconds;
    absl::TimeZone::CivilTransition next;
    // Within a day at most: cheap, and clear of whatever the far future holds.
    valid_until_ = seconds + 86400;
    if (zone_.NextTransition(time, &next)) {
      valid_until_ = std::min(valid_until_, absl::ToUnixSeconds(zone_.At(next.to).trans));
    }
    valid_until_ = std::max(valid_until_, seconds + 1);
  }

  const absl::TimeZone zone_;
  int64_t offset_sec_ = 0;
  int64_t valid_from_ = 0;
  int64_t valid_until_ = 0;
};

}  // namespace

absl::StatusOr<std::string> RenderJson(SeriesList series, const JsonOptions& options,
                                       size_t bytes_max) {
  std::string out = "[";
  // As in Graphite, an answer without a single value has no series at all.
  const bool any = std::any_of(series.begin(), series.end(),
                               [](const TimeSeries& s) { return !s.values.empty(); });
  if (any) {
    int64_t start_sec = series.front().start_sec;
    int64_t end_sec = series.front().end_sec;
    for (const TimeSeries& s : series) {
      start_sec = std::min(start_sec, s.start_sec);
      end_sec = std::max(end_sec, s.end_sec);
    }
    bool first = true;
    for (TimeSeries& s : series) {
      const size_t begin = out.size();
      if (!first) out.push_back(',');
      out.append("{\"target\":");
      AppendJsonString(s.name, &out);
      out.append(",\"tags\":");
      AppendTags(s.tags, &out);
      out.append(",\"datapoints\":");
      const Points points = Shrink(std::move(s), options.max_data_points, end_sec - start_sec);
      SHOAL_RETURN_IF_ERROR(CheckSize(out.size() + 8 * points.values.size(), bytes_max));
      if (AppendPoints(points, options.no_null_points, &out) == 0 && options.no_null_points) {
        out.resize(begin);
        continue;
      }
      out.push_back('}');
      first = false;
      SHOAL_RETURN_IF_ERROR(CheckSize(out.size(), bytes_max));
    }
  }
  out.push_back(']');
  return out;
}

absl::StatusOr<std::string> RenderRaw(const SeriesList& series, size_t bytes_max) {
  std::string out;
  char text[kFloatTextBytesMax];
  for (const TimeSeries& s : series) {
    absl::StrAppend(&out, s.name, ",", s.start_sec, ",", s.end_sec, ",", s.step_sec, "|");
    for (size_t i = 0; i < s.values.size(); ++i) {
      if (i > 0) out.push_back(',');
      if (std::isnan(s.values[i])) {
        out.append("None");
      } else {
        out.append(text, WriteFloat(s.values[i], text));
      }
    }
    out.push_back('\n');
    SHOAL_RETURN_IF_ERROR(CheckSize(out.size(), bytes_max));
  }
  return out;
}

absl::StatusOr<std::string> RenderCsv(const SeriesList& series, absl::TimeZone zone,
                                      size_t bytes_max) {
  std::string out;
  char text[kFloatTextBytesMax];
  CsvClock clock(zone);
  for (const TimeSeries& s : series) {
    std::string field;
    AppendCsvField(s.name, &field);
    field.push_back(',');
    int64_t timestamp = s.start_sec;
    for (const double value : s.values) {
      out.append(field);
      clock.Append(timestamp, &out);
      out.push_back(',');
      if (!std::isnan(value)) out.append(text, WriteFloat(value, text));
      out.append("\r\n");
      timestamp += s.step_sec;
      if (out.size() > bytes_max) return CheckSize(out.size(), bytes_max);
    }
  }
  return out;
}

}  // namespace shoal
