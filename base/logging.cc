#include "base/logging.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <memory>
#include <utility>

namespace shoal {
namespace {

// A message may quote what a stranger sent; a line of the log stays short all the same.
constexpr size_t kTextBytesMax = 8192;

spdlog::level::level_enum SpdlogLevel(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      break;
  }
  return spdlog::level::err;
}

// Never destroyed: threads and static destructors may still log while the process exits.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto made = new spdlog::logger("shoal", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    made->set_formatter(std::make_unique<spdlog::pattern_formatter>(
        "%Y-%m-%dT%H:%M:%S.%eZ %l %v", spdlog::pattern_time_type::utc));
    made->set_level(spdlog::level::info);
    return made;
  }();
  return *logger;
}

void AppendHex(unsigned char byte, std::string* out) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out->append("\\x");
  out->push_back(kDigits[byte >> 4]);
  out->push_back(kDigits[byte & 0xf]);
}

void AppendEscaped(absl::string_view text, std::string* out) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    // U+0080..U+009F, two bytes in UTF-8, are control characters as well: terminals obey them.
    const bool c1 = byte == 0xc2 && i + 1 < text.size() &&
                    static_cast<unsigned char>(text[i + 1]) >= 0x80 &&
                    static_cast<unsigned char>(text[i + 1]) <= 0x9f;
    if (byte == '\n') {
      out->append("\\n");
    } else if (byte == '\r') {
      out->append("\\r");
    } else if (byte == '\t') {
      out->append("\\t");
    } else if (byte < 0x20 || byte == 0x7f) {
      AppendHex(byte, out);
    } else if (c1) {
      AppendHex(byte, out);
      AppendHex(static_cast<unsigned char>(text[++i]), out);
    } else {
      out->push_back(text[i]);
    }
  }
}

}  // namespace

absl::Status SetLogLevel(absl::string_view level) {
  static constexpr std::pair<absl::string_view, LogLevel> kLevels[] = {
      {"debug", LogLevel::kDebug},
      {"info", LogLevel::kInfo},
      {"warning", LogLevel::kWarning},
      {"error", LogLevel::kError},
  };
  for (const auto& [name, value] : kLevels) {
    if (name != level) continue;
    Logger().set_level(SpdlogLevel(value));
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError(
      absl::StrCat("log level \"", level, "\" is not debug, info, warning or error"));
}

void Log(LogLevel level, absl::string_view component, absl::string_view text) {
  spdlog::logger& logger = Logger();
  const spdlog::level::level_enum spdlog_level = SpdlogLevel(level);
  if (!logger.should_log(spdlog_level)) return;
  std::string line = absl::StrCat(component, ": ");
  AppendEscaped(text.substr(0, kTextBytesMax), &line);
  if (text.size() > kTextBytesMax) {
    absl::StrAppend(&line, "... (", text.size() - kTextBytesMax, " more bytes)");
  }
  logger.log(spdlog_level, spdlog::string_view_t(line.data(), line.size()));
}

bool LogEvery::Pass(uint64_t* held_back) {
  const auto now = std::chrono::steady_clock::now();
  MutexLock lock(&mu_);
  if (!first_ && now - last_ < interval_) {
    ++held_back_;
    return false;
  }
  first_ = false;
  last_ = now;
  *held_back = std::exchange(held_back_, 0);
  return true;
}

}  // namespace shoal
