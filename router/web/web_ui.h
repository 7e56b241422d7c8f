// The page at "/": metric tree, chart, nodes. It is part of the binary and uses only the public
// HTTP API.
#pragma once

#include "base/net/http_server.h"

namespace shoal {

// Adds the routes "/" and "/assets/*". Before the server's Start.
void RegisterWebUi(HttpServer* server);

}  // namespace shoal
