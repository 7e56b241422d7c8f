#include "storage/fs/file_system.h"

#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

class PosixFileSystemTest : public ::testing::Test {
 protected:
  void SetUp() override {
    char path[] = "/tmp/shoal-fs-test-XXXXXX";
    ASSERT_NE(mkdtemp(path), nullptr);
    dir_ = path;
  }
  void TearDown() override { ASSERT_EQ(std::system(("rm -rf " + dir_).c_str()), 0); }

  FileSystem* const fs_ = FileSystem::Posix();
  std::string dir_;
};

TEST_F(PosixFileSystemTest, WritesReadsAndLists) {
  ASSERT_TRUE(fs_->CreateDirs(JoinPath(dir_, "a/b")).ok());
  ASSERT_TRUE(fs_->CreateDirs(JoinPath(dir_, "a/b")).ok()) << "twice is fine";
  const std::string path = JoinPath(dir_, "a/b/file");
  auto file = fs_->Open(path, OpenMode::kCreateExclusive);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_TRUE((*file)->WriteAt(5, "hello").ok());
  ASSERT_TRUE((*file)->Sync().ok());
  char buffer[16];
  EXPECT_EQ(*(*file)->ReadAt(4, 16, buffer), 6u);
  EXPECT_EQ(std::string(buffer, 6), std::string("\0hello", 6));
  EXPECT_EQ(*(*file)->Size(), 10u);
  EXPECT_TRUE(absl::IsAlreadyExists(fs_->Open(path, OpenMode::kCreateExclusive).status()));
  EXPECT_TRUE(absl::IsNotFound(fs_->Open(path + "x", OpenMode::kReadWrite).status()));
  EXPECT_THAT(*fs_->List(JoinPath(dir_, "a/b")), ElementsAre("file"));
  ASSERT_TRUE(fs_->Rename(path, path + "2").ok());
  EXPECT_FALSE(*fs_->Exists(path));
  ASSERT_TRUE(fs_->Remove(path + "2").ok());
  EXPECT_TRUE(absl::IsNotFound(fs_->Remove(path + "2")));
  EXPECT_GT(*fs_->FreeBytes(dir_), 0u);
}

TEST_F(PosixFileSystemTest, HolesGiveTheirBlocksBack) {
  auto file = *fs_->Open(JoinPath(dir_, "sparse"), OpenMode::kCreate);
  ASSERT_TRUE(file->WriteAt(0, std::string(1 << 20, 'x')).ok());
  ASSERT_TRUE(file->Sync().ok());
  const uint64_t before = *file->AllocatedBytes();
  ASSERT_TRUE(file->PunchHole(0, 512 << 10).ok());
  ASSERT_TRUE(file->Sync().ok());
  EXPECT_LT(*file->AllocatedBytes(), before);
  EXPECT_EQ(*file->Size(), 1u << 20);
  char byte = 'y';
  EXPECT_EQ(*file->ReadAt(100, 1, &byte), 1u);
  EXPECT_EQ(byte, '\0');
}

TEST_F(PosixFileSystemTest, AFailedWriteStaysFailed) {
  auto file = *fs_->Open("/dev/full", OpenMode::kReadWrite);
  const absl::Status first = file->WriteAt(0, "x");
  EXPECT_TRUE(absl::IsResourceExhausted(first)) << first;
  EXPECT_THAT(std::string(first.message()), HasSubstr("/dev/full"));
  EXPECT_EQ(file->Sync(), first);
  EXPECT_EQ(file->WriteAt(0, "y"), first);
}

TEST_F(PosixFileSystemTest, ALockIsExclusiveAndEndsWithItsObject) {
  const std::string path = JoinPath(dir_, "LOCK");
  auto lock = fs_->Lock(path);
  ASSERT_TRUE(lock.ok());
  EXPECT_TRUE(absl::IsFailedPrecondition(fs_->Lock(path).status()));
  lock->reset();
  EXPECT_TRUE(fs_->Lock(path).ok());
}

TEST_F(PosixFileSystemTest, WritesAtomicallyOverAnOlderFile) {
  const std::string path = JoinPath(dir_, "state");
  ASSERT_TRUE(WriteFileAtomically(fs_, path, "a long first state").ok());
  ASSERT_TRUE(WriteFileAtomically(fs_, path, "short").ok());
  EXPECT_EQ(*ReadFile(fs_, path, 100), "short");
  EXPECT_TRUE(absl::IsResourceExhausted(ReadFile(fs_, path, 3).status()));
  EXPECT_THAT(*fs_->List(dir_), ElementsAre("state"));
}

TEST_F(PosixFileSystemTest, RunningOutOfDescriptorsIsAnError) {
  // Nothing but the call itself runs without descriptors: sanitizers need some, too.
  FileSystem* const fs = fs_;
  const std::string path = JoinPath(dir_, "x");
  ASSERT_TRUE(fs->Open(path, OpenMode::kCreate).ok());
  rlimit old;
  ASSERT_EQ(getrlimit(RLIMIT_NOFILE, &old), 0);
  rlimit few = old;
  few.rlim_cur = 3;
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
  const absl::Status status = fs->Open(path, OpenMode::kCreate).status();
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &old), 0);
  EXPECT_TRUE(absl::IsResourceExhausted(status)) << status;
}

}  // namespace
}  // namespace shoal
