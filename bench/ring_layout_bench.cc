// Stripe-major against series-major: where the pages of one span of time lie together, or those of
// one series. The series-major side is a plain writer that lives here only: a slot for each series
// with the pages of all its stripes side by side, the same pages and the same journal.
//
//   ring_layout_bench
//
// Flush: every series gets 60 points, pages are written to the journal, then in place, and synced;
// no encoding is in the figures, both sides write the same bytes. Reads come from the page cache.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "benchmark/benchmark.h"

namespace shoal {
namespace {

constexpr size_t kPageBytes = 800;
constexpr size_t kStripes = 120;        // 7 days of 10 s, 512 steps a stripe
constexpr size_t kSlotsPerFile = 2600;  // 2 MiB a stripe
constexpr size_t kJournalBytes = 16 << 20;

void Check(bool ok, const char* what) {
  if (ok) return;
  std::perror(what);
  std::abort();
}

// Pages of `series` x kStripes in files of kSlotsPerFile slots.
class Layout {
 public:
  Layout(bool stripe_major, size_t series) : stripe_major_(stripe_major), series_(series) {
    const char* const tmp = std::getenv("TMPDIR");
    dir_ = std::string(tmp != nullptr ? tmp : "/tmp") + "/ring_layout_bench." +
           std::to_string(::getpid());
    std::filesystem::remove_all(dir_);
    std::filesystem::create_directories(dir_);
    for (size_t first = 0; first < series; first += kSlotsPerFile) {
      const std::string path = dir_ + "/" + std::to_string(files_.size());
      files_.push_back(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
      Check(files_.back() >= 0, "open");
      Check(::ftruncate(files_.back(), static_cast<off_t>(kSlotsPerFile * kStripes * kPageBytes)) ==
                0,
            "ftruncate");
    }
    journal_ = ::open((dir_ + "/journal").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    Check(journal_ >= 0, "open");
  }
  ~Layout() {
    for (const int fd : files_) ::close(fd);
    ::close(journal_);
    std::filesystem::remove_all(dir_);
  }

  size_t Offset(size_t slot, size_t stripe) const {
    return (stripe_major_ ? stripe * kSlotsPerFile + slot : slot * kStripes + stripe) * kPageBytes;
  }

  // The pages of all series in one stripe: read, (merge,) journal, in place, sync.
  void Flush(size_t stripe, char fill) {
    std::vector<char> stripe_pages(kSlotsPerFile * kPageBytes);
    size_t in_journal = 0;
    std::vector<size_t> batch;
    for (size_t file = 0; file < files_.size(); ++file) {
      const size_t slots = std::min(kSlotsPerFile, series_ - file * kSlotsPerFile);
      if (stripe_major_) {
        Read(file, Offset(0, stripe), slots * kPageBytes, stripe_pages.data());
      } else {
        for (size_t slot = 0; slot < slots; ++slot)
          Read(file, Offset(slot, stripe), kPageBytes, stripe_pages.data() + slot * kPageBytes);
      }
      std::fill(stripe_pages.begin(), stripe_pages.end(), fill);
      Check(::pwrite(journal_, stripe_pages.data(), slots * kPageBytes,
                     static_cast<off_t>(in_journal)) >= 0,
            "journal");
      in_journal += slots * kPageBytes;
      batch.push_back(file);
      if (in_journal < kJournalBytes && file + 1 < files_.size()) continue;
      Check(::fdatasync(journal_) == 0, "sync");
      for (const size_t touched : batch) WriteInPlace(touched, stripe, stripe_pages);
      for (const size_t touched : batch) Check(::fdatasync(files_[touched]) == 0, "sync");
      batch.clear();
      in_journal = 0;
    }
  }
  // All stripes, without a journal: the data that reads find.
  void Fill() {
    std::vector<char> file_pages(kSlotsPerFile * kStripes * kPageBytes, 'x');
    for (const int fd : files_) {
      Check(::pwrite(fd, file_pages.data(), file_pages.size(), 0) ==
                static_cast<ssize_t>(file_pages.size()),
            "fill");
    }
  }
  // One series, `count` stripes from the first on.
  size_t ReadSeries(size_t series, size_t count, char* to) {
    const size_t file = series / kSlotsPerFile;
    const size_t slot = series % kSlotsPerFile;
    if (!stripe_major_) {
      Read(file, Offset(slot, 0), count * kPageBytes, to);
      return 1;
    }
    for (size_t stripe = 0; stripe < count; ++stripe)
      Read(file, Offset(slot, stripe), kPageBytes, to + stripe * kPageBytes);
    return count;
  }
  // One stripe of series [0, count).
  void ReadStripe(size_t count, char* to) {
    for (size_t first = 0; first < count; first += kSlotsPerFile) {
      const size_t file = first / kSlotsPerFile;
      const size_t slots = std::min(kSlotsPerFile, count - first);
      if (stripe_major_) {
        Read(file, Offset(0, 7), slots * kPageBytes, to);
      } else {
        for (size_t slot = 0; slot < slots; ++slot)
          Read(file, Offset(slot, 7), kPageBytes, to + slot * kPageBytes);
      }
    }
  }

 private:
  void Read(size_t file, size_t offset, size_t size, char* to) {
    Check(::pread(files_[file], to, size, static_cast<off_t>(offset)) == static_cast<ssize_t>(size),
          "read");
  }
  void WriteInPlace(size_t file, size_t stripe, const std::vector<char>& pages) {
    const size_t slots = std::min(kSlotsPerFile, series_ - file * kSlotsPerFile);
    if (stripe_major_) {
      Check(::pwrite(files_[file], pages.data(), slots * kPageBytes,
                     static_cast<off_t>(Offset(0, stripe))) >= 0,
            "write");
      return;
    }
    for (size_t slot = 0; slot < slots; ++slot) {
      Check(::pwrite(files_[file], pages.data() + slot * kPageBytes, kPageBytes,
                     static_cast<off_t>(Offset(slot, stripe))) >= 0,
            "write");
    }
  }

  const bool stripe_major_;
  const size_t series_;
  std::string dir_;
  std::vector<int> files_;
  int journal_ = -1;
};

// layout (1: stripe-major), series
void BM_Flush(benchmark::State& state) {
  const size_t series = static_cast<size_t>(state.range(1));
  Layout layout(state.range(0) == 1, series);
  size_t flush = 0;
  for (auto _ : state) {
    layout.Flush(5 + flush / 8, static_cast<char>('a' + flush));  // eight flushes to a stripe
    ++flush;
  }
  state.counters["us_per_page"] = benchmark::Counter(
      static_cast<double>(series) / 1e6,
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}
BENCHMARK(BM_Flush)
    ->ArgNames({"stripe_major", "series"})
    ->Args({1, 1'000'000})
    ->Args({1, 20'000})
    ->Args({0, 20'000})
    ->Iterations(2)
    ->MeasureProcessCPUTime()
    ->UseRealTime()
    ->Unit(benchmark::kMillisecond);

void BM_ReadSeriesSevenDays(benchmark::State& state) {
  Layout layout(state.range(0) == 1, 10'000);
  layout.Fill();
  std::vector<char> to(kStripes * kPageBytes);
  size_t series = 0;
  for (auto _ : state) layout.ReadSeries(series++ * 7 % 10'000, kStripes, to.data());
}
BENCHMARK(BM_ReadSeriesSevenDays)
    ->ArgName("stripe_major")
    ->Arg(1)
    ->Arg(0)
    ->Unit(benchmark::kMicrosecond);

void BM_ReadTenThousandSeriesOneHour(benchmark::State& state) {
  Layout layout(state.range(0) == 1, 10'000);
  layout.Fill();
  std::vector<char> to(kSlotsPerFile * kPageBytes);
  for (auto _ : state) layout.ReadStripe(10'000, to.data());
}
BENCHMARK(BM_ReadTenThousandSeriesOneHour)
    ->ArgName("stripe_major")
    ->Arg(1)
    ->Arg(0)
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace shoal

BENCHMARK_MAIN();
