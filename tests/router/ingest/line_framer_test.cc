#include "router/ingest/line_framer.h"

#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace shoal {
namespace {

constexpr size_t kLineMax = 20;

struct Framed {
  std::vector<std::string> lines;
  std::vector<std::string> too_long;
  std::string partial;
  friend bool operator==(const Framed&, const Framed&) = default;
};

class Feeder {
 public:
  void Feed(absl::string_view bytes) {
    framer_.Feed(
        bytes, [&](absl::string_view line) { framed_.lines.emplace_back(line); },
        [&](absl::string_view line) { framed_.too_long.emplace_back(line.substr(0, 3)); });
    EXPECT_LE(framer_.partial().size(), kLineMax);
  }
  Framed Take() {
    framed_.partial = std::string(framer_.partial());
    return framed_;
  }

 private:
  LineFramer framer_{kLineMax};
  Framed framed_;
};

const std::string kText = "one\n\nthree\r\n" + std::string(kLineMax, 'x') + "\n" +
                          std::string(kLineMax + 1, 'y') + "\nfour\n" + std::string(100, 'z') +
                          "\n\nfive\nlast";

TEST(LineFramerTest, CutsAtNewlinesAndKeepsTheRest) {
  Feeder feeder;
  feeder.Feed(kText);
  const Framed expected = {{"one", "", "three\r", std::string(kLineMax, 'x'), "four", "", "five"},
                           {"yyy", "zzz"},
                           "last"};
  EXPECT_EQ(feeder.Take(), expected);
}

TEST(LineFramerTest, EverySplitIntoTwoReadsGivesTheSameLines) {
  Feeder whole;
  whole.Feed(kText);
  const Framed expected = whole.Take();
  for (size_t i = 0; i <= kText.size(); ++i) {
    Feeder feeder;
    feeder.Feed(absl::string_view(kText).substr(0, i));
    feeder.Feed(absl::string_view(kText).substr(i));
    EXPECT_EQ(feeder.Take(), expected) << "split at " << i;
  }
}

TEST(LineFramerTest, EveryReadSizeGivesTheSameLines) {
  Feeder whole;
  whole.Feed(kText);
  const Framed expected = whole.Take();
  for (size_t size = 1; size <= kText.size(); ++size) {
    Feeder feeder;
    for (size_t i = 0; i < kText.size(); i += size) {
      feeder.Feed(absl::string_view(kText).substr(i, size));
    }
    EXPECT_EQ(feeder.Take(), expected) << "reads of " << size;
  }
}

TEST(LineFramerTest, EndlessLineCostsOneReportAndNoMemory) {
  Feeder feeder;
  for (int i = 0; i < 1000; ++i) feeder.Feed(std::string(1000, 'x'));
  EXPECT_EQ(feeder.Take().too_long.size(), 1u);
  EXPECT_EQ(feeder.Take().partial, "");
  feeder.Feed("\nnext\n");
  EXPECT_EQ(feeder.Take().lines, std::vector<std::string>{"next"});
}

}  // namespace
}  // namespace shoal
