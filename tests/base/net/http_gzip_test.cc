#include "base/net/http_gzip.h"

#include <zlib.h>

#include <random>
#include <string>

#include "gtest/gtest.h"

namespace shoal {
namespace {

std::string Gunzip(absl::string_view packed, size_t size_max) {
  std::string text(size_max, '\0');
  z_stream stream = {};
  EXPECT_EQ(inflateInit2(&stream, 15 + 16), Z_OK);
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(packed.data()));
  stream.avail_in = static_cast<uInt>(packed.size());
  stream.next_out = reinterpret_cast<Bytef*>(text.data());
  stream.avail_out = static_cast<uInt>(text.size());
  EXPECT_EQ(inflate(&stream, Z_FINISH), Z_STREAM_END);
  text.resize(stream.total_out);
  inflateEnd(&stream);
  return text;
}

TEST(GzipTest, RoundTripsAnySize) {
  std::mt19937 random(7);
  for (size_t size : {0u, 1u, 1000u, 100'000u, 3'000'000u}) {
    std::string text(size, '\0');
    for (char& c : text) c = static_cast<char>(random());
    EXPECT_EQ(Gunzip(GzipCompress(text), size + 1), text);
  }
}

TEST(GzipTest, ReadsAcceptEncoding) {
  EXPECT_TRUE(AcceptsGzip("gzip"));
  EXPECT_TRUE(AcceptsGzip("deflate, GZIP;q=0.5, br"));
  EXPECT_TRUE(AcceptsGzip("*"));
  EXPECT_FALSE(AcceptsGzip(""));
  EXPECT_FALSE(AcceptsGzip("deflate, br"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=0"));
  EXPECT_FALSE(AcceptsGzip("gzip; q=0.000, *"));
  EXPECT_FALSE(AcceptsGzip("gzip;q=many"));
  EXPECT_FALSE(AcceptsGzip("xgzip"));
}

TEST(GzipTest, PicturesAreNotWorthIt) {
  EXPECT_TRUE(WorthGzip("application/json"));
  EXPECT_TRUE(WorthGzip("image/svg+xml"));
  EXPECT_FALSE(WorthGzip("image/png"));
}

}  // namespace
}  // namespace shoal
