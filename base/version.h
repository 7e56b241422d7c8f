// The version of this build.
#pragma once

namespace shoal {

// PROJECT_VERSION of the top CMakeLists.txt, "0.1.0".
const char* Version();

}  // namespace shoal
