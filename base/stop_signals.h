// The signals that end a daemon.
#pragma once

#include <signal.h>

namespace shoal {

// Blocks SIGTERM and SIGINT in the calling thread, and so in all threads that it starts from then
// on: sigwait with the result takes them. Ignores SIGPIPE: a peer that goes away is an error of
// that write, not of the process. Call it before the first thread is started.
sigset_t BlockStopSignals();

}  // namespace shoal
