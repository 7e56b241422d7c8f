#include "node/admin_service.h"

#include <grpcpp/server_context.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "admin.grpc.pb.h"
#include "base/logging.h"
#include "base/metric/glob.h"
#include "base/mutex.h"
#include "proto/convert.h"
#include "storage/usage_report.h"

namespace shoal {
namespace {

void ToProto(const UsageReport& report, v1::UsageResponse* to) {
  for (const ArchiveUsage& usage : report.archives) {
    v1::ArchiveUsage* const archive = to->add_archives();
    archive->set_schema(usage.archive.schema);
    archive->set_archive(usage.archive.archive);
    archive->set_series(usage.series);
    archive->set_points(usage.points);
    archive->set_page_bytes(usage.page_bytes);
    archive->set_files(usage.files);
    archive->set_logical_bytes(usage.logical_bytes);
    archive->set_allocated_bytes(usage.allocated_bytes);
    archive->set_step_sec(usage.step_sec);
    archive->set_retention_sec(static_cast<uint64_t>(usage.retention_sec));
  }
  for (const PrefixUsage& usage : report.prefixes) {
    v1::PrefixUsage* const prefix = to->add_prefixes();
    prefix->set_prefix(usage.prefix);
    prefix->set_series(usage.series);
    prefix->set_points(usage.points);
    prefix->set_page_bytes(usage.page_bytes);
  }
  to->set_series(report.series);
  to->set_prefixes_left_out(report.prefixes_left_out);
  to->set_nameless_series(report.nameless_series);
  to->set_failed_pages(report.failed_pages);
}

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

  grpc::Status Usage(grpc::ServerContext*, const v1::UsageRequest* request,
                     v1::UsageResponse* response) override {
    if (!usage_mu_.TryLock()) {
      return ToGrpcStatus(absl::UnavailableError("another count is running: try again"));
    }
    const absl::StatusOr<Engine*> engine = OpenEngine();
    if (engine.ok()) {
      const UsageQuery query{
          .prefix_nodes = request->prefix_nodes(),
          .prefixes_max = std::min<size_t>(request->prefixes_max(), kPrefixesMax)};
      ToProto(ReportUsage((*engine)->rings(),
                          [&](absl::FunctionRef<void(absl::string_view, SeriesId)> visit) {
                            (*engine)->ListNames(visit).IgnoreError();  // has no errors
                          },
                          query),
              response);
    }
    usage_mu_.Unlock();
    return ToGrpcStatus(engine.status());
  }

  grpc::Status DeleteSeries(grpc::ServerContext*, const v1::DeleteSeriesRequest* request,
                            v1::DeleteSeriesResponse* response) override {
    const absl::StatusOr<Engine*> engine = OpenEngine();
    if (!engine.ok()) return ToGrpcStatus(engine.status());
    const absl::StatusOr<Glob> glob = Glob::Compile(request->pattern());
    if (!glob.ok()) return ToGrpcStatus(glob.status());
    const int names_max = static_cast<int>(std::min<uint32_t>(request->names_max(), kNamesMax));
    std::vector<SeriesId> series;
    absl::Status status = (*engine)->Find(*glob, [&](const FoundNode& node) {
      if (!node.is_leaf) return true;
      series.push_back(node.series);
      if (response->names_size() < names_max) response->add_names(std::string(node.path));
      return true;
    });
    response->set_series(series.size());
    if (!status.ok() || request->dry_run()) return ToGrpcStatus(status);
    status = (*engine)->DeleteSeries(series);
    LogInfo("admin", "deleting the ", series.size(), " series of ",
            absl::CHexEscape(request->pattern()), " on request: ", status.ToString());
    return ToGrpcStatus(status);
  }

 private:
  // Of one answer, which must fit into a message.
  static constexpr uint32_t kNamesMax = 1000;
  static constexpr size_t kPrefixesMax = 10'000;

  absl::StatusOr<Engine*> OpenEngine() const {
    Engine* const engine = context_->engine.load();
    if (engine != nullptr) return engine;
    return absl::UnavailableError(
        absl::StrCat("node ", context_->name, " is starting or stopping"));
  }

  grpc::Status FlushLocked(const v1::FlushRequest& request, v1::FlushResponse* response)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(flush_mu_) {
    const absl::StatusOr<Engine*> engine = OpenEngine();
    if (!engine.ok()) return ToGrpcStatus(engine.status());
    const auto started = std::chrono::steady_clock::now();
    const absl::Status status =
        request.all_rollups() ? (*engine)->Flush() : (*engine)->FlushPoints();
    const auto taken = std::chrono::duration_cast<std::chrono::milliseconds>(
        std::chrono::steady_clock::now() - started);
    LogInfo("admin", "flush on request took ", taken.count(), " ms: ", status.ToString());
    response->set_duration_ms(static_cast<uint64_t>(taken.count()));
    return ToGrpcStatus(status);
  }

  NodeContext* const context_;
  Mutex flush_mu_;  // held during the whole of a flush, I/O included
  Mutex usage_mu_;  // the same for a count
};

}  // namespace

std::unique_ptr<grpc::Service> MakeAdminService(NodeContext* context) {
  return std::make_unique<AdminService>(context);
}

}  // namespace shoal
