// Reads one series over a range: ring pages, the tail that is not rolled up yet and the write
// buffer, merged.
#pragma once

#include <vector>

#include "absl/status/status.h"
#include "base/clock.h"
#include "base/metric/series.h"
#include "storage/index/metric_index.h"
#include "storage/ring/ring_store.h"
#include "storage/write_buffer.h"

namespace shoal {

// Any thread. Borrows everything.
class SeriesReader {
 public:
  SeriesReader(const MetricIndex* index, const RingStore* rings, const WriteBuffer* buffer,
               const Clock* clock)
      : index_(index), rings_(rings), buffer_(buffer), clock_(clock) {}

  // Whisper's fetch; see Engine::Read. NotFound: no such series.
  absl::Status Read(SeriesId series, const FetchRange& range, Series* out) const;

  // What the ring files have for archive k of a series, pending points left out: `count` steps from
  // `start_sec`, which is aligned, column after column (one of values for the finest archive).
  absl::Status ReadStored(SeriesId series, SchemaId schema_id, size_t k, int64_t start_sec,
                          size_t count, int64_t now_sec, std::vector<double>* cells) const;

 private:
  struct View;

  absl::Status ReadOnce(SeriesId series, const FetchRange& range, Series* out) const;

  // The finest archive's steps from `start_sec` on, pending points laid over.
  void ReadFine(View* view, int64_t start_sec, absl::Span<double> out) const;
  // Archive k >= 1, its columns one after the other: stored steps, and computed ones where they are
  // not rolled up yet or pending points touch them.
  std::vector<double> ReadCoarse(View* view, size_t k, int64_t start_sec, size_t count) const;
  // The same steps computed from archive k-1.
  std::vector<double> RollUp(View* view, size_t k, int64_t start_sec, size_t count) const;

  const MetricIndex* const index_;
  const RingStore* const rings_;
  const WriteBuffer* const buffer_;
  const Clock* const clock_;
};

}  // namespace shoal
