#include "router/ingest/length_framer.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal {
namespace {

std::string Frame(const std::string& body) {
  std::string frame;
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame.push_back(static_cast<char>(body.size() >> shift & 0xff));
  }
  return frame + body;
}

TEST(LengthFramerTest, GivesTheSameFramesInAnyDivisionIntoReads) {
  const std::vector<std::string> bodies = {"abc", "", std::string(1000, 'x'),
                                           "d",   "", std::string(300, '\0')};
  std::string bytes;
  for (const std::string& body : bodies) bytes += Frame(body);
  for (size_t read_size = 1; read_size <= bytes.size(); ++read_size) {
    LengthFramer framer(1000);
    std::vector<std::string> frames;
    for (size_t at = 0; at < bytes.size(); at += read_size) {
      ASSERT_TRUE(
          framer.Feed(absl::string_view(bytes).substr(at, read_size), [&](absl::string_view frame) {
            frames.emplace_back(frame);
            return true;
          }));
    }
    ASSERT_EQ(frames, bodies) << "reads of " << read_size;
    EXPECT_FALSE(framer.has_partial());
  }
}

TEST(LengthFramerTest, ADeclaredLengthPastTheLimitEndsTheStreamBeforeItsBytesCome) {
  for (const size_t read_size : {1, 2, 100}) {
    LengthFramer framer(1000);
    int frames = 0;
    bool going = true;
    const std::string bytes = Frame("abc") + "\xff\xff\xff\xff" + "more";
    for (size_t at = 0; going && at < bytes.size(); at += read_size) {
      going = framer.Feed(absl::string_view(bytes).substr(at, read_size),
                          [&](absl::string_view) { return ++frames > 0; });
    }
    EXPECT_FALSE(going);
    EXPECT_TRUE(framer.too_long());
    EXPECT_EQ(frames, 1);
  }
  LengthFramer framer(1000);
  EXPECT_FALSE(
      framer.Feed(absl::string_view("\0\0\x03\xe9", 4), [](absl::string_view) { return true; }));
}

TEST(LengthFramerTest, StopsWhereTheCallbackSaysSo) {
  for (const size_t read_size : {1, 100}) {
    LengthFramer framer(1000);
    int frames = 0;
    bool going = true;
    const std::string bytes = Frame("bad") + Frame("never seen");
    for (size_t at = 0; going && at < bytes.size(); at += read_size) {
      going = framer.Feed(absl::string_view(bytes).substr(at, read_size), [&](absl::string_view) {
        ++frames;
        return false;
      });
    }
    EXPECT_FALSE(going);
    EXPECT_FALSE(framer.too_long());
    EXPECT_EQ(frames, 1);
  }
}

TEST(LengthFramerTest, KnowsThatAFrameIsUnfinished) {
  LengthFramer framer(1000);
  const auto ignore = [](absl::string_view) { return true; };
  EXPECT_TRUE(framer.Feed(absl::string_view("\0", 1), ignore));
  EXPECT_TRUE(framer.has_partial());
  EXPECT_TRUE(framer.Feed(absl::string_view("\0\0\2a", 4), ignore));
  EXPECT_TRUE(framer.has_partial());
  EXPECT_TRUE(framer.Feed("b", ignore));
  EXPECT_FALSE(framer.has_partial());
}

}  // namespace
}  // namespace shoal
