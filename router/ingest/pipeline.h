// From lines to chunks: what one ingest loop does with the bytes it reads, without sockets.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "absl/strings/string_view.h"
#include "router/forward/dispatcher.h"
#include "router/ingest/chunk_builder.h"
#include "router/ingest/ingest_stats.h"
#include "router/ingest/name_table.h"
#include "router/ingest/plaintext_parser.h"

namespace shoal {

struct PipelineOptions {
  LineSyntax syntax;
  uint32_t batch_points = 16384;
  NameTable::Options names;
};

// Where lines come from: a connection, or the UDP socket of a loop. Touched by the loop's thread
// only; chunks keep it alive.
struct LineStream {
  explicit LineStream(Transport t) : transport(t) {}

  // Everything that came so far has a verdict.
  bool settled() const { return !in_open_chunk && chunks_pending == 0; }

  const Transport transport;
  uint32_t chunks_pending = 0;
  bool in_open_chunk = false;
  bool dropped_points = false;       // something that came was given up: no acknowledgement
  std::function<void()> on_settled;  // called whenever it becomes settled; may be empty
};

// Belongs to the loop's thread, except where it says otherwise.
class Pipeline {
 public:
  // `post` runs a function on the loop's thread, soon; it may be called from any thread until the
  // dispatcher has stopped.
  Pipeline(const PipelineOptions& options, Dispatcher* dispatcher, IngestStats* stats,
           std::function<void(std::function<void()>)> post);
  ~Pipeline();

  // One line without its newline. Closes the chunk when that fills it.
  void Line(const std::shared_ptr<LineStream>& stream, absl::string_view line, uint32_t now_sec);
  // What a clean end leaves without a newline: taken when it is a whole line, else counted as
  // partial.
  void LastLine(const std::shared_ptr<LineStream>& stream, absl::string_view line,
                uint32_t now_sec);
  // A line past the limit, or one that was cut off by the end of its stream.
  void BadLine(const LineStream& stream, LineError error, absl::string_view line);
  // Publishes what Line has counted; after every read.
  void FlushCounters();

  bool has_open_chunk() const;
  void CloseChunks();

 private:
  void CloseChunk(Transport transport);
  void OnChunkDone(Transport transport, const ChunkResult& result,
                   const std::vector<std::shared_ptr<LineStream>>& streams);

  // Counted here first: one atomic operation per read, not per line.
  struct Pending {
    uint64_t lines = 0;
    uint64_t points = 0;
  };

  const PipelineOptions options_;
  IngestStats* const stats_;
  const std::function<void(std::function<void()>)> post_;
  NameTable names_;
  uint64_t generations_seen_ = 0;
  size_t names_seen_ = 0;
  std::array<ChunkBuilder, kTransportCount> builders_;
  std::array<std::vector<std::shared_ptr<LineStream>>, kTransportCount> open_streams_;
  std::array<Pending, kTransportCount> pending_;
};

}  // namespace shoal
