#include "router/forward/stream_dictionary.h"

#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

std::shared_ptr<NameBook> Book(const std::vector<std::string>& names) {
  auto book = std::make_shared<NameBook>(100, 10'000);
  for (const std::string& name : names) book->Add(name, name, 0);
  return book;
}

using Refs = std::vector<uint32_t>;
using Names = std::vector<absl::string_view>;

TEST(StreamDictionaryTest, DefinesEveryNameOnce) {
  StreamDictionary dictionary;
  const auto book = Book({"a", "b", "c"});
  dictionary.Translate(book, Refs{2, 0, 2});
  EXPECT_EQ(dictionary.refs(), (Refs{0, 1, 0}));
  EXPECT_EQ(dictionary.defined_refs(), (Refs{0, 1}));
  EXPECT_EQ(dictionary.defined_names(), (Names{"c", "a"}));
  dictionary.Translate(book, Refs{0, 1});
  EXPECT_EQ(dictionary.refs(), (Refs{1, 2}));
  EXPECT_EQ(dictionary.defined_refs(), (Refs{2}));
  EXPECT_EQ(dictionary.defined_names(), (Names{"b"}));
  EXPECT_EQ(dictionary.size(), 3u);
}

TEST(StreamDictionaryTest, RefsOfTwoBooksDoNotMix) {
  StreamDictionary dictionary;
  auto old = Book({"old"});
  const auto young = Book({"young"});
  dictionary.Translate(old, Refs{0});
  old = nullptr;
  dictionary.Translate(young, Refs{0});
  EXPECT_EQ(dictionary.refs(), (Refs{1}));
  EXPECT_EQ(dictionary.defined_names(), (Names{"young"}));
}

TEST(StreamDictionaryTest, NamesInTheOpenAreDefinedOnceToo) {
  StreamDictionary dictionary;
  dictionary.Translate(Names{"x", "y"}, Refs{1, 0, 1});
  EXPECT_EQ(dictionary.refs(), (Refs{1, 0, 1}));
  EXPECT_EQ(dictionary.defined_names(), (Names{"x", "y"}));
  dictionary.Translate(Names{"y", "z"}, Refs{0, 1});
  EXPECT_EQ(dictionary.refs(), (Refs{1, 2}));
  EXPECT_EQ(dictionary.defined_names(), (Names{"z"}));
}

}  // namespace
}  // namespace shoal
