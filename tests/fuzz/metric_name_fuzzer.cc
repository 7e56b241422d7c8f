// metric_name: a name that passes has no byte of a path, and its canonical form is a fixed point
// that passes too.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "base/metric/metric_name.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view name(reinterpret_cast<const char*>(data), size);
  if (shoal::ValidateName(name) != shoal::NameError::kNone) return 0;
  SHOAL_CHECK(name.size() <= shoal::kNameBytesMax);
  for (const char c : name) {
    const auto byte = static_cast<unsigned char>(c);
    SHOAL_CHECK(byte > 0x20 && byte != 0x7f && c != '/');
  }
  const std::string canonical = shoal::CanonicalName(name);
  SHOAL_CHECK(canonical.size() <= name.size());
  SHOAL_CHECK(shoal::ValidateName(canonical) == shoal::NameError::kNone);
  SHOAL_CHECK(shoal::CanonicalName(canonical) == canonical);
  std::string joined;
  for (const absl::string_view node : shoal::SplitNodes(canonical)) {
    SHOAL_CHECK(!node.empty());
    if (!joined.empty()) joined += '.';
    joined.append(node.data(), node.size());
  }
  SHOAL_CHECK(joined == canonical);
  return 0;
}
