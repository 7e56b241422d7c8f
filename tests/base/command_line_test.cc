#include "base/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace shoal {
namespace {

using ::testing::ElementsAre;

absl::StatusOr<CommandLine> Parse(std::vector<const char*> args) { return ParseCommandLine(args); }

TEST(CommandLineTest, TakesValuesInBothSpellings) {
  const auto parsed =
      Parse({"--config", "a.toml", "--set", "x.y=1", "--set=z= 2", "--check-config"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config_path, "a.toml");
  EXPECT_THAT(parsed->overrides, ElementsAre("x.y=1", "z= 2"));
  EXPECT_TRUE(parsed->check_config);
  EXPECT_EQ(Parse({"--config=b.toml"})->config_path, "b.toml");
}

TEST(CommandLineTest, HelpAndVersionNeedNoConfig) {
  EXPECT_TRUE(Parse({"--help"})->help);
  EXPECT_TRUE(Parse({"--version"})->version);
  EXPECT_FALSE(Parse({}).ok());
}

TEST(CommandLineTest, RefusesWhatItDoesNotKnow) {
  for (const auto& args : std::vector<std::vector<const char*>>{{"--config"},
                                                                {"--config="},
                                                                {"--config=a", "--config=b"},
                                                                {"--config=a", "--configure"},
                                                                {"--config=a", "--set"},
                                                                {"--config=a", "--set", "nothing"},
                                                                {"--config=a", "--set", "=1"},
                                                                {"--config=a", "stray"}}) {
    EXPECT_EQ(Parse(args).status().code(), absl::StatusCode::kInvalidArgument) << args.back();
  }
}

}  // namespace
}  // namespace shoal
