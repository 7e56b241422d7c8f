#include "router/ingest/http_body.h"

#include <gtest/gtest.h>
#include <snappy.h>
#include <zstd.h>

#include <string>
#include <utility>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "base/net/http_gzip.h"

namespace shoal {
namespace {

std::string Zstd(const std::string& text, bool with_size = true) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_contentSizeFlag, with_size ? 1 : 0);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  return packed;
}
std::string Snappy(const std::string& text) {
  std::string packed;
  snappy::Compress(text.data(), text.size(), &packed);
  return packed;
}

struct Coding {
  BodyEncoding encoding;
  std::string (*encode)(const std::string&);
};
std::vector<Coding> Codings() {
  return {{BodyEncoding::kIdentity, [](const std::string& text) { return text; }},
          {BodyEncoding::kGzip, [](const std::string& text) { return GzipCompress(text); }},
          {BodyEncoding::kZstd, [](const std::string& text) { return Zstd(text); }},
          {BodyEncoding::kZstd, [](const std::string& text) { return Zstd(text, false); }},
          {BodyEncoding::kSnappy, &Snappy}};
}

std::string Lines(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) {
    absl::StrAppend(&text, "servers.web", i * 7919 % 10007, ".cpu ", i * 31 % 997, ".5 17000000", i,
                    "\n");
  }
  return text;
}

const char* Decode(BodyEncoding encoding, absl::string_view body, std::string* decoded,
                   BodyLimits limits = {}) {
  return BodyErrorName(DecodeBody(encoding, body, limits, decoded));
}

TEST(HttpBodyTest, EveryEncodingIsDecoded) {
  for (const Coding& coding : Codings()) {
    for (const int count : {0, 1, 100, 20'000}) {
      const std::string text = Lines(count);
      std::string decoded = "left over";
      EXPECT_STREQ(Decode(coding.encoding, coding.encode(text), &decoded), "none");
      EXPECT_EQ(decoded, text) << static_cast<int>(coding.encoding) << " " << count;
    }
  }
}

TEST(HttpBodyTest, MembersAndFramesMayFollowEachOther) {
  const std::string text = Lines(1000);
  std::string decoded;
  EXPECT_STREQ(Decode(BodyEncoding::kGzip, GzipCompress(text) + GzipCompress("b"), &decoded),
               "none");
  EXPECT_EQ(decoded, text + "b");
  EXPECT_STREQ(Decode(BodyEncoding::kZstd, Zstd(text) + Zstd("b", false), &decoded), "none");
  EXPECT_EQ(decoded, text + "b");
}

TEST(HttpBodyTest, EveryTruncationIsRefused) {
  for (const Coding& coding : Codings()) {
    if (coding.encoding == BodyEncoding::kIdentity) continue;
    const std::string packed = coding.encode(Lines(50));
    for (size_t size = 0; size < packed.size(); ++size) {
      std::string decoded = "left over";
      EXPECT_STREQ(Decode(coding.encoding, packed.substr(0, size), &decoded), "corrupt")
          << static_cast<int>(coding.encoding) << " " << size;
      EXPECT_EQ(decoded, "");
    }
    std::string decoded;
    EXPECT_STREQ(Decode(coding.encoding, packed + "x", &decoded), "corrupt");
  }
}

TEST(HttpBodyTest, GarbageIsRefused) {
  std::string decoded;
  for (const Coding& coding : Codings()) {
    if (coding.encoding == BodyEncoding::kIdentity) continue;
    for (const std::string& body :
         {std::string("a.b 1 1700000000\n"), std::string(100, '\0'), std::string(100, '\xff')}) {
      EXPECT_STRNE(Decode(coding.encoding, body, &decoded), "none");
    }
  }
  std::string packed = GzipCompress(Lines(50));
  packed[packed.size() - 6] ^= 1;  // the checksum
  EXPECT_STREQ(Decode(BodyEncoding::kGzip, packed, &decoded), "corrupt");
}

TEST(HttpBodyTest, TheBoundIsExact) {
  const std::string text = Lines(5000);
  for (const Coding& coding : Codings()) {
    const std::string packed = coding.encode(text);
    std::string decoded;
    EXPECT_STREQ(Decode(coding.encoding, packed, &decoded, {.decoded_bytes_max = text.size()}),
                 "none");
    EXPECT_EQ(decoded, text);
    EXPECT_STREQ(Decode(coding.encoding, packed, &decoded, {.decoded_bytes_max = text.size() - 1}),
                 "too_large");
    EXPECT_EQ(decoded, "");
  }
}

TEST(HttpBodyTest, BombsAreRefused) {
  const std::string zeros(8 << 20, '\0');
  std::string decoded;
  for (const Coding& coding : Codings()) {
    if (coding.encoding == BodyEncoding::kIdentity || coding.encoding == BodyEncoding::kSnappy) {
      continue;  // snappy cannot do more than 22:1
    }
    const std::string bomb = coding.encode(zeros);
    ASSERT_GT(zeros.size() / bomb.size(), 150u);
    EXPECT_STREQ(Decode(coding.encoding, bomb, &decoded), "ratio");
    EXPECT_LE(decoded.capacity(), 64u);
    EXPECT_STREQ(Decode(coding.encoding, bomb, &decoded, {.ratio_max = 100'000}), "none");
    EXPECT_STREQ(Decode(coding.encoding, coding.encode(zeros) + coding.encode(zeros), &decoded,
                        {.decoded_bytes_max = 8 << 20, .ratio_max = 100'000}),
                 "too_large");
  }
  // Small bodies may have any ratio.
  EXPECT_STREQ(Decode(BodyEncoding::kGzip, GzipCompress(std::string(60'000, 'a')), &decoded),
               "none");
  EXPECT_STREQ(Decode(BodyEncoding::kGzip, GzipCompress(std::string(70'000, 'a')), &decoded),
               "ratio");
}

TEST(HttpBodyTest, LargeZstdFramesOfAKnownSizeNeedNoWindow) {
  std::string text(9 << 20, '\0');
  uint64_t random = 1;
  for (char& c : text) {
    random = random * 6364136223846793005u + 1442695040888963407u;
    c = static_cast<char>(random >> 56);
  }
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, 1);
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, 24);
  std::string packed(ZSTD_compressBound(text.size()), '\0');
  packed.resize(ZSTD_compress2(context, packed.data(), packed.size(), text.data(), text.size()));
  ZSTD_freeCCtx(context);
  std::string decoded;
  EXPECT_STREQ(Decode(BodyEncoding::kZstd, packed, &decoded), "none");
  EXPECT_TRUE(decoded == text);
}

TEST(HttpBodyTest, DeclaredSizesAreNotBelieved) {
  std::string decoded;
  // Snappy: 2^32 - 1 bytes, and then next to nothing.
  EXPECT_STREQ(
      Decode(BodyEncoding::kSnappy, "\xff\xff\xff\xff\x0f" + std::string(42, 'x'), &decoded),
      "ratio");
  EXPECT_STREQ(Decode(BodyEncoding::kSnappy, std::string("\x80\x80\x80\x80\x0f\0", 6), &decoded,
                      {.ratio_max = size_t{1} << 40}),
               "too_large");
  // 40,000 bytes declared, none there.
  EXPECT_STREQ(Decode(BodyEncoding::kSnappy, "\xc0\xb8\x02", &decoded), "corrupt");
  // zstd: a frame header that declares 2^40 bytes.
  const std::string frame = absl::HexStringToBytes("28b52ffde00000000000010000010000");
  EXPECT_STREQ(Decode(BodyEncoding::kZstd, frame, &decoded, {.ratio_max = size_t{1} << 40}),
               "too_large");
  // A window of 2^31 bytes.
  EXPECT_STREQ(Decode(BodyEncoding::kZstd, absl::HexStringToBytes("28b52ffd00a8010000"), &decoded),
               "corrupt");
}

TEST(ParseBodyEncodingTest, OneCodingOnly) {
  EXPECT_EQ(ParseBodyEncoding(""), BodyEncoding::kIdentity);
  EXPECT_EQ(ParseBodyEncoding("identity"), BodyEncoding::kIdentity);
  EXPECT_EQ(ParseBodyEncoding(" GZip "), BodyEncoding::kGzip);
  EXPECT_EQ(ParseBodyEncoding("x-gzip"), BodyEncoding::kGzip);
  EXPECT_EQ(ParseBodyEncoding("zstd"), BodyEncoding::kZstd);
  EXPECT_EQ(ParseBodyEncoding("snappy"), BodyEncoding::kSnappy);
  for (const char* coding :
       {"gzip, gzip", "gzip,zstd", "br", "deflate", "lz4", "x-snappy-framed"}) {
    EXPECT_EQ(ParseBodyEncoding(coding), std::nullopt) << coding;
  }
}

}  // namespace
}  // namespace shoal
