#include "storage/ring/page_merge.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "base/check.h"
#include "base/metric/series.h"
#include "base/status_macros.h"
#include "storage/page/size_class.h"

namespace shoal {

void PageMerge::SetArchive(const ArchiveRings& rings) {
  shape_.steps = rings.stripe_steps();
  shape_.columns = rings.columns();
  shape_.page_bytes = PageBytesFor(kFullSizeClass, shape_.steps, shape_.columns);
  step_sec_ = rings.step_sec();
  stripes_ = rings.stripes();
  body_.resize(shape_.page_bytes);
}

void PageMerge::Reset() { dense_.assign(shape_.cells(), kAbsent); }

absl::Status PageMerge::Load(SlotRef at, SeriesId series, uint8_t generation, uint32_t stripe,
                             char* raw, Found* found) {
  const RingFile& file = *at.file;
  const PageShape shape = file.header().shape();
  const uint32_t index = stripe % stripes_;
  *found = Found::kNothing;
  PageHeader header;
  absl::Status status = file.CheckedPage(index, at.slot, raw, &header);
  const bool ours = status.ok() && !header.blank && header.tag.series == series &&
                    header.tag.generation == generation;
  if (ours && header.tag.stripe % stripes_ != index) {
    status = absl::DataLossError(
        absl::StrCat("page of stripe ", header.tag.stripe, " is out of its place"));
  } else if (ours && header.tag.stripe == stripe) {
    dense_.resize(shape.cells());
    status = DecodePage(shape, absl::string_view(raw, shape.page_bytes), absl::MakeSpan(dense_));
    if (status.ok()) *found = Found::kPoints;
  } else if (ours && header.tag.stripe > stripe) {
    *found = Found::kLaterLap;
  }
  if (*found != Found::kPoints) Reset();
  return status;
}

void PageMerge::Merge(const PageWrite& write) {
  const int64_t start_sec = int64_t{write.stripe} * shape_.steps * step_sec_;
  for (const Point& point : write.fine) {
    if (std::isnan(point.value)) continue;
    dense_[static_cast<size_t>((point.timestamp_sec - start_sec) / step_sec_)] = point.value;
  }
  for (size_t i = 0; i < write.steps; ++i) {
    if (std::isnan(write.cells[i])) continue;
    for (size_t column = 0; column < shape_.columns; ++column) {
      dense_[column * shape_.steps + write.first + i] = write.cells[column * write.stride + i];
    }
  }
}

bool PageMerge::AnyKnown() const {
  return std::any_of(dense_.begin(), dense_.begin() + shape_.steps,
                     [](double value) { return !std::isnan(value); });
}

const PageSize& PageMerge::Encode(SeriesId series, uint32_t stripe) {
  SHOAL_CHECK(EncodePageBody(shape_, {series, stripe, 0}, dense_, absl::MakeSpan(body_), &size_));
  return size_;
}

absl::string_view PageMerge::Seal(SlotRef at, uint8_t generation) {
  const RingHeader& header = at.file->header();
  SHOAL_CHECK(Fits(*at.file));
  // A file may have pages larger than ours of the full class.
  if (body_.size() < header.page_bytes) body_.resize(header.page_bytes);
  SetPageGeneration(generation, body_.data());
  const absl::Span<char> page = absl::MakeSpan(body_).first(header.page_bytes);
  SealPage(PageSeedOf(at.file->identity(), at.slot), size_.bytes, page);
  return absl::string_view(page.data(), page.size());
}

}  // namespace shoal
