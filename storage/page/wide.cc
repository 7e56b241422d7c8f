#include "storage/page/wide.h"

namespace shoal {

#if defined(__x86_64__)
bool use_wide_functions = __builtin_cpu_supports("avx2") != 0;
#endif

}  // namespace shoal
