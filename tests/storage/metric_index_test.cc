#include "storage/index/metric_index.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "base/logging.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "tests/testing/fault_file_system.h"

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<std::string> Glob(const NameTree& tree, const std::string& pattern) {
  std::vector<std::string> found;
  tree.Glob(*Glob::Compile(pattern), [&](const NameTree::Match& match) {
    found.push_back(absl::StrCat(match.path, match.is_leaf ? "" : "."));
    return true;
  });
  return found;
}

class NameTreeTest : public ::testing::Test {
 protected:
  void Add(const std::string& name) { nodes_[name] = tree_.Insert(name, next_++); }

  NameTree tree_;
  std::map<std::string, NameTree::NodeId> nodes_;
  SeriesId next_ = 0;
};

TEST_F(NameTreeTest, FindsBranchesAndLeavesInOrder) {
  for (const char* name : {"a.b.c", "a.b", "a.b-x", "a.d", "z", "tagged;host=a.b"}) Add(name);
  EXPECT_THAT(Glob(tree_, "*"), ElementsAre("a.", "z"));
  EXPECT_THAT(Glob(tree_, "a.*"), ElementsAre("a.b.", "a.b", "a.b-x", "a.d"));
  EXPECT_THAT(Glob(tree_, "a.{b,d}"), ElementsAre("a.b.", "a.b", "a.d"));
  EXPECT_THAT(Glob(tree_, "{a.b.c,z}"), ElementsAre("a.b.c", "z"));
  EXPECT_THAT(Glob(tree_, "**.c"), ElementsAre("a.b.c"));
  EXPECT_THAT(Glob(tree_, "a.**"), ElementsAre("a.b.", "a.b", "a.b-x", "a.b.c", "a.d"));
  EXPECT_THAT(Glob(tree_, "**.**.b"), ElementsAre("a.b.", "a.b"));
  EXPECT_THAT(Glob(tree_, "nothing.*"), IsEmpty());
  EXPECT_THAT(Glob(tree_, "tagged;host=a.b"), ElementsAre("tagged;host=a.b"));
  EXPECT_THAT(Glob(tree_, "tagged*"), IsEmpty());
  EXPECT_EQ(tree_.Find("a.b."), kNoSeries);
  EXPECT_EQ(tree_.Find("a."), kNoSeries);
  EXPECT_EQ(tree_.Find(".a"), kNoSeries);
  EXPECT_EQ(tree_.Find(""), kNoSeries);
}

TEST_F(NameTreeTest, AgreesWithTheGlobOnRandomNamesAndPatterns) {
  std::mt19937 random(5);
  std::set<std::string> names;
  for (int i = 0; i < 400; ++i) {
    std::string name;
    for (size_t depth = 1 + random() % 4; depth > 0; --depth) {
      absl::StrAppend(&name, name.empty() ? "" : ".",
                      std::string(1, static_cast<char>('a' + random() % 3)), random() % 4);
    }
    if (names.insert(name).second) Add(name);
    if (i % 5 == 0) {
      const std::string gone = *std::next(names.begin(), random() % names.size());
      tree_.Remove(nodes_[gone]);
      names.erase(gone);
    }
  }
  for (const char* pattern : {"*", "*.*", "a*.b?.*", "**", "**.a1", "a[0-2].**.c*",
                              "{a,b}1.*.{c0,c1,a*}", "**.b*.**", "b1.*"}) {
    const auto glob = *Glob::Compile(pattern);
    std::vector<std::string> expected;
    for (const std::string& name : names) {
      if (glob.Match(name)) expected.push_back(name);
    }
    std::vector<std::string> found;
    tree_.Glob(glob, [&](const NameTree::Match& match) {
      if (match.is_leaf) found.emplace_back(match.path);
      EXPECT_TRUE(glob.Match(match.path)) << match.path;
      return true;
    });
    EXPECT_EQ(found, expected) << pattern;
  }
  std::vector<std::string> all;
  tree_.VisitLeaves([&](absl::string_view name, SeriesId) { all.emplace_back(name); });
  EXPECT_EQ(all, std::vector<std::string>(names.begin(), names.end()));
}

TEST_F(NameTreeTest, ManyDepthWildcardsCostLinearTime) {
  std::string name = "a";
  for (int i = 0; i < 200; ++i) name += ".a";
  Add(name);
  EXPECT_THAT(Glob(tree_, "**.a.**.a.**.a.**.a.**.a.**.a.**.a.**.b"), IsEmpty());
}

TEST_F(NameTreeTest, WideBranchesKeepLookUpAndOrder) {
  for (int i = 0; i < 20'000; ++i) Add(absl::StrCat("wide.n", (i * 7919) % 20'000));
  EXPECT_EQ(Glob(tree_, "wide.n1999*").size(), 11u);
  EXPECT_NE(tree_.Find("wide.n12345"), kNoSeries);
}

TEST_F(NameTreeTest, PathsComeInByteOrderAlsoWhereALabelIsTheStartOfItsSibling) {
  for (const char* name : {"a.x", "a-b.x", "a-.x", "a-b-c.x", "a", "a!.x", "aa.x", "a-b.y.z"})
    Add(name);
  for (const char* pattern : {"**", "*.x", "*.*", "a*.*"}) {
    std::vector<std::string> paths;
    tree_.Glob(*Glob::Compile(pattern), [&](const NameTree::Match& match) {
      paths.emplace_back(match.path);
      return true;
    });
    EXPECT_TRUE(std::is_sorted(paths.begin(), paths.end())) << ::testing::PrintToString(paths);
  }
  EXPECT_THAT(Glob(tree_, "*.x"), ElementsAre("a!.x", "a-.x", "a-b-c.x", "a-b.x", "a.x", "aa.x"));
}

TEST_F(NameTreeTest, AVisitorThatHasHadEnoughIsNotCalledAgain) {
  for (int i = 0; i < 1000; ++i) Add(absl::StrCat("n", i, ".x"));
  for (const char* pattern : {"*.x", "{n1,n2,n3}.x", "**"}) {
    int calls = 0;
    tree_.Glob(*Glob::Compile(pattern), [&](const NameTree::Match&) { return ++calls < 2; });
    EXPECT_EQ(calls, 2) << pattern;
  }
}

TEST_F(NameTreeTest, NodesAndLabelsOfRemovedNamesAreUsedAgain) {
  for (int round = 0; round < 50; ++round) {
    for (int i = 0; i < 2000; ++i)
      Add(absl::StrCat("pod-", std::string(100, 'x'), round, "-", i, ".user"));
    for (const auto& [name, node] : nodes_) tree_.Remove(node);
    nodes_.clear();
    if (round == 0) continue;
    EXPECT_LE(tree_.bytes(), 6u << 20) << round;
  }
  EXPECT_THAT(Glob(tree_, "**"), IsEmpty());
}

// Wide levels, names that share starts, removals, against a plain set.
TEST_F(NameTreeTest, AgreesWithASetThroughThousandsOfChanges) {
  std::mt19937 random(9);
  const auto label = [&random] {
    static const char* const kParts[] = {"a", "b", "-", "a-", "+", "z"};
    std::string text = absl::StrCat("h", random() % 400);
    while (random() % 3 == 0) text += kParts[random() % 6];
    return text;
  };
  std::set<std::string> names;
  for (int i = 0; i < 30'000; ++i) {
    std::string name = label();
    for (size_t depth = random() % 3; depth > 0; --depth) absl::StrAppend(&name, ".", label());
    if (random() % 9 == 0) name += ";k=v";
    if (names.insert(name).second) {
      EXPECT_EQ(tree_.Find(name), kNoSeries);
      Add(name);
      EXPECT_EQ(tree_.NameOf(nodes_[name]), name);
    }
    if (i % 2 == 0) {
      auto it = names.lower_bound(label());
      if (it == names.end()) continue;
      tree_.Remove(nodes_[*it]);
      EXPECT_EQ(tree_.Find(*it), kNoSeries);
      names.erase(it);
    }
    if (i % 5000 != 4999) continue;
    std::vector<std::string> all;
    tree_.VisitLeaves([&](absl::string_view leaf, SeriesId) { all.emplace_back(leaf); });
    ASSERT_EQ(all, std::vector<std::string>(names.begin(), names.end()));
    for (const char* pattern : {"h1*", "*.h2*.*", "**.h3?a*", "{h10,h11a,h12*}.*", "h5[0-9]-"}) {
      const auto glob = *Glob::Compile(pattern);
      std::vector<std::string> expected;
      for (const std::string& n : names) {
        if (glob.Match(n)) expected.push_back(n);
      }
      std::vector<std::string> found;
      tree_.Glob(glob, [&](const NameTree::Match& match) {
        if (match.is_leaf) found.emplace_back(match.path);
        return true;
      });
      ASSERT_EQ(found, expected) << pattern;
    }
  }
}

class MetricIndexTest : public ::testing::Test {
 protected:
  MetricIndexTest() { SetLogLevel("error").IgnoreError(); }
  void Open() {
    index_.reset();
    auto index = MetricIndex::Open({&fs_, "/index", "/ring/series-log", metrics_});
    ASSERT_TRUE(index.ok()) << index.status();
    index_ = *std::move(index);
  }
  void SetUp() override {
    Open();
    bool is_new = false;
    schema_ = *index_->InternSchema(kSchema, &is_new);
    EXPECT_TRUE(is_new);
  }
  std::vector<std::string> Names() {
    std::vector<std::string> names;
    index_->VisitNames([&](absl::string_view name, SeriesId id) {
      names.push_back(absl::StrCat(name, "=", id));
      EXPECT_EQ(index_->NameOf(id), name);
      EXPECT_NE(index_->SchemaOf(id), nullptr);
    });
    return names;
  }
  void RemoveAll(const std::string& part) {
    for (const std::string& path : fs_.Files()) {
      if (path.find(part) == std::string::npos) continue;
      ASSERT_TRUE(fs_.Remove(path).ok());
    }
  }

  const SeriesSchema kSchema = {{{10, 360}, {60, 1440}}, {AggregationMethod::kMax, 0.5}};
  FaultFileSystem fs_;
  std::unique_ptr<MetricIndex> index_;
  SchemaId schema_ = 0;
  MetricRegistry* metrics_ = nullptr;
};

TEST_F(MetricIndexTest, WhatWasPersistedIsThereAgain) {
  index_->Create("a.b", schema_);
  index_->Create("a.c", schema_);
  index_->Create("tagged;k=v", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_->Remove(1);
  index_->Create("a.d", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  Open();
  EXPECT_FALSE(index_->report().rebuilt);
  EXPECT_THAT(Names(), ElementsAre("a.b=0", "a.d=3", "tagged;k=v=2"));
  EXPECT_EQ(*index_->SchemaOf(0), kSchema);
  // Ids are used up for ever, also those of removed series.
  EXPECT_EQ(index_->Create("a.c", schema_), 4u);
}

TEST_F(MetricIndexTest, LevelDbIsRebuiltFromTheSeriesLog) {
  for (int i = 0; i < 5000; ++i) index_->Create(absl::StrCat("n.", i), schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_->Remove(17);
  ASSERT_TRUE(index_->Persist().ok());
  const std::vector<std::string> before = Names();
  index_.reset();
  RemoveAll("/leveldb/");
  Open();
  EXPECT_TRUE(index_->report().rebuilt);
  EXPECT_EQ(Names(), before);
  EXPECT_EQ(index_->Create("new", schema_), 5000u);
  ASSERT_TRUE(index_->Persist().ok());
  Open();
  EXPECT_FALSE(index_->report().rebuilt);
  EXPECT_EQ(index_->size(), 5000u);
}

TEST_F(MetricIndexTest, ANameThatWentAndCameBackIsInTheSeriesLogToo) {
  index_->Create("a", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_->Remove(0);
  // Within one round: another one, which goes as well, and the one that stays.
  index_->Create("a", schema_);
  index_->Remove(1);
  index_->Create("a", schema_);
  index_->Create("brief", schema_);
  index_->Remove(3);
  fs_.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("EIO"), "series-log");
  EXPECT_FALSE(index_->Persist().ok());  // what is put back is the same
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  ASSERT_TRUE(index_->Persist().ok());
  Open();
  EXPECT_FALSE(index_->report().rebuilt);
  EXPECT_THAT(Names(), ElementsAre("a=2"));
  index_.reset();
  RemoveAll("/leveldb/");
  Open();
  EXPECT_TRUE(index_->report().rebuilt);
  EXPECT_THAT(Names(), ElementsAre("a=2"));
  EXPECT_EQ(index_->Create("next", schema_), 4u);
}

TEST_F(MetricIndexTest, ADamagedLevelDbNeverCostsASeries) {
  for (int i = 0; i < 300; ++i) index_->Create(absl::StrCat("n.", i), schema_);
  ASSERT_TRUE(index_->Persist().ok());
  const std::vector<std::string> before = Names();
  std::mt19937 random(1);
  for (int round = 0; round < 60; ++round) {
    index_.reset();
    std::vector<std::string> files;
    for (const std::string& path : fs_.Files()) {
      if (path.find("/leveldb/") != std::string::npos && path.find("LOCK") == std::string::npos)
        files.push_back(path);
    }
    const std::string& path = files[random() % files.size()];
    const uint64_t size = *(*fs_.Open(path, OpenMode::kReadOnly))->Size();
    if (size > 0) fs_.FlipBits(path, random() % size, static_cast<uint8_t>(1 << random() % 8));
    Open();
    ASSERT_EQ(Names(), before) << path << " round " << round;
  }
}

TEST_F(MetricIndexTest, ALostSeriesLogIsRewrittenFromLevelDb) {
  for (int i = 0; i < 100; ++i) index_->Create(absl::StrCat("n.", i), schema_);
  ASSERT_TRUE(index_->Persist().ok());
  const std::vector<std::string> before = Names();
  index_.reset();
  RemoveAll("/series-log/");
  Open();
  EXPECT_EQ(Names(), before);
  index_.reset();
  RemoveAll("/leveldb/");
  Open();
  EXPECT_EQ(Names(), before);
}

TEST_F(MetricIndexTest, AFailedPersistForgetsNothing) {
  index_->Create("a", schema_);
  fs_.FailEvery(FaultFileSystem::Fault::kSync, 1, absl::UnavailableError("EIO"), "series-log");
  EXPECT_FALSE(index_->Persist().ok());
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  index_->Create("b", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  fs_.PowerLoss(FaultFileSystem::Unsynced::kDrop, 1);
  Open();
  EXPECT_THAT(Names(), ElementsAre("a=0", "b=1"));
}

TEST_F(MetricIndexTest, GoesOnWithoutLevelDbUntilItCanBeMadeAnew) {
  MetricRegistry metrics;
  metrics_ = &metrics;
  ASSERT_TRUE(index_->Persist().ok());
  Open();
  index_->Create("a", schema_);
  index_->Create("gone", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_->Create("b", schema_);
  fs_.FailEvery(FaultFileSystem::Fault::kWrite, 1, absl::ResourceExhaustedError("ENOSPC"),
                "leveldb");
  EXPECT_TRUE(index_->Persist().ok());
  EXPECT_NE(metrics.PrometheusText().find("shoal_node_index_leveldb_up 0"), std::string::npos);
  fs_.FailEvery(FaultFileSystem::Fault::kNone, 0, absl::OkStatus());
  index_->Remove(1);
  index_->Create("c", schema_);
  index_->RetryLevelDbNow();
  ASSERT_TRUE(index_->Persist().ok());
  EXPECT_NE(metrics.PrometheusText().find("shoal_node_index_leveldb_up 1"), std::string::npos);
  const std::vector<std::string> before = Names();
  EXPECT_THAT(before, ElementsAre("a=0", "b=2", "c=3"));
  // It holds everything again: neither copy is behind, and each stands alone.
  Open();
  EXPECT_FALSE(index_->report().rebuilt);
  EXPECT_EQ(Names(), before);
  index_.reset();
  RemoveAll("/series-log/");
  Open();
  EXPECT_EQ(Names(), before);
  metrics_ = nullptr;
}

TEST_F(MetricIndexTest, ANameThatWentAndCameBackInOneRoundSurvivesTheLossOfLevelDb) {
  index_->Create("a", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_->Remove(0);
  index_->Create("a", schema_);
  ASSERT_TRUE(index_->Persist().ok());
  index_.reset();
  RemoveAll("/leveldb/");
  Open();
  EXPECT_THAT(Names(), ElementsAre("a=1"));
}

TEST_F(MetricIndexTest, TheSeriesLogDoesNotGrowWithNamesThatComeAndGo) {
  const std::string text(900, 'x');
  SeriesId last = 0;
  for (int round = 0; round < 40; ++round) {
    std::vector<SeriesId> ids;
    for (int i = 0; i < 1000; ++i) {
      ids.push_back(index_->Create(absl::StrCat("pod-", round, "-", i, text), schema_));
    }
    ASSERT_TRUE(index_->Persist().ok());
    for (const SeriesId id : ids) index_->Remove(id);
    last = ids.back();
    ASSERT_TRUE(index_->Persist().ok());
  }
  last = index_->Create("brief", schema_);
  index_->Remove(last);
  ASSERT_TRUE(index_->Persist().ok());
  uint64_t bytes = 0;
  for (const std::string& path : fs_.Files()) {
    if (path.find("/series-log/") == std::string::npos) continue;
    bytes += *(*fs_.Open(path, OpenMode::kReadOnly))->Size();
  }
  EXPECT_LT(bytes, 20u << 20);  // 36 MB were written
  // Ids of the dead are used up all the same, whichever copy is left.
  index_.reset();
  RemoveAll("/leveldb/");
  Open();
  EXPECT_EQ(index_->size(), 0u);
  EXPECT_GT(index_->Create("new", schema_), last);
}

TEST_F(MetricIndexTest, AnOlderFormatIsRefused) {
  index_.reset();
  ASSERT_TRUE(fs_.CreateDirs("/index/series-log").ok());
  ASSERT_TRUE(WriteFileAtomically(&fs_, "/index/series-log/0000000001.log", "x").ok());
  const auto index = MetricIndex::Open({&fs_, "/index", "/ring/series-log"});
  EXPECT_TRUE(absl::IsFailedPrecondition(index.status())) << index.status();
  EXPECT_NE(index.status().message().find("version 1"), std::string::npos);
}

// Whatever point of a Persist the machine stops at, either copy alone tells of all that was
// persisted before.
TEST_F(MetricIndexTest, ACrashAnywhereInPersistCostsNoName) {
  for (int crash = 0; crash < 60; ++crash) {
    for (const char* lost : {"", "/leveldb/", "/series-log/"}) {
      FaultFileSystem fs;
      auto index = *MetricIndex::Open({&fs, "/index", "/ring/series-log"});
      bool is_new = false;
      const SchemaId schema = *index->InternSchema(kSchema, &is_new);
      index->Create("a", schema);
      index->Create("b", schema);
      ASSERT_TRUE(index->Persist().ok());
      index->Remove(0);
      index->Create("a", schema);
      index->Create("c", schema);
      fs.CrashAfter(crash);
      const bool persisted = index->Persist().ok() && !fs.crashed();
      index.reset();
      fs.PowerLoss(FaultFileSystem::Unsynced::kTear, static_cast<uint64_t>(crash));
      std::vector<std::string> files = fs.Files();
      for (const std::string& path : files) {
        if (*lost == 0 || path.find(lost) == std::string::npos) continue;
        ASSERT_TRUE(fs.Remove(path).ok());
      }
      auto again = MetricIndex::Open({&fs, "/index", "/ring/series-log"});
      ASSERT_TRUE(again.ok()) << again.status() << " crash after " << crash;
      // What was not persisted is in the WAL, and what is here of it must not be in its way.
      EXPECT_EQ((*again)->Find("b"), 1u) << crash << lost;
      (*again)->Remove(0);
      (*again)->Restore({2, schema, "a"});
      EXPECT_EQ((*again)->Find("a"), 2u) << crash << lost;
      if (persisted) {
        EXPECT_EQ((*again)->Find("c"), 3u) << crash << lost;
      }
    }
  }
}

}  // namespace
}  // namespace shoal
