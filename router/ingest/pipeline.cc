#include "router/ingest/pipeline.h"

#include <utility>

namespace shoal {
namespace {

// With the columns, well below the 16 MiB of a message, though a new stream may have to define
// every name of a batch.
constexpr size_t kChunkNameBytesMax = 6 << 20;

LineError LineErrorOf(NameError error) {
  switch (error) {
    case NameError::kNone:
      return LineError::kNone;
    case NameError::kEmpty:
      return LineError::kEmptyName;
    case NameError::kTooLong:
      return LineError::kNameTooLong;
    case NameError::kBadByte:
      return LineError::kBadByte;
    case NameError::kEmptyNode:
      return LineError::kEmptyNode;
    case NameError::kBadTag:
      return LineError::kBadTag;
  }
  return LineError::kBadByte;
}

}  // namespace

Pipeline::Pipeline(const PipelineOptions& options, Dispatcher* dispatcher, IngestStats* stats,
                   std::function<void(std::function<void()>)> post)
    : options_(options),
      stats_(stats),
      post_(std::move(post)),
      names_(options.names),
      builders_{ChunkBuilder(dispatcher), ChunkBuilder(dispatcher)} {}

Pipeline::~Pipeline() = default;

void Pipeline::Line(const std::shared_ptr<LineStream>& stream, absl::string_view line,
                    uint32_t now_sec) {
  if (IsBlankLine(line)) return;
  const size_t transport = static_cast<size_t>(stream->transport);
  ++pending_[transport].lines;
  ParsedLine parsed;
  if (const LineError error = ParseLine(line, now_sec, options_.syntax, &parsed);
      error != LineError::kNone) {
    stats_->BadLine(stream->transport, error, line);
    return;
  }
  uint32_t ref = 0;
  if (const NameError error = names_.Find(parsed.name, &ref); error != NameError::kNone) {
    stats_->BadLine(stream->transport, LineErrorOf(error), line);
    return;
  }
  ChunkBuilder& builder = builders_[transport];
  if (builder.book() != nullptr && builder.book() != names_.book().get()) {
    // A new generation of names has begun: refs of two books do not mix.
    CloseChunk(stream->transport);
  }
  builder.Add(names_.book(), ref, parsed.timestamp_sec, parsed.value);
  ++pending_[transport].points;
  if (!stream->in_open_chunk) {
    stream->in_open_chunk = true;
    open_streams_[transport].push_back(stream);
  }
  if (builder.points() >= options_.batch_points || builder.name_bytes() >= kChunkNameBytesMax) {
    CloseChunk(stream->transport);
  }
}

void Pipeline::LastLine(const std::shared_ptr<LineStream>& stream, absl::string_view line,
                        uint32_t now_sec) {
  ParsedLine ignored;
  if (IsBlankLine(line) ||
      ParseLine(line, now_sec, options_.syntax, &ignored) == LineError::kNone) {
    Line(stream, line, now_sec);
  } else {
    BadLine(*stream, LineError::kPartialLineAtClose, line);
  }
}

void Pipeline::BadLine(const LineStream& stream, LineError error, absl::string_view line) {
  ++pending_[static_cast<size_t>(stream.transport)].lines;
  stats_->BadLine(stream.transport, error, line);
}

void Pipeline::FlushCounters() {
  for (size_t t = 0; t < kTransportCount; ++t) {
    Pending& pending = pending_[t];
    if (pending.lines == 0) continue;
    IngestStats::PerTransport& counters = stats_->of(static_cast<Transport>(t));
    counters.lines->Add(pending.lines);
    counters.points_in_flight->Add(static_cast<int64_t>(pending.points));
    counters.points_received->Add(pending.points);
    pending = Pending();
  }
  if (names_.generations() != generations_seen_) {
    stats_->name_generations->Add(names_.generations() - generations_seen_);
    generations_seen_ = names_.generations();
  }
  if (const size_t names = names_.book()->size(); names != names_seen_) {
    stats_->names->Add(static_cast<int64_t>(names) - static_cast<int64_t>(names_seen_));
    names_seen_ = names;
  }
}

bool Pipeline::has_open_chunk() const {
  return builders_[0].points() > 0 || builders_[1].points() > 0;
}

void Pipeline::CloseChunks() {
  CloseChunk(Transport::kTcp);
  CloseChunk(Transport::kUdp);
}

void Pipeline::CloseChunk(Transport transport) {
  const size_t t = static_cast<size_t>(transport);
  if (builders_[t].points() == 0) return;
  // The verdict must find the points among those received.
  FlushCounters();
  std::vector<std::shared_ptr<LineStream>> streams;
  streams.swap(open_streams_[t]);
  for (const auto& stream : streams) {
    stream->in_open_chunk = false;
    ++stream->chunks_pending;
  }
  builders_[t].Close(
      [this, transport, streams = std::move(streams)](const ChunkResult& result) mutable {
        post_([this, transport, result, streams = std::move(streams)] {
          OnChunkDone(transport, result, streams);
        });
      });
}

void Pipeline::OnChunkDone(Transport transport, const ChunkResult& result,
                           const std::vector<std::shared_ptr<LineStream>>& streams) {
  IngestStats::PerTransport& counters = stats_->of(transport);
  int64_t points = result.acked + result.dropped;
  counters.points_acked->Add(result.acked);
  if (result.dropped > 0) counters.points_dropped->Add(result.dropped);
  for (size_t i = 0; i < kNodeRefusalCount; ++i) {
    if (result.rejected[i] == 0) continue;
    counters.points_rejected[i]->Add(result.rejected[i]);
    points += result.rejected[i];
  }
  counters.points_in_flight->Add(-points);
  for (const auto& stream : streams) {
    --stream->chunks_pending;
    if (result.dropped > 0) stream->dropped_points = true;
    if (stream->settled() && stream->on_settled) stream->on_settled();
  }
}

}  // namespace shoal
