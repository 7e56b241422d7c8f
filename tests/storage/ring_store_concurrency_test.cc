// One writer and several readers on a real file system: no reader may see a torn or a missing page.
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/match.h"
#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/ring/ring_store.h"
#include "tests/testing/fault_file_system.h"

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

// A file whose writes to ring files happen in two halves, with a call between them.
class HalvingFile : public File {
 public:
  HalvingFile(std::unique_ptr<File> file, const std::function<void()>* between,
              std::atomic<int>* reads)
      : file_(std::move(file)), between_(between), reads_(reads) {}

  absl::StatusOr<size_t> ReadAt(uint64_t offset, size_t size, char* to) const override {
    absl::StatusOr<size_t> got = file_->ReadAt(offset, size, to);
    reads_->fetch_add(1);
    return got;
  }
  absl::Status WriteAt(uint64_t offset, absl::string_view bytes) override {
    const size_t half = bytes.size() / 2;
    if (absl::Status status = file_->WriteAt(offset, bytes.substr(0, half)); !status.ok())
      return status;
    if (*between_ && absl::EndsWith(path(), ".ring")) (*between_)();
    return file_->WriteAt(offset + half, bytes.substr(half));
  }
  absl::Status Sync() override { return file_->Sync(); }
  absl::Status Truncate(uint64_t size) override { return file_->Truncate(size); }
  absl::Status PunchHole(uint64_t offset, uint64_t size) override {
    return file_->PunchHole(offset, size);
  }
  absl::StatusOr<uint64_t> Size() const override { return file_->Size(); }
  absl::StatusOr<uint64_t> AllocatedBytes() const override { return file_->AllocatedBytes(); }
  const std::string& path() const override { return file_->path(); }

 private:
  const std::unique_ptr<File> file_;
  const std::function<void()>* const between_;
  std::atomic<int>* const reads_;
};

class HalvingFileSystem : public FaultFileSystem {
 public:
  absl::StatusOr<std::unique_ptr<File>> Open(const std::string& path, OpenMode mode) override {
    auto file = FaultFileSystem::Open(path, mode);
    if (!file.ok()) return file.status();
    return std::unique_ptr<File>(new HalvingFile(*std::move(file), &between_writes, &reads));
  }
  std::function<void()> between_writes;
  std::atomic<int> reads{0};
};

TEST(RingStoreConcurrency, ReadInTheMiddleOfAWriteWaitsForTheWholePage) {
  constexpr ArchiveKey kFine{0, 0};
  constexpr int64_t kT0 = 1'700'000'000 / 5120 * 5120;
  HalvingFileSystem fs;
  SeriesSchema schema;
  schema.archives = {{10, 2160}};
  RingStoreOptions options;
  options.fs = &fs;
  options.dir = "/data/ring";
  options.stripe_bytes_max = 20'000;
  auto store = RingStore::Open(options, {schema});
  ASSERT_TRUE(store.ok()) << store.status();
  const auto write = [&](double value) {
    std::vector<Point> points;
    for (int i = 0; i < 512; ++i) points.push_back({kT0 + i * 10, value + i % 100});
    return (*store)->Write(kFine, {SeriesPoints{1, points}});
  };
  ASSERT_TRUE(write(1).ok());

  std::vector<double> out(512);
  absl::Status read;
  std::thread reader;
  fs.between_writes = [&] {
    if (reader.joinable()) return;
    const int before = fs.reads.load();
    reader = std::thread([&] { read = (*store)->Read(kFine, 1, kT0, absl::MakeSpan(out)); });
    // The reader has seen the half-written page; what it does about that is the point.
    while (fs.reads.load() == before) std::this_thread::yield();
  };
  ASSERT_TRUE(write(1000).ok());
  ASSERT_TRUE(reader.joinable());
  reader.join();
  EXPECT_TRUE(read.ok()) << read;
  for (int i = 0; i < 512; ++i) ASSERT_EQ(out[static_cast<size_t>(i)], 1000 + i % 100);
  EXPECT_EQ((*store)->BadPages(), 0u);
}

}  // namespace
}  // namespace shoal
