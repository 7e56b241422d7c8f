#include "node/admin_service.h"

#include <grpcpp/server_context.h>

#include <chrono>

#include "absl/strings/str_cat.h"
#include "admin.grpc.pb.h"
#include "base/logging.h"
#include "base/mutex.h"
#include "proto/convert.h"

namespace shoal {
namespace {

class AdminService final : public v1::Admin::Service {
 public:
  explicit AdminService(NodeContext* context) : context_(context) {}

  grpc::Status Flush(grpc::ServerContext*, const v1::FlushRequest* request,
                     v1::FlushResponse* response) override {
    // One at a time: rounds exclude each other anyway, and callers must not pile up threads.
    if (!flush_mu_.TryLock()) {
      return ToGrpcStatus(absl::UnavailableError("another flush is running: try again"));
    }
    const grpc::Status status = FlushLocked(*request, response);
    flush_mu_.Unlock();
    return status;
  }

 private:
  grpc::Status FlushLocked(const v1::FlushRequest& request, v1::FlushResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(flush_mu_) {
    Engine* const engine = context_->engine.load();
    if (engine == nullptr) {
      return ToGrpcStatus(absl::UnavailableError(
          absl::StrCat("node ", context_->name, " is starting or stopping")));
    }
    const auto started = std::chrono::steady_clock::now();
    const absl::Status status = request.all_rollups() ? engine->Flush() : engine->FlushPoints();
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    LogInfo("admin", "flush on request took ", taken.count(), " ms: ", status.ToString());
    response->set_duration_ms(static_cast<uint64_t>(taken.count()));
    return ToGrpcStatus(status);
  }

  NodeContext* const context_;
  Mutex flush_mu_;  // held during the whole of a flush, I/O included
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAdminService(NodeContext* context) {
  return std::make_unique<AdminService>(context);
}

}  // namespace shoal
