// A whole node in the test's process, and a write stream to it.
#pragma once

#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/clock.h"
#include "base/cluster/partition_bits.h"
#include "node.grpc.pb.h"
#include "node/node_server.h"

namespace shoal {

class TestDir {
 public:
  TestDir() {
    std::string pattern = (std::filesystem::temp_directory_path() / "shoal-node-XXXXXX").string();
    path_ = mkdtemp(pattern.data());
  }
  ~TestDir() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

inline NodeConfig TestConfig(const std::string& dir) {
  NodeConfig config;
  config.name = "node-1";
  config.cluster = "test";
  config.data_dir = dir;
  config.grpc_listen = "127.0.0.1:0";
  config.http_listen = "127.0.0.1:0";
  config.engine.dir = dir;
  config.engine.node_name = config.name;
  config.engine.cluster_name = config.cluster;
  config.engine.disk_reserve_bytes = 0;
  return config;
}

inline std::unique_ptr<v1::Node::Stub> StubOf(const NodeServer& server) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  return v1::Node::NewStub(grpc::CreateCustomChannel(absl::StrCat("127.0.0.1:", server.grpc_port()),
                                                     grpc::InsecureChannelCredentials(),
                                                     arguments));
}

inline PartitionBits AllPartitions(uint32_t count) {
  PartitionBits bits(count);
  for (uint32_t p = 0; p < count; ++p) bits.Set(p);
  return bits;
}

// A point for TestWriteStream::Send.
struct NamedPoint {
  std::string name;
  int64_t timestamp_sec = 0;
  double value = 0;
};

// The router's side of one stream.
class TestWriteStream {
 public:
  TestWriteStream(v1::Node::Stub* stub, uint64_t incarnation,
                  const std::string& router = "router-1", const std::string& cluster = "test",
                  const std::string& node = "node-1")
      : stream_(stub->Write(&call_)) {
    v1::WriteRequest request;
    v1::WriteHello* hello = request.mutable_hello();
    hello->set_protocol_version(1);
    hello->set_cluster(cluster);
    hello->set_router(router);
    hello->set_incarnation(incarnation);
    hello->set_node(node);
    stream_->Write(request);
  }
  ~TestWriteStream() {
    if (!finished_) {
      call_.TryCancel();
      stream_->Finish();
    }
  }

  bool AwaitHello() {
    v1::WriteResponse response;
    return stream_->Read(&response) && response.has_hello();
  }
  bool Send(const v1::PointBatch& batch) {
    v1::WriteRequest request;
    *request.mutable_batch() = batch;
    return stream_->Write(request);
  }
  // Defines every name anew under a ref of its own.
  bool Send(const std::vector<NamedPoint>& points) {
    v1::PointBatch batch;
    batch.set_sequence(++sequence_);
    for (const NamedPoint& point : points) {
      const uint32_t ref = next_ref_++;
      batch.add_defined_refs(ref);
      batch.add_defined_names(point.name);
      batch.add_refs(ref);
      batch.add_timestamps_sec(static_cast<uint32_t>(point.timestamp_sec));
      batch.add_values(point.value);
    }
    return Send(batch);
  }
  // Sequence 0 when the stream has ended.
  v1::WriteAck AwaitAck() {
    v1::WriteResponse response;
    if (!stream_->Read(&response)) return v1::WriteAck();
    return response.ack();
  }
  grpc::Status Close() {
    stream_->WritesDone();
    return Finish();
  }
  // Reads until the end.
  grpc::Status Finish() {
    v1::WriteResponse response;
    while (stream_->Read(&response)) {
    }
    finished_ = true;
    return stream_->Finish();
  }

 private:
  grpc::ClientContext call_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::WriteRequest, v1::WriteResponse>> stream_;
  uint64_t sequence_ = 0;
  uint32_t next_ref_ = 1;
  bool finished_ = false;
};

}  // namespace shoal
