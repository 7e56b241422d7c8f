// One writer and several readers on a real file system: no reader may see a torn or a missing page.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/ring/ring_store.h"

namespace shoal {
namespace {

TEST(RingStoreConcurrency, ReadersSeeEachPageWholeWhileItIsRewrittenAndPromoted) {
  const std::filesystem::path dir =
      std::filesystem::path(::testing::TempDir()) / "shoal_ring_concurrency";
  std::filesystem::remove_all(dir);
  constexpr ArchiveKey kFine{0, 0};
  constexpr SeriesId kSeries = 40;
  constexpr size_t kSteps = 512;
  constexpr int64_t kT0 = 1'700'000'000 / 5120 * 5120;
  SeriesSchema schema;
  schema.archives = {{10, 2160}};
  RingStoreOptions options;
  options.dir = dir.string();
  auto store = RingStore::Open(options, {schema});
  ASSERT_TRUE(store.ok()) << store.status();

  // Version v of a series is `v` in every step, with noise below the point once v is large:
  // constant pages first, then pages that outgrow their class.
  const auto value_of = [](int version, size_t step) {
    return version < 20
               ? static_cast<double>(version)
               : version +
                     std::sqrt(static_cast<double>(step * 31 + static_cast<size_t>(version))) / 64;
  };
  std::atomic<int> acked{0};
  std::atomic<bool> done{false};
  std::atomic<int> reads{0};
  std::vector<std::thread> readers;
  std::vector<std::string> failures(3);
  for (int r = 0; r < 3; ++r) {
    readers.emplace_back([&, r] {
      std::vector<double> out(kSteps);
      for (SeriesId s = static_cast<SeriesId>(r); !done.load() && failures[r].empty();
           s = (s + 1) % kSeries) {
        const int before = acked.load();
        const absl::Status status = (*store)->Read(kFine, s, kT0, absl::MakeSpan(out));
        if (!status.ok()) failures[r] = std::string(status.message());
        if (before == 0) continue;
        const int version = static_cast<int>(out[0]);
        if (std::isnan(out[0]) || version < before) failures[r] = "went back or was lost";
        for (size_t i = 0; i < kSteps && failures[r].empty(); ++i) {
          if (out[i] != value_of(version, i)) failures[r] = "page of two versions";
        }
        reads.fetch_add(1);
      }
    });
  }
  int version = 1;
  for (; version < 40 || (reads.load() < 2000 && version < 400); ++version) {
    std::vector<Point> points;
    for (size_t i = 0; i < kSteps; ++i)
      points.push_back({kT0 + static_cast<int64_t>(i) * 10, value_of(version, i)});
    std::vector<SeriesPoints> batch;
    for (SeriesId s = 0; s < kSeries; ++s) batch.push_back({s, points});
    ASSERT_TRUE((*store)->Write(kFine, batch).ok());
    acked.store(version);
  }
  done.store(true);
  for (std::thread& reader : readers) reader.join();
  EXPECT_THAT(failures, ::testing::Each(::testing::IsEmpty()));
  EXPECT_GT(reads.load(), 0);
  EXPECT_EQ((*store)->BadPages(), 0u);
  EXPECT_EQ((*store)->Usage().size(), 2u);  // promotion happened on the way
  store->reset();
  std::filesystem::remove_all(dir);
}

}  // namespace
}  // namespace shoal
