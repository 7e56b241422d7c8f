// Counters of the write side.
#pragma once

#include "base/stats.h"

namespace shoal {

struct WriteMetrics {
  explicit WriteMetrics(MetricRegistry* metrics);

  Counter* streams_opened;
  Counter* streams_refused;  // hello not accepted
  Counter* streams_failed;   // ended by the node: engine trouble or a bad batch
  Counter* batches;
  Counter* points;  // of batches that passed the checks
  Counter* bad_batches;
  Counter* refused_bad_name;  // points, by why their series could not be resolved
  Counter* refused_series_limit;
  Histogram* ack_seconds;  // from a batch's arrival to its acknowledgement
};

}  // namespace shoal
