#include "base/cluster/destination.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>

namespace shoal {
namespace {

void ExpectDestination(absl::string_view text, const std::string& host, uint16_t port,
                       const std::optional<std::string>& instance) {
  SCOPED_TRACE(text);
  const auto parsed = ParseDestination(text);
  ASSERT_TRUE(parsed.ok()) << parsed.status();
  EXPECT_EQ(parsed->host, host);
  EXPECT_EQ(parsed->port, port);
  EXPECT_EQ(parsed->instance, instance);
}

TEST(DestinationTest, TakesHostPortAndInstance) {
  ExpectDestination("127.0.0.1:2004", "127.0.0.1", 2004, std::nullopt);
  ExpectDestination("  store-1.example.com:2004:a ", "store-1.example.com", 2004, "a");
  ExpectDestination("[2001:db8::1]:2004", "2001:db8::1", 2004, std::nullopt);
  ExpectDestination("[fe80::1%eth0]:65535:cache_2", "fe80::1%eth0", 65535, "cache_2");
  ExpectDestination("[localhost]:1:01", "localhost", 1, "01");
}

TEST(DestinationTest, WritesWhatItReads) {
  for (const char* text :
       {"127.0.0.1:2004", "store-1:2004:a", "[2001:db8::1]:2004", "[::1]:2004:b"}) {
    const auto parsed = ParseDestination(text);
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    EXPECT_EQ(DestinationText(*parsed), text);
  }
}

TEST(DestinationTest, RefusesEverythingElse) {
  for (const char* text : {"",
                           "host",
                           ":2004",
                           "host:",
                           "host:0",
                           "host:65536",
                           "host:99999999999999",
                           "host:x",
                           "host:-1",
                           "host:+5",
                           "host:2004:",
                           "host:2004:a:b",
                           "host:2004:a b",
                           "ho st:2004",
                           "host:20 04",
                           "o'hare:2004",
                           "back\\slash:2004",
                           "h\xc3\xb6st:2004",
                           "host:2004:it's",
                           "2001:db8::1:2004:a",
                           "[2001:db8::1]",
                           "[2001:db8::1:2004",
                           "[]:2004",
                           "[a b]:2004"}) {
    EXPECT_FALSE(ParseDestination(text).ok()) << text;
  }
  EXPECT_THAT(std::string(ParseDestination("host:0").status().message()),
              testing::HasSubstr("\"host:0\""));
}

}  // namespace
}  // namespace shoal
