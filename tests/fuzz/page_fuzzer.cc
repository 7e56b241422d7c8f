// page: one byte of shape, then the page. Decoding never reads or writes outside its bytes, and
// what it accepts survives being encoded again. The same bytes are also taken as the doubles of a
// column, which come back bit for bit.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#include "base/check.h"
#include "storage/page/encodings.h"
#include "storage/page/page_codec.h"
#include "storage/page/size_class.h"

namespace {

void RoundTripColumn(const uint8_t* data, size_t size) {
  std::vector<double> values(size / sizeof(double));
  if (values.empty() || values.size() > shoal::kPageStepsMax) return;
  std::memcpy(values.data(), data, values.size() * sizeof(double));
  std::vector<char> bytes(shoal::ColumnBytesMax(values.size()));
  shoal::ColumnSize encoded;
  SHOAL_CHECK(shoal::EncodeColumn(values, bytes.data(), bytes.size(), &encoded));
  SHOAL_CHECK(encoded.bytes <= bytes.size());
  absl::string_view rest(bytes.data(), encoded.bytes);
  std::vector<double> back(values.size());
  SHOAL_CHECK(shoal::DecodeColumn(&rest, absl::MakeSpan(back)));
  SHOAL_CHECK(rest.empty());
  SHOAL_CHECK(std::memcmp(values.data(), back.data(), values.size() * sizeof(double)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size < 1) return 0;
  RoundTripColumn(data + 1, size - 1);
  shoal::PageShape shape;
  shape.columns = static_cast<uint8_t>(1 + (data[0] & 1));
  shape.steps = 1 + (data[0] >> 1) * 4u;
  const std::string page(reinterpret_cast<const char*>(data + 1), size - 1);
  shape.page_bytes = static_cast<uint32_t>(page.size());
  shoal::PageHeader header;
  shoal::CheckPage(shape, 7, page, &header).IgnoreError();
  std::vector<double> dense(shape.cells());
  if (!shoal::DecodePage(shape, page, absl::MakeSpan(dense)).ok()) return 0;

  bool any_known = false;
  for (uint32_t step = 0; step < shape.steps; ++step) any_known |= !std::isnan(dense[step]);
  if (!any_known) return 0;  // a first column of NaNs: what it says is that nothing is known
  shape.page_bytes = shoal::PageBytesFor(shoal::kFullSizeClass, shape.steps, shape.columns);
  std::string again(shape.page_bytes, '\0');
  SHOAL_CHECK(shoal::EncodePage(shape, 7, shoal::PageTag{1, 2, 3}, dense, again.data()));
  SHOAL_CHECK(shoal::CheckPage(shape, 7, again, &header).ok());
  std::vector<double> back(shape.cells());
  SHOAL_CHECK(shoal::DecodePage(shape, again, absl::MakeSpan(back)).ok());
  for (size_t cell = 0; cell < dense.size(); ++cell) {
    if (std::isnan(dense[cell % shape.steps])) continue;
    SHOAL_CHECK(std::bit_cast<uint64_t>(dense[cell]) == std::bit_cast<uint64_t>(back[cell]));
  }
  return 0;
}
