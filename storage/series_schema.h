// What storage keeps for a series: its archives and how the coarser ones are made.
#pragma once

#include <cstdint>
#include <vector>

#include "base/metric/aggregation.h"
#include "base/metric/retention.h"

namespace shoal {

// Dense, from 0, assigned by the node's index; never reused for another name while the data
// directory lives.
using SeriesId = uint32_t;
inline constexpr SeriesId kNoSeries = 0xffffffff;

// Dense, from 0; names one distinct SeriesSchema of this node (the registry of schemas is in the
// index).
using SchemaId = uint16_t;

struct SeriesSchema {
  std::vector<Archive> archives;  // finest first
  AggregationRule aggregation;
  friend bool operator==(const SeriesSchema&, const SeriesSchema&) = default;
};

// One archive of one schema: archive 0 is the finest.
struct ArchiveKey {
  SchemaId schema = 0;
  uint8_t archive = 0;
  friend bool operator==(const ArchiveKey&, const ArchiveKey&) = default;
};

// A raw point. The timestamp is seconds since the epoch.
struct Point {
  int64_t timestamp_sec = 0;
  double value = 0;
};

// Consecutive steps of one series in a coarser archive, as AggregateColumns keeps them: column c of
// step i is cells[c * stride + i]; a step is absent when its first column is NaN.
struct CoarseRun {
  SeriesId series = kNoSeries;
  int64_t start_sec = 0;  // aligned to the archive's step
  size_t steps = 0;
  size_t stride = 0;  // at least `steps`
  const double* cells = nullptr;
};

}  // namespace shoal
