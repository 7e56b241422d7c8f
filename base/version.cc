#include "base/version.h"

namespace shoal {

const char* Version() { return SHOAL_VERSION; }

}  // namespace shoal
