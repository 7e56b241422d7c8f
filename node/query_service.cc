#include "node/query_service.h"

#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include <algorithm>
#include <chrono>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/cluster/hash.h"
#include "base/metric/glob.h"
#include "base/status_macros.h"
#include "base/version.h"
#include "node.grpc.pb.h"
#include "proto/convert.h"

namespace shoal {
namespace {

// How long a query waits for its turn when its caller has no earlier deadline.
constexpr std::chrono::seconds kPatienceMax(1);
// Names collected before anything is sent, in bytes: a listing is bounded too.
constexpr size_t kListingBytesMax = size_t{1} << 30;

absl::Status CheckCall(grpc::ServerContext* call) {
  if (call->IsCancelled()) return absl::CancelledError("the caller is gone");
  if (std::chrono::system_clock::now() > call->deadline()) {
    return absl::DeadlineExceededError("the deadline has passed on the node");
  }
  return absl::OkStatus();
}

// Collects messages into chunks and sends them.
template <typename Response>
class ChunkWriter {
 public:
  ChunkWriter(grpc::ServerContext* call, grpc::ServerWriter<Response>* writer)
      : call_(call), writer_(writer) {}

  Response* chunk() { return &chunk_; }
  // Call after an item of about `bytes` was added to chunk().
  absl::Status Added(size_t bytes) {
    bytes_ += bytes;
    if (bytes_ < QueryService::kChunkBytes) return absl::OkStatus();
    return Flush();
  }
  absl::Status Flush() {
    if (bytes_ == 0) return absl::OkStatus();
    SHOAL_RETURN_IF_ERROR(CheckCall(call_));
    if (!writer_->Write(chunk_)) return absl::CancelledError("the caller is gone");
    chunk_.Clear();
    bytes_ = 0;
    return absl::OkStatus();
  }

 private:
  grpc::ServerContext* const call_;
  grpc::ServerWriter<Response>* const writer_;
  Response chunk_;
  size_t bytes_ = 0;
};

// The smaller of the node's limit and the caller's, where 0 means that the caller has none.
uint64_t LimitOf(int64_t own, uint64_t asked) {
  const uint64_t limit = static_cast<uint64_t>(own);
  return asked == 0 ? limit : std::min(limit, asked);
}

bool Owns(const PartitionBits& partitions, absl::string_view name) {
  return partitions.Test(PartitionOf(name, partitions.partition_count()));
}

absl::Status SendSeries(const Series& series, uint32_t pattern_index, bool damaged,
                        ChunkWriter<v1::FetchResponse>* out) {
  size_t first = 0;
  do {
    const size_t count = std::min(series.values.size() - first, kColumnValuesMax);
    v1::SeriesColumn* column = out->chunk()->add_series();
    ToColumn(series, first, count, column);
    column->set_pattern_index(pattern_index);
    column->set_damaged(damaged);
    SHOAL_RETURN_IF_ERROR(out->Added(series.name.size() + count * sizeof(double) + 32));
    first += count;
  } while (first < series.values.size());
  return absl::OkStatus();
}

}  // namespace

struct QueryService::Leaf {
  SeriesId series = kNoSeries;
  std::string name;
};

QueryService::QueryService(NodeContext* context)
    : context_(context),
      admission_(context->limits.query_concurrency_max, context->metrics),
      series_read_(context->metrics->AddCounter("shoal_node_fetched_series_total",
                                                "Series read for queries")),
      points_read_(context->metrics->AddCounter("shoal_node_fetched_points_total",
                                                "Steps of series read for queries")),
      damaged_(context->metrics->AddCounter("shoal_node_fetched_damaged_total",
                                            "Series answered without a page that is bad")),
      failed_(context->metrics->AddCounter("shoal_node_queries_failed_total",
                                           "Queries that ended with an error")),
      fetch_seconds_(context->metrics->AddHistogram("shoal_node_fetch_seconds",
                                                    "Duration of Fetch on the node",
                                                    MetricRegistry::LatencyBounds())),
      find_seconds_(context->metrics->AddHistogram("shoal_node_find_seconds",
                                                   "Duration of Find on the node",
                                                   MetricRegistry::LatencyBounds())) {}

absl::StatusOr<Engine*> QueryService::OpenEngine() const {
  Engine* engine = context_->engine.load();
  if (engine == nullptr) {
    return absl::UnavailableError(
        absl::StrCat("node ", context_->name, " is starting or stopping"));
  }
  return engine;
}

absl::StatusOr<Admission::Permit> QueryService::Admit(grpc::ServerContext* call) {
  const auto left = call->deadline() - std::chrono::system_clock::now();
  return admission_.Enter(std::min<std::chrono::nanoseconds>(left, kPatienceMax));
}

grpc::Status QueryService::Finish(const absl::Status& status) {
  if (!status.ok()) failed_->Add();
  return ToGrpcStatus(status);
}

grpc::Status QueryService::Fetch(grpc::ServerContext* call, const v1::FetchRequest& request,
                                 grpc::ServerWriter<v1::FetchResponse>* writer) {
  const auto started = std::chrono::steady_clock::now();
  const absl::Status status = FetchAll(call, request, writer);
  fetch_seconds_->Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  return Finish(status);
}

absl::Status QueryService::FetchAll(grpc::ServerContext* call, const v1::FetchRequest& request,
                                    grpc::ServerWriter<v1::FetchResponse>* writer) {
  SHOAL_ASSIGN_OR_RETURN(Engine * engine, OpenEngine());
  SHOAL_ASSIGN_OR_RETURN(const PartitionBits partitions, FromPartitionSet(request.partitions()));
  if (request.patterns_size() > kPatternsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.patterns_size(), " patterns; ", kPatternsMax, " are allowed"));
  }
  std::vector<Glob> globs;
  for (const std::string& pattern : request.patterns()) {
    SHOAL_ASSIGN_OR_RETURN(Glob glob, Glob::Compile(pattern));
    globs.push_back(std::move(glob));
  }
  SHOAL_ASSIGN_OR_RETURN(const Admission::Permit permit, Admit(call));

  const uint64_t series_max = LimitOf(context_->limits.fetch_series_max, request.series_max());
  const uint64_t points_max = LimitOf(context_->limits.fetch_points_max, request.points_max());
  FetchRange range{request.from_sec(), request.until_sec(), request.now_sec()};
  const absl::StatusOr<AggregateSpec> aggregate = ParseAggregate(request.aggregate());
  if (aggregate.ok()) range.aggregate = *aggregate;
  ChunkWriter<v1::FetchResponse> out(call, writer);
  uint64_t series_count = 0;
  uint64_t points_count = 0;
  std::vector<Leaf> leaves;
  Series series;
  for (size_t i = 0; i < globs.size(); ++i) {
    SHOAL_RETURN_IF_ERROR(CheckCall(call));
    leaves.clear();
    SHOAL_RETURN_IF_ERROR(engine->Find(globs[i], [&](const FoundNode& node) {
      if (!node.is_leaf || !Owns(partitions, node.path)) return true;
      if (++series_count > series_max) return false;
      leaves.push_back({node.series, std::string(node.path)});
      return true;
    }));
    if (series_count > series_max) {
      return absl::ResourceExhaustedError(
          absl::StrCat("more than ", series_max,
                       " series match (limit of series per fetch on node ", context_->name, ")"));
    }
    for (Leaf& leaf : leaves) {
      SHOAL_RETURN_IF_ERROR(CheckCall(call));
      series.values.clear();
      const absl::Status read = engine->Read(leaf.series, range, &series);
      if (absl::IsNotFound(read)) continue;  // deleted since it was found
      const bool damaged = absl::IsDataLoss(read);
      if (!read.ok() && !damaged) return Annotate(read, leaf.name);
      if (damaged) damaged_->Add();
      if (series.values.empty() && !damaged) continue;
      points_count += series.values.size();
      if (points_count > points_max) {
        return absl::ResourceExhaustedError(
            absl::StrCat("more than ", points_max, " points (limit of points per fetch on node ",
                         context_->name, ")"));
      }
      series_read_->Add();
      points_read_->Add(series.values.size());
      series.name = std::move(leaf.name);
      SHOAL_RETURN_IF_ERROR(SendSeries(series, static_cast<uint32_t>(i), damaged, &out));
    }
  }
  return out.Flush();
}

grpc::Status QueryService::Find(grpc::ServerContext* call, const v1::FindRequest& request,
                                grpc::ServerWriter<v1::FindResponse>* writer) {
  const auto started = std::chrono::steady_clock::now();
  const absl::Status status = FindAll(call, request, writer);
  find_seconds_->Observe(
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  return Finish(status);
}

absl::Status QueryService::FindAll(grpc::ServerContext* call, const v1::FindRequest& request,
                                   grpc::ServerWriter<v1::FindResponse>* writer) {
  SHOAL_ASSIGN_OR_RETURN(Engine * engine, OpenEngine());
  SHOAL_ASSIGN_OR_RETURN(const PartitionBits partitions, FromPartitionSet(request.partitions()));
  SHOAL_ASSIGN_OR_RETURN(const Glob glob, Glob::Compile(request.pattern()));
  SHOAL_ASSIGN_OR_RETURN(const Admission::Permit permit, Admit(call));

  // Collected first: the engine is not to wait for the network while it walks its tree.
  const size_t found_max = static_cast<size_t>(context_->limits.fetch_series_max);
  std::vector<std::pair<std::string, bool>> found;
  SHOAL_RETURN_IF_ERROR(engine->Find(glob, [&](const FoundNode& node) {
    if (node.is_leaf && !Owns(partitions, node.path)) return true;
    found.emplace_back(node.path, node.is_leaf);
    return found.size() <= found_max;
  }));
  if (found.size() > found_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("more than ", found_max, " nodes match (limits.fetch_series_max of node ",
                     context_->name, ")"));
  }
  ChunkWriter<v1::FindResponse> out(call, writer);
  for (auto& [path, is_leaf] : found) {
    v1::FoundNode* node = out.chunk()->add_nodes();
    const size_t bytes = path.size() + 8;
    node->set_path(std::move(path));
    node->set_is_leaf(is_leaf);
    SHOAL_RETURN_IF_ERROR(out.Added(bytes));
  }
  return out.Flush();
}

grpc::Status QueryService::ListNames(grpc::ServerContext* call, const v1::ListNamesRequest& request,
                                     grpc::ServerWriter<v1::ListNamesResponse>* writer) {
  return Finish(ListAll(call, request, writer));
}

absl::Status QueryService::ListAll(grpc::ServerContext* call, const v1::ListNamesRequest& request,
                                   grpc::ServerWriter<v1::ListNamesResponse>* writer) {
  SHOAL_ASSIGN_OR_RETURN(Engine * engine, OpenEngine());
  SHOAL_ASSIGN_OR_RETURN(const PartitionBits partitions, FromPartitionSet(request.partitions()));
  SHOAL_ASSIGN_OR_RETURN(const Admission::Permit permit, Admit(call));

  std::vector<std::string> names;
  size_t bytes = 0;
  SHOAL_RETURN_IF_ERROR(engine->ListNames([&](absl::string_view name, SeriesId) {
    if (bytes > kListingBytesMax || !Owns(partitions, name)) return;
    bytes += name.size() + sizeof(std::string);
    names.emplace_back(name);
  }));
  if (bytes > kListingBytesMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the names of node ", context_->name, " take more than 1 GiB"));
  }
  ChunkWriter<v1::ListNamesResponse> out(call, writer);
  for (std::string& name : names) {
    const size_t name_bytes = name.size() + 4;
    out.chunk()->add_names(std::move(name));
    SHOAL_RETURN_IF_ERROR(out.Added(name_bytes));
  }
  return out.Flush();
}

grpc::Status QueryService::Status(v1::StatusResponse* response) {
  absl::StatusOr<Engine*> engine = OpenEngine();
  if (!engine.ok()) return ToGrpcStatus(engine.status());
  const EngineStats stats = (*engine)->Stats();
  uint64_t disk_bytes = stats.wal_bytes;
  for (const RingStoreUsage& usage : (*engine)->rings().Usage()) {
    disk_bytes += usage.allocated_bytes;
  }
  response->set_node(context_->name);
  response->set_cluster(context_->cluster);
  response->set_version(Version());
  response->set_series(stats.series);
  response->set_points_written(stats.points_written);
  response->set_write_buffer_points(stats.write_buffer_points);
  response->set_write_buffer_bytes(stats.write_buffer_bytes);
  response->set_wal_bytes(stats.wal_bytes);
  response->set_bad_pages(stats.bad_pages);
  response->set_read_only(stats.read_only);
  response->set_read_only_reason(stats.read_only_reason);
  response->set_started_sec(context_->started_sec);
  response->set_disk_bytes(disk_bytes);
  return grpc::Status::OK;
}

}  // namespace shoal
