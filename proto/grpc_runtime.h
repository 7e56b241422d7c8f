// The gRPC library as this process uses it.
#pragma once

namespace shoal {

// Once per process, before the first server or channel; later calls do nothing. Keeps the library
// up until the process ends: it would otherwise shut down with its last object, which waits up to
// ten seconds for its own poller. Its error lines go to our log. Thread safe.
void InitGrpcRuntime();

}  // namespace shoal
