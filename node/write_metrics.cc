#include "node/write_metrics.h"

namespace shoal {
namespace {

Counter* RefusedCounter(MetricRegistry* metrics, const char* reason) {
  // The engine counts the refusals that it decides under the same name.
  return metrics->AddCounter("shoal_node_points_refused_total",
                             "Points that were not taken, by reason", {{"reason", reason}});
}

}  // namespace

WriteMetrics::WriteMetrics(MetricRegistry* metrics)
    : streams_opened(metrics->AddCounter("shoal_node_write_streams_opened_total",
                                         "Write streams whose hello was accepted")),
      streams_refused(metrics->AddCounter("shoal_node_write_streams_refused_total",
                                          "Write streams whose hello was not accepted")),
      streams_failed(metrics->AddCounter(
          "shoal_node_write_streams_failed_total",
          "Write streams that the node ended for a bad batch or because it could not store one")),
      batches(metrics->AddCounter("shoal_node_batches_total", "Batches received")),
      points(metrics->AddCounter("shoal_node_points_received_total",
                                 "Points received in well-formed batches")),
      bad_batches(
          metrics->AddCounter("shoal_node_bad_batches_total", "Batches that broke the protocol")),
      refused_bad_name(RefusedCounter(metrics, "bad_name")),
      refused_series_limit(RefusedCounter(metrics, "series_limit")),
      ack_seconds(metrics->AddHistogram("shoal_node_batch_ack_seconds",
                                        "From the arrival of a batch to its acknowledgement",
                                        MetricRegistry::LatencyBounds())) {}

}  // namespace shoal
