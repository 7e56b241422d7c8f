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
#include "storage/page/presence.h"
#include "storage/page/size_class.h"

namespace shoal {
namespace {

constexpr size_t kChecksumOffset = 0;
constexpr size_t kSeriesOffset = 4;
constexpr size_t kStripeOffset = 8;
constexpr size_t kCountOffset = 12;
constexpr size_t kLayoutOffset = 14;
constexpr size_t kGenerationOffset = 15;
static_assert(kGenerationOffset + 1 == kPageHeaderBytes);

bool IsZero(absl::string_view bytes) {
  return bytes.empty() ||
         (bytes[0] == 0 && std::memcmp(bytes.data(), bytes.data() + 1, bytes.size() - 1) == 0);
}

// Working memory of a call, kept for the next one of the thread.
struct Scratch {
  std::vector<double> values;  // the known values of one column, side by side
  std::vector<char> page;
};
Scratch& ThreadScratch() {
  static thread_local Scratch scratch;
  return scratch;
}

}  // namespace

bool EncodePageBody(const PageShape& shape, const PageTag& tag, absl::Span<const double> dense,
                    absl::Span<char> page, PageSize* size) {
  SHOAL_CHECK(dense.size() == shape.cells() && shape.steps <= kPageStepsMax);
  if (page.size() < kPageHeaderBytes) return false;
  const absl::Span<const double> steps = dense.subspan(0, shape.steps);
  const KnownSteps known = FindKnown(steps);
  SHOAL_CHECK(known.count != 0);
  PresenceKind presence = PresenceKind::kRun;
  const size_t presence_bytes = EncodePresence(steps, known, page.data() + kPageHeaderBytes,
                                               page.size() - kPageHeaderBytes, &presence);
  if (presence_bytes == 0) return false;
  StoreLE<uint32_t>(page.data() + kSeriesOffset, tag.series);
  StoreLE<uint32_t>(page.data() + kStripeOffset, tag.stripe);
  StoreLE<uint16_t>(page.data() + kCountOffset, static_cast<uint16_t>(known.count));
  page[kLayoutOffset] = static_cast<char>(static_cast<int>(presence) << 4 | shape.columns);
  page[kGenerationOffset] = static_cast<char>(tag.generation);

  size_t used = kPageHeaderBytes + presence_bytes;
  double bits_per_step = 0;
  std::vector<double>& values = ThreadScratch().values;
  for (uint8_t column = 0; column < shape.columns; ++column) {
    const double* const from = dense.data() + size_t{column} * shape.steps;
    absl::Span<const double> run(from + known.first, known.count);
    if (!known.gapless()) {
      values.resize(shape.steps);
      TakeKnown(steps, from, values.data());
      run = absl::Span<const double>(values.data(), known.count);
    }
    ColumnSize encoded;
    if (!EncodeColumn(run, page.data() + used, page.size() - used, &encoded)) return false;
    used += encoded.bytes;
    bits_per_step += encoded.bits_per_value;
  }
  size->bytes = static_cast<uint32_t>(used);
  // Gaps go on as they are until now: the steps to come are as dense as those from first to last.
  const double to_come = static_cast<double>(shape.steps - (known.end - known.first)) *
                         static_cast<double>(known.count) /
                         static_cast<double>(known.end - known.first);
  size->full_bytes = size->bytes + static_cast<uint32_t>(std::ceil(to_come * bits_per_step / 8));
  return true;
}

void SealPage(uint64_t seed, size_t used, absl::Span<char> page) {
  std::memset(page.data() + used, 0, page.size() - used);
  const absl::string_view covered(page.data() + kSeriesOffset, page.size() - kSeriesOffset);
  StoreLE<uint32_t>(page.data() + kChecksumOffset, Checksum32(covered, seed));
}

bool EncodePage(const PageShape& shape, uint64_t seed, const PageTag& tag,
                absl::Span<const double> dense, char* page) {
  const absl::Span<char> bytes(page, shape.page_bytes);
  PageSize size;
  if (!EncodePageBody(shape, tag, dense, bytes, &size)) return false;
  SealPage(seed, size.bytes, bytes);
  return true;
}

PageSize MeasurePage(const PageShape& shape, absl::Span<const double> dense) {
  std::vector<char>& page = ThreadScratch().page;
  page.resize(PageBytesFor(kFullSizeClass, shape.steps, shape.columns));
  PageSize size;
  SHOAL_CHECK(EncodePageBody(shape, PageTag(), dense, absl::MakeSpan(page), &size));
  return size;
}

void SetPageGeneration(uint8_t generation, char* page) {
  page[kGenerationOffset] = static_cast<char>(generation);
}

uint32_t PageStripe(const char* page) { return LoadLE<uint32_t>(page + kStripeOffset); }

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
  absl::string_view rest = page.substr(kPageHeaderBytes);
  Presence presence;
  if (!DecodePresence(layout >> 4, count, shape.steps, &rest, &presence)) {
    return absl::DataLossError(absl::StrCat("page's presence of kind ", layout >> 4,
                                            " is malformed or disagrees with its count ", count));
  }
  std::vector<double>& values = ThreadScratch().values;
  for (uint8_t column = 0; column < shape.columns; ++column) {
    double* const to = dense.data() + size_t{column} * shape.steps;
    // What the column fills is not filled twice.
    const size_t filled = presence.gapless() ? count : 0;
    std::fill(to, to + presence.first, kAbsent);
    std::fill(to + presence.first + filled, to + shape.steps, kAbsent);
    absl::Span<double> run(to + presence.first, count);
    if (!presence.gapless()) {
      values.resize(shape.steps);
      run = absl::Span<double>(values.data(), count);
    }
    if (!DecodeColumn(&rest, run)) {
      return absl::DataLossError(absl::StrCat("page's column ", column, " is malformed"));
    }
    if (!presence.gapless()) SpreadKnown(presence, values.data(), to);
  }
  return absl::OkStatus();
}

}  // namespace shoal
