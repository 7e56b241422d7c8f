// The router process: ingest, forwarding, queries and HTTP, wired together.
#pragma once

#include <cstdint>
#include <memory>

#include "absl/status/status.h"
#include "router/router_config.h"

namespace shoal {

// Init, Start, Shutdown, from one thread.
class RouterServer {
 public:
  explicit RouterServer(RouterConfig config);
  ~RouterServer();

  // Takes the data folder, opens the spools, binds the line port. Nothing is sent or served yet.
  absl::Status Init();
  // Serves.
  absl::Status Start();
  // Stops reading, waits for what is under way, spools what no node takes, ends everything; within
  // ten seconds.
  void Shutdown();

  uint16_t line_port() const;
  uint16_t http_port() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace shoal
