// SHOAL_CHECK: an invariant of our own that stays on in release builds. Never for input from disk,
// network or config.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace shoal {

[[noreturn]] inline void CheckFailed(const char* condition, const char* file, int line) {
  std::fprintf(stderr, "%s:%d: check failed: %s\n", file, line, condition);
  std::fflush(stderr);
  std::abort();
}

}  // namespace shoal

#define SHOAL_CHECK(condition)                  \
  (__builtin_expect(!!(condition), 1) ? void(0) \
                                      : ::shoal::CheckFailed(#condition, __FILE__, __LINE__))
