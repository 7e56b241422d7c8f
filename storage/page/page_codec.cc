#include "storage/page/page_codec.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/checksum.h"
#include "base/coding.h"
#include "base/metric/series.h"
#include "storage/page/encodings.h"

namespace shoal {
namespace {

// Frozen: the high four bits of the layout byte.
enum class Presence : uint8_t {
  kRun = 0,     // u16: the first known step; `count` steps in a row are known
  kBitmap = 1,  // a bit per step, least significant bit first; (steps + 7) / 8 bytes
};

constexpr size_t kChecksumOffset = 0;
constexpr size_t kSeriesOffset = 4;
constexpr size_t kStripeOffset = 8;
constexpr size_t kCountOffset = 12;
constexpr size_t kLayoutOffset = 14;
constexpr size_t kGenerationOffset = 15;
static_assert(kGenerationOffset + 1 == kPageHeaderBytes);

size_t BitmapBytes(uint32_t steps) { return (steps + 7) / 8; }

bool IsZero(absl::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Writes everything but the checksum; returns the bytes used, or 0 when they are more than `room`.
size_t EncodeUnsealed(const PageShape& shape, const PageTag& tag, absl::Span<const double> dense,
                      char* page, size_t room) {
  SHOAL_CHECK(dense.size() == shape.cells() && shape.steps <= kPageStepsMax);
  static thread_local std::vector<uint16_t> known;
  known.clear();
  for (uint32_t i = 0; i < shape.steps; ++i) {
    if (!std::isnan(dense[i])) known.push_back(static_cast<uint16_t>(i));
  }
  SHOAL_CHECK(!known.empty());
  const bool gapless = static_cast<size_t>(known.back() - known.front()) + 1 == known.size();
  size_t used = kPageHeaderBytes + (gapless ? 2 : BitmapBytes(shape.steps));
  if (used > room) return 0;

  const Presence presence = gapless ? Presence::kRun : Presence::kBitmap;
  StoreLE<uint32_t>(page + kSeriesOffset, tag.series);
  StoreLE<uint32_t>(page + kStripeOffset, tag.stripe);
  StoreLE<uint16_t>(page + kCountOffset, static_cast<uint16_t>(known.size()));
  page[kLayoutOffset] = static_cast<char>(static_cast<int>(presence) << 4 | shape.columns);
  page[kGenerationOffset] = static_cast<char>(tag.generation);
  char* const bits = page + kPageHeaderBytes;
  if (gapless) {
    StoreLE<uint16_t>(bits, known.front());
  } else {
    std::memset(bits, 0, BitmapBytes(shape.steps));
    for (const uint16_t step : known) {
      bits[step / 8] = static_cast<char>(bits[step / 8] | 1 << (step % 8));
    }
  }
  static thread_local std::vector<double> values;
  values.resize(known.size());
  for (uint8_t column = 0; column < shape.columns; ++column) {
    const double* const from = dense.data() + size_t{column} * shape.steps;
    for (size_t i = 0; i < known.size(); ++i) values[i] = from[known[i]];
    const size_t bytes = EncodeColumn(values, page + used, room - used);
    if (bytes == 0) return 0;
    used += bytes;
  }
  return used;
}

}  // namespace

uint32_t PageBytesFor(uint8_t size_class, uint32_t steps, uint8_t columns) {
  const size_t points = (size_t{steps} * size_class + 15) / 16;
  const size_t bytes =
      kPageHeaderBytes + std::max<size_t>(2, BitmapBytes(steps)) + columns * (1 + points);
  return static_cast<uint32_t>((bytes + 7) / 8 * 8);
}

bool EncodePage(const PageShape& shape, uint64_t seed, const PageTag& tag,
                absl::Span<const double> dense, char* page) {
  const size_t used = EncodeUnsealed(shape, tag, dense, page, shape.page_bytes);
  if (used == 0) return false;
  std::memset(page + used, 0, shape.page_bytes - used);
  const absl::string_view covered(page + kSeriesOffset, shape.page_bytes - kSeriesOffset);
  StoreLE<uint32_t>(page + kChecksumOffset, Checksum32(covered, seed));
  return true;
}

size_t EncodedPageBytes(const PageShape& shape, absl::Span<const double> dense) {
  static thread_local std::vector<char> scratch;
  scratch.resize(PageBytesFor(kFullSizeClass, shape.steps, shape.columns));
  const size_t used = EncodeUnsealed(shape, PageTag(), dense, scratch.data(), scratch.size());
  SHOAL_CHECK(used != 0);
  return used;
}

absl::Status CheckPage(const PageShape& shape, uint64_t seed, absl::string_view page,
                       PageHeader* header) {
  if (page.size() != shape.page_bytes || page.size() < kPageHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("page has ", page.size(), " of ", shape.page_bytes, " bytes"));
  }
  *header = PageHeader();
  if (IsZero(page.substr(0, kPageHeaderBytes)) && IsZero(page)) {
    header->blank = true;
    return absl::OkStatus();
  }
  const uint32_t stored = LoadLE<uint32_t>(page.data() + kChecksumOffset);
  const uint32_t computed = Checksum32(page.substr(kSeriesOffset), seed);
  if (stored != computed) {
    return absl::DataLossError(absl::StrCat("page checksum is ",
                                            absl::Hex(computed, absl::kZeroPad8), ", stored is ",
                                            absl::Hex(stored, absl::kZeroPad8)));
  }
  header->tag.series = LoadLE<uint32_t>(page.data() + kSeriesOffset);
  header->tag.stripe = LoadLE<uint32_t>(page.data() + kStripeOffset);
  header->tag.generation = static_cast<uint8_t>(page[kGenerationOffset]);
  header->count = LoadLE<uint16_t>(page.data() + kCountOffset);
  if (header->count == 0 || header->count > shape.steps) {
    return absl::DataLossError(
        absl::StrCat("page counts ", header->count, " of ", shape.steps, " steps"));
  }
  return absl::OkStatus();
}

absl::Status DecodePage(const PageShape& shape, absl::string_view page, absl::Span<double> dense) {
  if (page.size() < kPageHeaderBytes || dense.size() != shape.cells()) {
    return absl::DataLossError("page is shorter than its header");
  }
  const size_t count = LoadLE<uint16_t>(page.data() + kCountOffset);
  const int layout = static_cast<uint8_t>(page[kLayoutOffset]);
  if ((layout & 0xf) != shape.columns) {
    return absl::DataLossError(
        absl::StrCat("page has ", layout & 0xf, " columns instead of ", shape.columns));
  }
  if (count == 0 || count > shape.steps) {
    return absl::DataLossError(absl::StrCat("page counts ", count, " of ", shape.steps, " steps"));
  }
  ByteReader in(page.substr(kPageHeaderBytes));
  size_t first = 0;
  absl::string_view bitmap;
  switch (static_cast<Presence>(layout >> 4)) {
    case Presence::kRun: {
      uint16_t step = 0;
      if (!in.Get(&step) || step + count > shape.steps) {
        return absl::DataLossError("page's run of known steps leaves the stripe");
      }
      first = step;
      break;
    }
    case Presence::kBitmap: {
      if (!in.GetBytes(BitmapBytes(shape.steps), &bitmap)) {
        return absl::DataLossError("page's bitmap leaves the page");
      }
      size_t known = 0;
      for (const char byte : bitmap)
        known += static_cast<size_t>(__builtin_popcount(static_cast<uint8_t>(byte)));
      const uint32_t spare = shape.steps % 8;
      const bool beyond = spare != 0 && (static_cast<uint8_t>(bitmap.back()) >> spare) != 0;
      if (known != count || beyond)
        return absl::DataLossError("page's bitmap disagrees with its count");
      break;
    }
    default:
      return absl::DataLossError(absl::StrCat("page has unknown presence kind ", layout >> 4));
  }

  std::fill(dense.begin(), dense.end(), kAbsent);
  absl::string_view rest = in.rest();
  static thread_local std::vector<double> values;
  for (uint8_t column = 0; column < shape.columns; ++column) {
    double* const to = dense.data() + size_t{column} * shape.steps;
    if (bitmap.empty()) {
      if (!DecodeColumn(&rest, absl::MakeSpan(to + first, count))) {
        return absl::DataLossError(absl::StrCat("page's column ", column, " is malformed"));
      }
      continue;
    }
    values.resize(count);
    if (!DecodeColumn(&rest, absl::MakeSpan(values))) {
      return absl::DataLossError(absl::StrCat("page's column ", column, " is malformed"));
    }
    size_t next = 0;
    for (size_t byte = 0; byte < bitmap.size(); ++byte) {
      for (unsigned bits = static_cast<uint8_t>(bitmap[byte]); bits != 0; bits &= bits - 1) {
        to[byte * 8 + static_cast<size_t>(__builtin_ctz(bits))] = values[next++];
      }
    }
  }
  return absl::OkStatus();
}

}  // namespace shoal
