#include "base/command_line.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace shoal {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

absl::StatusOr<CommandLine> Parse(const std::vector<const char*>& args) {
  return ParseCommandLine(args);
}

TEST(CommandLine, TakesBothFormsOfValuesAndRepeatedSettings) {
  const absl::StatusOr<CommandLine> parsed = Parse(
      {"--config", "a.toml", "--set=log.level=debug", "--set", "node.name=x=y", "--check-config"});
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->config_path, "a.toml");
  EXPECT_THAT(parsed->overrides, ElementsAre("log.level=debug", "node.name=x=y"));
  EXPECT_TRUE(parsed->check_config);
}

TEST(CommandLine, HelpAndVersionNeedNoConfig) {
  EXPECT_TRUE(Parse({"--help"})->help);
  EXPECT_TRUE(Parse({"--version"})->version);
}

TEST(CommandLine, WhatIsWrongIsNamed) {
  const auto message = [](const std::vector<const char*>& args) {
    const absl::StatusOr<CommandLine> parsed = Parse(args);
    EXPECT_FALSE(parsed.ok());
    return std::string(parsed.status().message());
  };
  EXPECT_THAT(message({}), HasSubstr("--config"));
  EXPECT_THAT(message({"--config"}), HasSubstr("needs a value"));
  EXPECT_THAT(message({"--config="}), HasSubstr("needs a value"));
  EXPECT_THAT(message({"--config", "a", "--config", "b"}), HasSubstr("twice"));
  EXPECT_THAT(message({"--config", "a", "--sett", "b=c"}), HasSubstr("--sett"));
  EXPECT_THAT(message({"--config", "a", "--set", "b"}), HasSubstr("section.key=value"));
  EXPECT_THAT(message({"--config", "a", "stray"}), HasSubstr("stray"));
  EXPECT_THAT(message({"--configuration", "a"}), HasSubstr("--configuration"));
}

TEST(CommandLine, AWrongFlagEndsWithTwo) {
  CommandLine command_line;
  const char* const wrong[] = {"prog", "--nope"};
  EXPECT_EQ(HandleCommandLine("prog", "Does.", 2, wrong, &command_line), kExitUsage);
  const char* const version[] = {"prog", "--version"};
  EXPECT_EQ(HandleCommandLine("prog", "Does.", 2, version, &command_line), kExitOk);
  const char* const good[] = {"prog", "--config", "x"};
  EXPECT_EQ(HandleCommandLine("prog", "Does.", 3, good, &command_line), std::nullopt);
  EXPECT_EQ(command_line.config_path, "x");
}

}  // namespace
}  // namespace shoal
