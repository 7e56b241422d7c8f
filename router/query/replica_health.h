// What the write side of this router knows about the nodes, for the read side to choose replicas
// by.
#pragma once

#include "absl/strings/string_view.h"

namespace shoal {

enum class ReplicaState {
  kWhole,       // has every acknowledged point that this router sent it
  kCatchingUp,  // answers, but points for it still wait in this router
  kDown,        // no write stream: it probably does not answer
};

// Thread safe; asked once per node and query, so it must be quick.
class ReplicaHealth {
 public:
  virtual ~ReplicaHealth() = default;
  // `node` is the name in the topology. A name that is not known: kWhole.
  virtual ReplicaState StateOf(absl::string_view node) const = 0;
};

}  // namespace shoal
