// Series in memory that are fetched and found as those of a whisper tree are: for tests of the
// query engine and the API.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "router/query/series_source.h"

namespace shoal {

class MemorySource : public SeriesSource {
 public:
  struct Archive {
    int64_t retention_sec = 0;
    Series points;  // absent outside
  };

  // Archives of one series, finest first.
  void AddArchive(const std::string& name, int64_t retention_sec, Series points);
  // A series whose one archive reaches back for ever.
  void Add(const std::string& name, int64_t start_sec, int64_t step_sec,
           std::vector<double> values);

  // What every call answers from now on, when not OK.
  void FailWith(absl::Status status) { failure_ = std::move(status); }
  int fetches() const { return fetches_; }
  const std::vector<FetchSpec>& last_specs() const { return last_specs_; }

  absl::StatusOr<std::vector<std::vector<Series>>> Fetch(absl::Span<const FetchSpec> specs,
                                                         Deadline deadline) override;
  absl::StatusOr<std::vector<FindEntry>> Find(const std::string& pattern,
                                              Deadline deadline) override;
  absl::StatusOr<std::vector<std::string>> ListNames(Deadline deadline) override;

 private:
  std::map<std::string, std::vector<Archive>> series_;
  absl::Status failure_;
  int fetches_ = 0;
  std::vector<FetchSpec> last_specs_;
};

}  // namespace shoal
