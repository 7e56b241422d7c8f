#include "router/rules/rules_holder.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "router/rules/rule_set_builder.h"

namespace shoal {
namespace {

TEST(RulesHolderTest, ABadReloadKeepsTheOldRules) {
  std::string blacklisted = "^a$";
  RulesHolder holder([&blacklisted]() -> absl::StatusOr<RuleSet> {
    RuleSetBuilder builder;
    const auto pattern = builder.AddPattern(blacklisted, {});
    if (!pattern.ok()) return pattern.status();
    builder.Drop("x:1", {*pattern}, false, RuleVerdict::kBlacklisted);
    return std::move(builder).Build();
  });
  EXPECT_EQ(holder.Current(), nullptr);
  EXPECT_EQ(holder.generation(), 0u);

  ASSERT_TRUE(holder.Reload().ok());
  const std::shared_ptr<const RuleSet> first = holder.Current();
  EXPECT_EQ(holder.generation(), 1u);
  EXPECT_EQ(first->Evaluate("a").verdict, RuleVerdict::kBlacklisted);

  blacklisted = "(";
  EXPECT_FALSE(holder.Reload().ok());
  EXPECT_EQ(holder.Current(), first);
  EXPECT_EQ(holder.generation(), 1u);

  blacklisted = "^b$";
  ASSERT_TRUE(holder.Reload().ok());
  EXPECT_EQ(holder.generation(), 2u);
  EXPECT_EQ(holder.Current()->Evaluate("a").verdict, RuleVerdict::kUnrouted);
  // Whoever still holds the old snapshot may go on with it.
  EXPECT_EQ(first->Evaluate("a").verdict, RuleVerdict::kBlacklisted);
}

}  // namespace
}  // namespace shoal
