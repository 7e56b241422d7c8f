#include "proto/grpc_runtime.h"

#include <grpc/grpc.h>
#include <grpc/support/log.h>

#include "base/logging.h"

namespace shoal {
namespace {

void LogLine(gpr_log_func_args* line) {
  // What matters of these comes back to us as the status of a call; one line a second is enough to
  // notice the rest.
  static LogEvery every(std::chrono::seconds(1));
  uint64_t held_back = 0;
  if (!every.Pass(&held_back)) return;
  if (held_back > 0) {
    LogWarning("grpc", line->message, " (", held_back, " lines held back)");
  } else {
    LogWarning("grpc", line->message);
  }
}

}  // namespace

void InitGrpcRuntime() {
  static const bool done = [] {
    gpr_set_log_function(LogLine);
    gpr_set_log_verbosity(GPR_LOG_SEVERITY_ERROR);
    grpc_init();
    return true;
  }();
  static_cast<void>(done);
}

}  // namespace shoal
