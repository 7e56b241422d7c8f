// config: text and an override, cut at the first NUL; every getter on the keys that the dictionary
// names.
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "base/config.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string input(reinterpret_cast<const char*>(data), size);
  const size_t cut = input.find('\0');
  std::vector<std::string> overrides;
  if (cut != std::string::npos) overrides.push_back(input.substr(cut + 1));
  auto config = shoal::Config::Parse(input.substr(0, cut), "fuzz.toml", overrides);
  if (!config.ok()) return 0;
  std::string text;
  bool flag = false;
  int64_t number = 5;
  double real = 5;
  std::vector<std::string> list;
  config->GetString("a", &text);
  config->GetBool("b", &flag);
  config->GetInt("c", &number, 0, 10);
  config->GetDouble("d", &real, 0, 10);
  config->GetBytes("e.a", &number, 0, 10);
  config->GetDurationMs("e.b", &number, 0, 10);
  config->GetStringList("e.c", &list);
  std::string choice = "x";
  config->GetChoice("e.d", &choice, {"x", "y"});
  for (size_t i = 0; i < config->TableCount("n"); ++i) {
    config->GetString("n." + std::to_string(i) + ".a", &text);
  }
  SHOAL_CHECK(number >= 0 && number <= 10);
  SHOAL_CHECK(real >= 0 && real <= 10);
  SHOAL_CHECK(choice == "x" || choice == "y");
  const auto status = config->Finish();
  SHOAL_CHECK(status.ok() || !status.message().empty());
  return 0;
}
