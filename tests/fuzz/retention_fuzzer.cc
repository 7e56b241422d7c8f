// retention: what is accepted keeps whisper's rules and survives being printed and read again.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "base/metric/aggregation.h"
#include "base/metric/retention.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::string_view text(reinterpret_cast<const char*>(data), size);
  if (const auto archives = shoal::ParseRetentions(text); archives.ok()) {
    SHOAL_CHECK(!archives->empty());
    for (size_t i = 0; i < archives->size(); ++i) {
      const shoal::Archive& archive = (*archives)[i];
      SHOAL_CHECK(archive.step_sec > 0 && archive.points > 0);
      SHOAL_CHECK(archive.retention_sec() <= 0xffffffff);
      if (i == 0) continue;
      SHOAL_CHECK(archive.step_sec > (*archives)[i - 1].step_sec);
      SHOAL_CHECK(archive.step_sec % (*archives)[i - 1].step_sec == 0);
      SHOAL_CHECK(archive.retention_sec() > (*archives)[i - 1].retention_sec());
    }
    const auto again = shoal::ParseRetentions(shoal::RetentionsText(*archives));
    SHOAL_CHECK(again.ok() && *again == *archives);
  }
  // The same bytes as whole files.
  if (const auto rules = shoal::SchemaRules::Parse(text, "fuzz.conf"); rules.ok()) {
    SHOAL_CHECK(!rules->Find("servers.web01.cpu.user").archives->empty());
  }
  if (const auto rules = shoal::AggregationRules::Parse(text, "fuzz.conf"); rules.ok()) {
    const shoal::AggregationRule rule = rules->Find("servers.web01.cpu.user");
    SHOAL_CHECK(rule.x_files_factor >= 0 && rule.x_files_factor <= 1);
  }
  return 0;
}
