#include "node/node_config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

namespace shoal {
namespace {

using ::testing::HasSubstr;

constexpr char kMinimal[] = "[node]\nname = \"node-1\"\ncluster = \"c\"\ndata_dir = \"data\"\n";

class NodeConfigTest : public ::testing::Test {
 protected:
  NodeConfigTest() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shoal-config-XXXXXX").string();
    dir_ = mkdtemp(pattern.data());
  }
  ~NodeConfigTest() override { std::filesystem::remove_all(dir_); }

  void Write(const std::string& name, const std::string& text) {
    std::ofstream(absl::StrCat(dir_, "/", name)) << text;
  }
  absl::StatusOr<NodeConfig> Load(const std::string& text,
                                  std::vector<std::string> overrides = {}) {
    Write("node.toml", text);
    CommandLine command_line;
    command_line.config_path = absl::StrCat(dir_, "/node.toml");
    command_line.overrides = std::move(overrides);
    return LoadNodeConfig(command_line);
  }
  std::string Error(const std::string& text, std::vector<std::string> overrides = {}) {
    const absl::StatusOr<NodeConfig> config = Load(text, std::move(overrides));
    EXPECT_FALSE(config.ok()) << text;
    return std::string(config.status().message());
  }

  std::string dir_;
};

TEST_F(NodeConfigTest, TheDocumentedDefaultsHold) {
  const absl::StatusOr<NodeConfig> config = Load(kMinimal);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->grpc_listen, "127.0.0.1:7401");
  EXPECT_EQ(config->http_listen, "127.0.0.1:7402");
  EXPECT_EQ(config->data_dir, absl::StrCat(dir_, "/data"));
  EXPECT_EQ(config->engine.dir, config->data_dir);
  EXPECT_EQ(config->engine.node_name, "node-1");
  EXPECT_EQ(config->engine.cluster_name, "c");
  EXPECT_EQ(config->engine.wal_sync, WalSync::kAlways);
  EXPECT_EQ(config->engine.future_sec_max, 3600);
}

TEST_F(NodeConfigTest, EverySettingReachesItsPlace) {
  const absl::StatusOr<NodeConfig> config = Load(
      absl::StrCat(kMinimal,
                   "[storage]\nwal_sync = \"interval\"\nwal_sync_interval = \"2s\"\n"
                   "wal_segment_bytes = \"2MiB\"\nwal_bytes_max = "
                   "\"64MiB\"\nwrite_buffer_bytes_max = \"3MiB\"\n"
                   "flush_interval = \"5s\"\nfuture_max = \"2h\"\nseries_max = 7\n"
                   "series_creations_per_sec = 6\n"
                   "disk_reserve = \"1MiB\"\n[limits]\nfetch_series_max = 8\nfetch_points_max = 9\n"
                   "query_concurrency_max = 3\nmessage_bytes_max = \"32MiB\"\n"
                   "write_streams_max = 4\nwrite_inflight_bytes_max = \"5MiB\"\n"
                   "refused_retry = \"4s\"\n[[series_limit]]\nprefix = \"pod.\"\nseries_max = 11\n"
                   "[[series_limit]]\nprefix = \"b\"\ncreations_per_sec = 12\n"),
      {"log.level=debug", "listen.grpc=127.0.0.1:1"});
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->engine.wal_sync, WalSync::kInterval);
  EXPECT_EQ(config->engine.wal_sync_interval_ms, 2000);
  EXPECT_EQ(config->engine.wal_segment_bytes, 2 << 20);
  EXPECT_EQ(config->engine.wal_bytes_max, 64 << 20);
  EXPECT_EQ(config->engine.write_buffer_bytes_max, 3 << 20);
  EXPECT_EQ(config->engine.flush_interval_ms, 5000);
  EXPECT_EQ(config->engine.future_sec_max, 7200);
  EXPECT_EQ(config->engine.series_max, 7);
  EXPECT_EQ(config->engine.series_creations_per_sec, 6);
  EXPECT_EQ(config->limits.refused_retry_ms, 4000);
  ASSERT_EQ(config->engine.series_limits.size(), 2u);
  EXPECT_EQ(config->engine.series_limits[0].prefix, "pod.");
  EXPECT_EQ(config->engine.series_limits[0].series_max, 11);
  EXPECT_EQ(config->engine.series_limits[1].creations_per_sec, 12);
  EXPECT_EQ(config->engine.disk_reserve_bytes, 1 << 20);
  EXPECT_EQ(config->limits.fetch_series_max, 8);
  EXPECT_EQ(config->limits.fetch_points_max, 9);
  EXPECT_EQ(config->limits.query_concurrency_max, 3);
  EXPECT_EQ(config->limits.message_bytes_max, 32 << 20);
  EXPECT_EQ(config->limits.write_streams_max, 4);
  EXPECT_EQ(config->limits.write_inflight_bytes_max, 5 << 20);
  EXPECT_EQ(config->log_level, "debug");
  EXPECT_EQ(config->grpc_listen, "127.0.0.1:1");
}

TEST_F(NodeConfigTest, ErrorsNameFileLineAndKey) {
  const std::string unknown = Error(absl::StrCat(kMinimal, "[listen]\ngprc = \"x\"\n"));
  EXPECT_THAT(unknown, HasSubstr("node.toml:6"));
  EXPECT_THAT(unknown, HasSubstr("listen.gprc"));
  EXPECT_THAT(Error(absl::StrCat(kMinimal, "[storage]\nwal_sync = \"mostly\"\n")),
              HasSubstr("storage.wal_sync"));
  EXPECT_THAT(Error(absl::StrCat(kMinimal, "[listen]\ngrpc = \"nowhere\"\n")),
              HasSubstr("listen.grpc"));
  EXPECT_THAT(Error(kMinimal, {"limits.fetch_series_max=0"}), HasSubstr("limits.fetch_series_max"));
  EXPECT_THAT(Error(kMinimal, {"nope.key=1"}), HasSubstr("nope.key"));
}

TEST_F(NodeConfigTest, NamesAreRequiredAndPlain) {
  EXPECT_THAT(Error("[node]\ncluster = \"c\"\ndata_dir = \"d\"\n"), HasSubstr("node.name"));
  EXPECT_THAT(Error("[node]\nname = \"n\"\ndata_dir = \"d\"\n"), HasSubstr("node.cluster"));
  EXPECT_THAT(Error("[node]\nname = \"n\"\ncluster = \"c\"\n"), HasSubstr("node.data_dir"));
  EXPECT_THAT(Error(kMinimal, {"node.name=\"a/b\""}), HasSubstr("node.name"));
}

TEST_F(NodeConfigTest, RuleFilesBesideTheConfigAreTakenAndNamedOnesMustExist) {
  Write("storage-schemas.conf", "[all]\npattern = .*\nretentions = 10s:1h\n");
  const absl::StatusOr<NodeConfig> config = Load(kMinimal);
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ((*config->engine.schemas.Find("a.b").archives)[0].step_sec, 10);
  EXPECT_THAT(Error(kMinimal, {"storage.schemas=other.conf"}), HasSubstr("other.conf"));
  Write("storage-aggregation.conf", "[bad]\npattern = .*\nxFilesFactor = lots\n");
  EXPECT_THAT(Error(kMinimal), HasSubstr("storage-aggregation.conf"));
}

}  // namespace
}  // namespace shoal
