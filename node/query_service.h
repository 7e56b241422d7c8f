// Fetch, Find, ListNames and Status over gRPC: the read side of a node.
#pragma once

#include <cstdint>

#include "node/admission.h"
#include "node/node_context.h"

namespace grpc {
class ServerContext;
class Status;
template <class W>
class ServerWriter;
}  // namespace grpc

namespace shoal::v1 {
class FetchRequest;
class FetchResponse;
class FindRequest;
class FindResponse;
class ListNamesRequest;
class ListNamesResponse;
class StatusResponse;
}  // namespace shoal::v1

namespace shoal {

// Thread safe. Answers are streamed in chunks of about kChunkBytes. A caller that goes away or
// whose deadline passes is noticed between two series.
class QueryService {
 public:
  static constexpr size_t kChunkBytes = 256 << 10;
  static constexpr int kPatternsMax = 10'000;

  // `context` outlives the service.
  explicit QueryService(NodeContext* context);

  grpc::Status Fetch(grpc::ServerContext* call, const v1::FetchRequest& request,
                     grpc::ServerWriter<v1::FetchResponse>* writer);
  grpc::Status Find(grpc::ServerContext* call, const v1::FindRequest& request,
                    grpc::ServerWriter<v1::FindResponse>* writer);
  grpc::Status ListNames(grpc::ServerContext* call, const v1::ListNamesRequest& request,
                         grpc::ServerWriter<v1::ListNamesResponse>* writer);
  grpc::Status Status(v1::StatusResponse* response);

 private:
  struct Leaf;

  absl::StatusOr<Engine*> OpenEngine() const;
  absl::StatusOr<Admission::Permit> Admit(grpc::ServerContext* call);
  grpc::Status Finish(const absl::Status& status);
  absl::Status FetchAll(grpc::ServerContext* call, const v1::FetchRequest& request,
                        grpc::ServerWriter<v1::FetchResponse>* writer);
  absl::Status FindAll(grpc::ServerContext* call, const v1::FindRequest& request,
                       grpc::ServerWriter<v1::FindResponse>* writer);
  absl::Status ListAll(grpc::ServerContext* call, const v1::ListNamesRequest& request,
                       grpc::ServerWriter<v1::ListNamesResponse>* writer);

  NodeContext* const context_;
  Admission admission_;
  Counter* const series_read_;
  Counter* const points_read_;
  Counter* const damaged_;
  Counter* const failed_;
  Histogram* const fetch_seconds_;
  Histogram* const find_seconds_;
};

}  // namespace shoal
