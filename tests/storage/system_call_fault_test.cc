// The engine on the real file system while the kernel's answers are the rare ones: interrupted and
// short reads and writes, failing fdatasync. The calls are replaced in this program.
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "tests/storage/engine_harness.h"

namespace {

std::atomic<bool> rare_answers{false};
std::atomic<int> interrupted{0};
std::atomic<int> shortened{0};
std::atomic<int> calls{0};
// Every this many-th fdatasync fails with EIO; 0: none.
std::atomic<int> sync_fails_every{0};
std::atomic<int> syncs{0};
std::atomic<int> failed_syncs{0};
// A descriptor whose fdatasync has failed was synced again: the kernel might then say OK for data
// that it has dropped.
std::atomic<int> syncs_after_failure{0};
std::array<std::atomic<bool>, 4096> has_failed{};

// What becomes of a call for `size` bytes: -1 interrupted, else how many of them are done.
ssize_t Shortened(size_t size) {
  if (!rare_answers) return static_cast<ssize_t>(size);
  const int n = ++calls;
  if (n % 3 == 0) {
    ++interrupted;
    errno = EINTR;
    return -1;
  }
  if (size > 1 && n % 2 == 0) {
    ++shortened;
    return static_cast<ssize_t>(size / 2);
  }
  return static_cast<ssize_t>(size);
}

}  // namespace

extern "C" {

ssize_t pread(int fd, void* to, size_t size, off_t offset) {
  const ssize_t n = Shortened(size);
  return n < 0 ? n : syscall(SYS_pread64, fd, to, n, offset);
}
ssize_t pwrite(int fd, const void* from, size_t size, off_t offset) {
  const ssize_t n = Shortened(size);
  return n < 0 ? n : syscall(SYS_pwrite64, fd, from, n, offset);
}
int fdatasync(int fd) {
  std::atomic<bool>& failed = has_failed[static_cast<size_t>(fd) % has_failed.size()];
  if (failed) ++syncs_after_failure;
  if (const int every = sync_fails_every; every > 0 && ++syncs % every == 0) {
    failed = true;
    ++failed_syncs;
    errno = EIO;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fdatasync, fd));
}
int close(int fd) {
  if (fd >= 0) has_failed[static_cast<size_t>(fd) % has_failed.size()] = false;
  return static_cast<int>(syscall(SYS_close, fd));
}

}  // extern "C"

namespace shoal {
namespace {

class SystemCallFaultTest : public ::testing::Test {
 protected:
  static constexpr int kSeries = 20;
  static constexpr int kSlots = 120;

  void SetUp() override {
    char path[] = "/tmp/shoal-call-test-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    dir_ = path;
    node_.options.fs = FileSystem::Posix();
    node_.options.dir = dir_ + "/data";
    ASSERT_TRUE(node_.Open().ok());
  }
  void TearDown() override {
    rare_answers = false;
    sync_fails_every = 0;
    node_.engine.reset();
    ASSERT_EQ(std::system(("rm -rf " + dir_).c_str()), 0);
  }

  static double Value(int series, int slot) { return slot * 100 + series + 0.5; }
  static int64_t Time(int slot) { return kStartSec - 3000 + 10 * slot; }

  // Slot after slot, with a flush now and then; a slot that is refused is tried again.
  void WriteAll() {
    for (int slot = 0; slot < kSlots; ++slot) {
      std::vector<std::pair<std::string, Point>> points;
      for (int s = 0; s < kSeries; ++s) {
        points.push_back({absl::StrCat("call.s", s), {Time(slot), Value(s, slot)}});
      }
      while (!node_.Write(points).ok()) {
        ++refused_;
        ASSERT_LT(refused_, 1000);
      }
      if (slot % 30 == 29 && !node_.engine->Flush().ok()) ++failed_flushes_;
    }
  }
  void ExpectAll() {
    for (int s = 0; s < kSeries; ++s) {
      const std::string name = absl::StrCat("call.s", s);
      const EngineHarness::Points found = node_.Read(name, kStartSec - 3500, kStartSec);
      ASSERT_EQ(found.size(), static_cast<size_t>(kSlots)) << name;
      for (int slot = 0; slot < kSlots; ++slot) {
        ASSERT_EQ(found.at(Time(slot)), Value(s, slot)) << name << " slot " << slot;
      }
    }
  }

  std::string dir_;
  EngineHarness node_;
  int refused_ = 0;
  int failed_flushes_ = 0;
};

TEST_F(SystemCallFaultTest, InterruptedAndShortCallsAreGoneOnWith) {
  rare_answers = true;
  WriteAll();
  ExpectAll();
  ASSERT_TRUE(node_.Open().ok());
  ExpectAll();
  EXPECT_TRUE(node_.engine->rings().Verify().empty());
  EXPECT_EQ(refused_, 0);
  EXPECT_EQ(failed_flushes_, 0);
  EXPECT_GT(interrupted, 100);
  EXPECT_GT(shortened, 100);
}

TEST_F(SystemCallFaultTest, ASyncThatFailedIsNeverTriedAgainOnThatFile) {
  for (const int every : {2, 3, 5, 11}) {
    sync_fails_every = every;
    WriteAll();
    sync_fails_every = 0;
    ExpectAll();
    ASSERT_TRUE(node_.engine->Flush().ok());
    ASSERT_TRUE(node_.Open().ok());
    ExpectAll();
    EXPECT_TRUE(node_.engine->rings().Verify().empty());
  }
  EXPECT_GT(failed_syncs, 50);
  EXPECT_EQ(syncs_after_failure, 0);
}

}  // namespace
}  // namespace shoal
