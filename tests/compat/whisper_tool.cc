// An engine with one series, driven by lines on standard input; whisper_diff.py has the same done
// to a whisper file.
//
//   schema RETENTIONS METHOD XFF    first; with `whisper = true`
//   now SECONDS
//   write SECONDS VALUE [SECONDS VALUE ...]
//   flush | restart
//   read FROM UNTIL                 prints "START STEP VALUE...", "-" for absent values
#include <cmath>
#include <cstdio>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/logging.h"
#include "storage/engine.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

class Tool {
 public:
  absl::Status Run(const std::string& line) {
    std::istringstream words(line);
    std::string command;
    words >> command;
    if (command == "schema") return Schema(&words);
    if (command == "now") {
      int64_t now_sec = 0;
      words >> now_sec;
      clock_.Advance(now_sec - clock_.NowSec());
      return absl::OkStatus();
    }
    if (command == "write") return Write(&words);
    if (command == "flush") return engine_->Flush();
    if (command == "restart") return Open();
    if (command == "read") return Read(&words);
    return absl::InvalidArgumentError(absl::StrCat("unknown command: ", line));
  }

 private:
  absl::Status Schema(std::istringstream* words) {
    std::string retentions, method, factor;
    *words >> retentions >> method >> factor;
    schemas_ = absl::StrCat("[s]\npattern = .*\nretentions = ", retentions, "\n");
    aggregations_ = absl::StrCat("[s]\npattern = .*\naggregationMethod = ", method,
                                 "\nxFilesFactor = ", factor, "\nwhisper = true\n");
    return Open();
  }

  absl::Status Open() {
    engine_.reset();
    EngineOptions options;
    options.fs = &fs_;
    options.clock = &clock_;
    options.dir = "/data";
    options.cluster_name = "test";
    options.node_name = "node-1";
    options.flush_interval_ms = 3'600'000;
    auto schemas = SchemaRules::Parse(schemas_, "schemas");
    if (!schemas.ok()) return schemas.status();
    auto aggregations = AggregationRules::Parse(aggregations_, "aggregation");
    if (!aggregations.ok()) return aggregations.status();
    options.schemas = *std::move(schemas);
    options.aggregations = *std::move(aggregations);
    auto opened = Engine::Open(std::move(options));
    if (!opened.ok()) return opened.status();
    engine_ = *std::move(opened);
    auto id = engine_->Resolve("a.b");
    if (!id.ok()) return id.status();
    series_ = *id;
    return absl::OkStatus();
  }

  absl::Status Write(std::istringstream* words) {
    WriteBatch batch;
    int64_t time_sec = 0;
    double value = 0;
    while (*words >> time_sec >> value) {
      batch.series.push_back(series_);
      batch.timestamps_sec.push_back(time_sec);
      batch.values.push_back(value);
    }
    WriteResult result = engine_->WriteAndWait(std::move(batch));
    if (result.status.ok() && !result.refused.empty())
      return absl::InvalidArgumentError("a point was refused");
    return result.status;
  }

  absl::Status Read(std::istringstream* words) {
    FetchRange range;
    range.now_sec = clock_.NowSec();
    *words >> range.from_sec >> range.until_sec;
    Series series;
    if (absl::Status status = engine_->Read(series_, range, &series); !status.ok()) return status;
    std::printf("%lld %lld", static_cast<long long>(series.start_sec),
                static_cast<long long>(series.step_sec));
    for (const double value : series.values) {
      if (std::isnan(value)) {
        std::printf(" -");
      } else {
        std::printf(" %.17g", value);
      }
    }
    std::printf("\n");
    std::fflush(stdout);
    return absl::OkStatus();
  }

  FaultFileSystem fs_;
  ManualClock clock_{1'700'000'000};
  std::string schemas_;
  std::string aggregations_;
  std::unique_ptr<Engine> engine_;
  SeriesId series_ = kNoSeries;
};

}  // namespace
}  // namespace shoal

int main() {
  shoal::SetLogLevel("error").IgnoreError();
  shoal::Tool tool;
  std::string line;
  while (std::getline(std::cin, line)) {
    if (const absl::Status status = tool.Run(line); !status.ok()) {
      std::cerr << line << ": " << status << "\n";
      return 1;
    }
  }
  return 0;
}
