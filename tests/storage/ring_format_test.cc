// The bytes on disk: what docs/format shows is what the code writes and reads, and damage is
// noticed wherever it is.
#include "storage/ring/ring_format.h"

#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/metric/series.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "storage/page/page_codec.h"
#include "storage/page/size_class.h"
#include "storage/ring/double_write.h"
#include "storage/ring/rolled_until.h"

namespace shoal {
namespace {

RingHeader SampleHeader() {
  RingHeader header;
  header.archive = {1, 0};
  header.size_class = 32;
  header.columns = 1;
  header.method = AggregationMethod::kAverage;
  header.step_sec = 10;
  header.stripe_steps = 512;
  header.points = 2160;
  header.stripes = StripesFor(header.points, header.stripe_steps);
  header.page_bytes = PageBytesFor(header.size_class, header.stripe_steps, header.columns);
  header.slots = (2 << 20) / header.page_bytes;
  header.number = 3;
  header.x_files_factor = 0.5;
  header.created_us = 1'700'000'000'000'000;
  return header;
}

// A page of 16 steps: 42.5, 42.75, absent, 43, then nothing.
constexpr PageShape kSampleShape{16, 1, 56};
const PageTag kSampleTag{7, 332'031, 1};
std::vector<double> SampleDense() {
  std::vector<double> dense(16, kAbsent);
  dense[0] = 42.5;
  dense[1] = 42.75;
  dense[3] = 43;
  return dense;
}

std::string SamplePage() {
  std::string page(kSampleShape.page_bytes, '\0');
  EXPECT_TRUE(EncodePage(kSampleShape, PageSeedOf(SampleHeader().Identity(), 2), kSampleTag,
                         SampleDense(), page.data()));
  return page;
}

std::string SampleSlotBlock() {
  std::vector<SlotEntry> entries(3);
  entries[0] = {7, 0, 332'040, 1};
  entries[2] = {9, 332'035, kNoStripe, 2};
  return EncodeSlotBlock(SampleHeader(), 0, entries);
}

std::string SampleJournal() {
  JournalBatch batch;
  using std::string_literals::operator""s;
  batch.Add("s00001-a0-c032-000003.ring", SampleHeader().Identity(), 36864, "first image");
  batch.Add("s00001-a0-c032-000003.ring", SampleHeader().Identity(), 4096, "second\0\0\0\0"s);
  return std::string(batch.Seal(5));
}

std::string SampleRolled() {
  RolledUntil rolled;
  rolled.Set({1, 1}, 1'700'000'040);
  rolled.Set({1, 2}, 1'699'999'800);
  return rolled.Encode();
}

// As `hexdump -C` prints it.
std::string HexDump(absl::string_view bytes) {
  std::string out;
  std::string last;
  bool squeezed = false;
  for (size_t at = 0; at < bytes.size(); at += 16) {
    const std::string row(bytes.substr(at, 16));
    if (row == last) {
      if (!squeezed) out += "*\n";
      squeezed = true;
      continue;
    }
    last = row;
    squeezed = false;
    std::string hex;
    std::string text;
    for (size_t i = 0; i < 16; ++i) {
      if (i == 8) hex += ' ';
      if (i >= row.size()) {
        hex += "   ";
        continue;
      }
      const unsigned char c = static_cast<unsigned char>(row[i]);
      absl::StrAppendFormat(&hex, " %02x", c);
      text += c >= 0x20 && c < 0x7f ? static_cast<char>(c) : '.';
    }
    absl::StrAppendFormat(&out, "%08x %s  |%s|\n", at, hex, text);
  }
  absl::StrAppendFormat(&out, "%08x\n", bytes.size());
  return out;
}

std::string Doc(const std::string& name) {
  std::ifstream file("docs/format/" + name);
  std::stringstream text;
  text << file.rdbuf();
  EXPECT_FALSE(text.str().empty()) << name;
  return text.str();
}

void ExpectInDoc(const std::string& doc, absl::string_view bytes) {
  EXPECT_NE(Doc(doc).find(HexDump(bytes)), std::string::npos)
      << "docs/format/" << doc << " does not show these bytes:\n"
      << HexDump(bytes);
}

TEST(RingFormat, DocumentsShowTheBytes) {
  ExpectInDoc("page.md", SamplePage());
  ExpectInDoc("ring.md", EncodeRingHeader(SampleHeader()));
  ExpectInDoc("ring.md", SampleSlotBlock());
  ExpectInDoc("ring.md", SampleRolled());
  ExpectInDoc("double_write.md", SampleJournal());
}

TEST(RingFormat, SamplesAreReadBack) {
  RingHeader header;
  ASSERT_TRUE(DecodeRingHeader(EncodeRingHeader(SampleHeader()), &header).ok());
  EXPECT_EQ(header, SampleHeader());
  EXPECT_EQ(RingFileName(header), "s00001-a0-c032-000003.ring");
  EXPECT_TRUE(IsRingFileName(RingFileName(header)));

  std::vector<SlotEntry> entries(3);
  ASSERT_TRUE(DecodeSlotBlock(header, 0, SampleSlotBlock(), absl::MakeSpan(entries)).ok());
  EXPECT_EQ(entries[0], (SlotEntry{7, 0, 332'040, 1}));
  EXPECT_FALSE(entries[1].used());
  EXPECT_EQ(entries[2], (SlotEntry{9, 332'035, kNoStripe, 2}));

  const std::string journal = SampleJournal();
  const auto parsed = ParseJournal(journal);
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->sequence, 5u);
  ASSERT_EQ(parsed->images.size(), 2u);
  EXPECT_EQ(parsed->images[0].file, "s00001-a0-c032-000003.ring");
  EXPECT_EQ(parsed->images[0].file_identity, SampleHeader().Identity());
  EXPECT_EQ(parsed->images[0].bytes, "first image");
  EXPECT_EQ(parsed->images[0].offset, 36864u);
  EXPECT_EQ(parsed->images[0].size, 11u);
  EXPECT_EQ(parsed->images[1].bytes, "second");
  EXPECT_EQ(parsed->images[1].size, 10u);

  const auto rolled = RolledUntil::Decode(SampleRolled());
  ASSERT_TRUE(rolled.ok());
  EXPECT_EQ(rolled->Get({1, 2}), 1'699'999'800);
  EXPECT_EQ(rolled->Get({2, 1}), 0);
}

TEST(RingFormat, StripesCoverTheRetentionWhereverItBegins) {
  EXPECT_EQ(StripesFor(2160, 512), 6u);
  EXPECT_EQ(StripesFor(512, 512), 2u);
  EXPECT_EQ(StripesFor(513, 512), 3u);
  EXPECT_EQ(StripesFor(1, 512), 2u);
}

TEST(RingFormat, PagesOfAStripeLieSideBySideAndStripesDoNotOverlap) {
  const RingHeader header = SampleHeader();
  EXPECT_EQ(header.PageOffset(0, 1), header.PageOffset(0, 0) + header.page_bytes);
  EXPECT_GE(header.PageOffset(1, 0), header.PageOffset(0, header.slots - 1) + header.page_bytes);
  EXPECT_EQ(header.PageOffset(1, 0) % kRingBlockBytes, 0u);
  EXPECT_GE(header.PageOffset(0, 0),
            header.SlotBlockOffset(header.slot_blocks() - 1) + kRingBlockBytes);
  EXPECT_EQ(header.file_bytes(), header.PageOffset(header.stripes, 0));
}

// Every damage of one byte, and every truncation: an error, and never other contents.
template <typename Decode>
void ExpectDamageIsNoticed(const std::string& good, Decode&& decode) {
  ASSERT_TRUE(decode(good));
  for (size_t at = 0; at < good.size(); ++at) {
    for (const int mask : {0x01, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ mask);
      ASSERT_FALSE(decode(bad)) << "byte " << at << " mask " << mask;
    }
  }
  for (size_t size = 0; size < good.size(); ++size) {
    ASSERT_FALSE(decode(good.substr(0, size))) << "cut to " << size;
  }
}

TEST(RingFormat, DamagedHeaderIsNoticed) {
  ExpectDamageIsNoticed(EncodeRingHeader(SampleHeader()), [](const std::string& bytes) {
    RingHeader header;
    return DecodeRingHeader(bytes, &header).ok();
  });
}

TEST(RingFormat, DamagedSlotTableIsNoticed) {
  ExpectDamageIsNoticed(SampleSlotBlock(), [](const std::string& bytes) {
    std::vector<SlotEntry> entries(3);
    return DecodeSlotBlock(SampleHeader(), 0, bytes, absl::MakeSpan(entries)).ok();
  });
  std::vector<SlotEntry> entries(3);
  EXPECT_FALSE(DecodeSlotBlock(SampleHeader(), 1, SampleSlotBlock(), absl::MakeSpan(entries)).ok());
  RingHeader other = SampleHeader();
  other.number = 4;
  EXPECT_FALSE(DecodeSlotBlock(other, 0, SampleSlotBlock(), absl::MakeSpan(entries)).ok());
}

TEST(RingFormat, TornJournalIsNoBatch) {
  ExpectDamageIsNoticed(SampleJournal(),
                        [](const std::string& bytes) { return ParseJournal(bytes).ok(); });
  // What is left of a longer batch before it does not matter.
  EXPECT_TRUE(ParseJournal(SampleJournal() + "leftover").ok());
}

TEST(RingFormat, AHoleOfAnySizeIsOneImageOrSeveral) {
  JournalBatch batch;
  batch.AddHole("a.ring", 7, 8192, 4096);
  batch.AddHole("a.ring", 7, 12288, 2 * uint64_t{kJournalImageMax} + 4096);
  batch.Add("a.ring", 7, 4096, "block");
  const std::string sealed(batch.Seal(1));
  const auto parsed = ParseJournal(sealed);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  ASSERT_EQ(parsed->images.size(), 5u);
  uint64_t at = 8192;
  for (size_t i = 0; i < 4; ++i) {
    EXPECT_TRUE(parsed->images[i].is_hole());
    EXPECT_EQ(parsed->images[i].offset, at);
    at += parsed->images[i].size;
  }
  EXPECT_EQ(at, 12288 + 2 * uint64_t{kJournalImageMax} + 4096);
  EXPECT_FALSE(parsed->images[4].is_hole());
}

TEST(RingFormat, DamagedRolledUntilIsNoticed) {
  ExpectDamageIsNoticed(SampleRolled(),
                        [](const std::string& bytes) { return RolledUntil::Decode(bytes).ok(); });
}

TEST(RingFormat, SizesThatAHeaderClaimsAreBounded) {
  const auto refused = [](void (*change)(RingHeader*)) {
    RingHeader header = SampleHeader();
    // A valid checksum over impossible fields, as a hostile or buggy writer could make it.
    std::string block = EncodeRingHeader(header);
    change(&header);
    StoreLE<uint32_t>(block.data() + 12, header.step_sec);
    StoreLE<uint32_t>(block.data() + 16, header.stripe_steps);
    StoreLE<uint32_t>(block.data() + 20, header.stripes);
    StoreLE<uint32_t>(block.data() + 24, header.slots);
    StoreLE<uint32_t>(block.data() + 28, header.page_bytes);
    StoreLE<uint64_t>(block.data() + 48, header.points);
    StoreLE<uint32_t>(
        block.data() + kRingBlockBytes - 4,
        static_cast<uint32_t>(Hash64(absl::string_view(block).substr(0, kRingBlockBytes - 4))));
    RingHeader decoded;
    return absl::IsDataLoss(DecodeRingHeader(block, &decoded));
  };
  EXPECT_FALSE(refused([](RingHeader*) {}));
  EXPECT_TRUE(refused([](RingHeader* h) { h->step_sec = 0; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->stripe_steps = 0; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->stripe_steps = kPageStepsMax + 1; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->stripes = 0xffffffff; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->stripes = 5; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->slots = 0; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->slots = 0xffffffff; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->page_bytes = 16; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->page_bytes = 0xffffffff; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->points = 0; }));
  EXPECT_TRUE(refused([](RingHeader* h) { h->points = ~uint64_t{0}; }));
}

}  // namespace
}  // namespace shoal
