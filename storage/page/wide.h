// Loops over a page's values that are worth compiling twice on x86-64: for every machine, and for
// those with AVX2, chosen when the program starts. Elsewhere the compiler's own vectors do.
//
//   SHOAL_WIDE_FUNCTION(Sum, int64_t, (const int64_t* values, size_t count), (values, count))
//
// makes Sum from an always-inlined SumBody. Both compute the same bits: AVX2 has no fused
// multiply-add.
#pragma once

namespace shoal {

#define SHOAL_ALWAYS_INLINE inline __attribute__((always_inline))

#if defined(__x86_64__)
// Tests clear it to run the other code.
extern bool use_wide_functions;

#define SHOAL_WIDE_FUNCTION(name, result, parameters, arguments)                                \
  __attribute__((target("avx2"))) result name##Wide parameters { return name##Body arguments; } \
  result name##Narrow parameters { return name##Body arguments; }                               \
  result name parameters {                                                                      \
    return use_wide_functions ? name##Wide arguments : name##Narrow arguments;                  \
  }
#else
inline bool use_wide_functions = false;
#define SHOAL_WIDE_FUNCTION(name, result, parameters, arguments) \
  result name parameters { return name##Body arguments; }
#endif

}  // namespace shoal
