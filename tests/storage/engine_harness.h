// An engine on the fault file system with a model of what it must hold beside it.
#pragma once

#include <cmath>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/logging.h"
#include "gtest/gtest.h"
#include "storage/engine.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {

inline constexpr int64_t kStartSec = 1'700'000'000 - 1'700'000'000 % 600;

struct EngineHarness {
  EngineHarness() {
    SetLogLevel("error").IgnoreError();
    options.fs = &fs;
    options.clock = &clock;
    options.dir = "/data";
    options.cluster_name = "test";
    options.node_name = "node-1";
    options.schemas =
        *SchemaRules::Parse("[all]\npattern = .*\nretentions = 10s:1h,60s:6h,600s:7d\n", "test");
    options.flush_interval_ms = 3'600'000;
    options.wal_segment_bytes = 16 << 10;
  }

  absl::Status Open() {
    engine.reset();
    EngineOptions copy;
    copy.fs = options.fs;
    copy.clock = options.clock;
    copy.metrics = options.metrics;
    copy.dir = options.dir;
    copy.cluster_name = options.cluster_name;
    copy.node_name = options.node_name;
    copy.schemas = *SchemaRules::Parse(schemas_text, "test");
    copy.aggregations = *AggregationRules::Parse(aggregations_text, "test");
    copy.wal_sync = options.wal_sync;
    copy.wal_sync_interval_ms = options.wal_sync_interval_ms;
    copy.wal_segment_bytes = options.wal_segment_bytes;
    copy.wal_bytes_max = options.wal_bytes_max;
    copy.write_buffer_bytes_max = options.write_buffer_bytes_max;
    copy.flush_interval_ms = options.flush_interval_ms;
    copy.future_sec_max = options.future_sec_max;
    copy.series_max = options.series_max;
    copy.series_creations_per_sec = options.series_creations_per_sec;
    copy.series_limits = options.series_limits;
    copy.migrate_schemas = options.migrate_schemas;
    copy.disk_reserve_bytes = options.disk_reserve_bytes;
    auto opened = Engine::Open(std::move(copy));
    if (!opened.ok()) return opened.status();
    engine = *std::move(opened);
    return absl::OkStatus();
  }

  using Points = std::map<int64_t, double>;

  // Resolves and writes; false when it was not acknowledged. Refusals go to *refused.
  absl::Status Write(const std::vector<std::pair<std::string, Point>>& points,
                     std::vector<Refusal>* refused = nullptr) {
    WriteBatch batch;
    for (const auto& [name, point] : points) {
      auto id = engine->Resolve(name);
      if (!id.ok()) return id.status();
      batch.series.push_back(*id);
      batch.timestamps_sec.push_back(point.timestamp_sec);
      batch.values.push_back(point.value);
    }
    WriteResult result = engine->WriteAndWait(std::move(batch));
    if (refused != nullptr) *refused = std::move(result.refused);
    return result.status;
  }

  SeriesId Find(const std::string& name) {
    SeriesId id = kNoSeries;
    EXPECT_TRUE(engine
                    ->Find(*Glob::Compile(name),
                           [&](const FoundNode& node) {
                             if (node.is_leaf) id = node.series;
                             return true;
                           })
                    .ok());
    return id;
  }

  // Known points with from < timestamp <= until; empty when there is no such series.
  Points Read(const std::string& name, int64_t from, int64_t until, int64_t* step = nullptr) {
    Points points;
    const SeriesId id = Find(name);
    if (id == kNoSeries) return points;
    Series series;
    const absl::Status status = engine->Read(id, {from, until, clock.NowSec()}, &series);
    EXPECT_TRUE(status.ok()) << status;
    for (size_t i = 0; i < series.values.size(); ++i) {
      if (std::isnan(series.values[i])) continue;
      points[series.start_sec + static_cast<int64_t>(i) * series.step_sec] = series.values[i];
    }
    if (step != nullptr) *step = series.step_sec;
    return points;
  }

  std::string schemas_text = "[all]\npattern = .*\nretentions = 10s:1h,60s:6h,600s:7d\n";
  std::string aggregations_text =
      "[sum]\npattern = \\.sum$\nxFilesFactor = 0\naggregationMethod = sum\n"
      "[max]\npattern = \\.max$\nxFilesFactor = 0.3\naggregationMethod = max\n"
      "[avg]\npattern = .*\nxFilesFactor = 0.5\naggregationMethod = average\n";
  FaultFileSystem fs;
  ManualClock clock{kStartSec};
  EngineOptions options;
  std::unique_ptr<Engine> engine;
};

}  // namespace shoal
