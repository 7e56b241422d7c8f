// A carbon-c-relay configuration, as it is: what this router can do of it is compiled, and anything
// else is refused by its name.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "router/rules/relay_cluster.h"
#include "router/rules/rule_set.h"

namespace shoal {

struct CrelayListener {
  enum class Protocol : uint8_t { kTcp, kUdp, kUnix };
  Protocol protocol = Protocol::kTcp;
  std::string address;  // empty: every interface; of kUnix the path
  uint16_t port = 0;    // 0 for kUnix
};

struct CrelayStatistics {
  int64_t interval_sec = 60;
  bool reset_counters = false;
  std::string prefix;                 // empty: the default
  std::vector<std::string> clusters;  // empty: they are routed like any other name
};

struct CrelayConfig {
  RuleSet rules;
  std::vector<CrelayListener> listeners;  // empty: the file has none
  std::optional<CrelayStatistics> statistics;
};

struct CrelayOptions {
  // Clusters that the file may send to without defining them.
  std::vector<RelayCluster> clusters;

  struct IncludedFile {
    std::string path;
    std::string text;
  };
  // The files of "include PATH", which may be a glob, in order. Includes are refused without it.
  std::function<absl::StatusOr<std::vector<IncludedFile>>(const std::string& path)> include;
};

// Clusters forward, any_of, failover, carbon_ch, fnv1a_ch, jump_fnv1a_ch with replication, dynamic
// and useall; match with "route using", "send to", blackhole and stop; rewrite; aggregate; listen
// without compression and TLS; statistics; include. A rule with several expressions acts once on a
// name, whichever of them match.
//
// InvalidArgument "FILE:LINE: ..." for a syntax error, for a clause that is known but not supported
// (file clusters, UDP destinations, compression, TLS, validate), and for expressions that RE2 does
// not know. Expressions are POSIX's: of several matches at one place the longest counts.
absl::StatusOr<CrelayConfig> ParseCrelayConfig(absl::string_view text, absl::string_view file,
                                               const CrelayOptions& options);

}  // namespace shoal
