// Logging: spdlog behind a narrow header. Lines go to standard error as "TIME LEVEL component:
// text".
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/mutex.h"

namespace shoal {

enum class LogLevel { kDebug, kInfo, kWarning, kError };

// "debug", "info", "warning" or "error"; InvalidArgument otherwise.
absl::Status SetLogLevel(absl::string_view level);

// Control characters in `text` are escaped, so that input which is quoted in a message stays on its
// line. Thread safe.
void Log(LogLevel level, absl::string_view component, absl::string_view text);

template <typename... Args>
void LogDebug(absl::string_view component, const Args&... args) {
  Log(LogLevel::kDebug, component, absl::StrCat(args...));
}
template <typename... Args>
void LogInfo(absl::string_view component, const Args&... args) {
  Log(LogLevel::kInfo, component, absl::StrCat(args...));
}
template <typename... Args>
void LogWarning(absl::string_view component, const Args&... args) {
  Log(LogLevel::kWarning, component, absl::StrCat(args...));
}
template <typename... Args>
void LogError(absl::string_view component, const Args&... args) {
  Log(LogLevel::kError, component, absl::StrCat(args...));
}

// Lets one message pass per interval and counts the ones held back. Thread safe.
//   static LogEvery every(std::chrono::seconds(10));
//   if (uint64_t held_back; every.Pass(&held_back)) LogWarning("ingest", "bad line ...", held_back,
//   " more like it");
class LogEvery {
 public:
  explicit LogEvery(std::chrono::steady_clock::duration interval) : interval_(interval) {}
  bool Pass(uint64_t* held_back);

 private:
  const std::chrono::steady_clock::duration interval_;
  Mutex mu_;
  bool first_ ABSL_GUARDED_BY(mu_) = true;
  std::chrono::steady_clock::time_point last_ ABSL_GUARDED_BY(mu_);
  uint64_t held_back_ ABSL_GUARDED_BY(mu_) = 0;
};

}  // namespace shoal
