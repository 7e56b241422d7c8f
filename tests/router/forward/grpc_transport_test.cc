// The gRPC side of the write stream against a service of the test's own.
#include "router/forward/grpc_transport.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "base/mutex.h"
#include "gtest/gtest.h"
#include "node.grpc.pb.h"

namespace shoal {
namespace {

class FakeService : public v1::Node::Service {
 public:
  grpc::Status Write(
      grpc::ServerContext*,
      grpc::ServerReaderWriter<v1::WriteResponse, v1::WriteRequest>* stream) override {
    v1::WriteRequest request;
    if (!stream->Read(&request)) return grpc::Status::OK;
    {
      MutexLock lock(&mu_);
      hello_ = request.hello();
    }
    if (request.hello().cluster() != "test") {
      return grpc::Status(grpc::StatusCode::FAILED_PRECONDITION, "another cluster");
    }
    v1::WriteResponse response;
    response.mutable_hello()->set_protocol_version(1);
    response.mutable_hello()->set_node("node-1");
    stream->Write(response);
    while (stream->Read(&request)) {
      {
        MutexLock lock(&mu_);
        batches_.push_back(request.batch());
      }
      if (request.batch().values_size() == 0) {
        return grpc::Status(grpc::StatusCode::INVALID_ARGUMENT, "empty");
      }
      v1::WriteAck* ack = response.mutable_ack();
      ack->Clear();
      ack->set_sequence(request.batch().sequence());
      ack->add_refused_indexes(1);
      ack->add_refused_reasons(v1::REFUSAL_REASON_TOO_FAR_AHEAD);
      stream->Write(response);
    }
    return grpc::Status::OK;
  }
  v1::WriteHello hello() {
    MutexLock lock(&mu_);
    return hello_;
  }
  std::vector<v1::PointBatch> batches() {
    MutexLock lock(&mu_);
    return batches_;
  }

 private:
  Mutex mu_;
  v1::WriteHello hello_ ABSL_GUARDED_BY(mu_);
  std::vector<v1::PointBatch> batches_ ABSL_GUARDED_BY(mu_);
};

class GrpcTransportTest : public testing::Test {
 protected:
  GrpcTransportTest() {
    grpc::ServerBuilder builder;
    builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port_);
    builder.RegisterService(&service_);
    server_ = builder.BuildAndStart();
    transport_ = MakeGrpcTransport({absl::StrCat("127.0.0.1:", port_)});
  }
  ~GrpcTransportTest() override { StopServer(); }
  void StopServer() { server_->Shutdown(std::chrono::system_clock::now()); }

  static constexpr std::chrono::milliseconds kTimeout{5000};
  FakeService service_;
  int port_ = 0;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<NodeTransport> transport_;
  const StreamHello hello_{"test", "router-1", 77, 3, "node-1"};
};

TEST_F(GrpcTransportTest, SaysHelloSendsAndReceives) {
  auto stream = transport_->NewStream();
  ASSERT_TRUE(stream->Connect(hello_, kTimeout).ok());
  EXPECT_EQ(service_.hello().router(), "router-1");
  EXPECT_EQ(service_.hello().incarnation(), 77u);
  EXPECT_EQ(service_.hello().topology_epoch(), 3);
  const std::vector<uint32_t> refs = {7, 8};
  const std::vector<absl::string_view> names = {"a.b", "c.d"};
  const std::vector<uint32_t> timestamps = {1000, 2000};
  const std::vector<double> values = {1.5, -0.0};
  ASSERT_TRUE(stream->Send({1, refs, names, refs, timestamps, values}));
  ASSERT_TRUE(stream->Send({2, {}, {}, refs, timestamps, values}));
  WireAck ack;
  ASSERT_TRUE(stream->Receive(&ack));
  EXPECT_EQ(ack.sequence, 1u);
  ASSERT_EQ(ack.refused.size(), 1u);
  EXPECT_EQ(ack.refused[0].index, 1u);
  EXPECT_EQ(ack.refused[0].reason, NodeRefusal::kTooFarAhead);
  ASSERT_TRUE(stream->Receive(&ack));
  EXPECT_EQ(ack.sequence, 2u);
  const auto batches = service_.batches();
  ASSERT_EQ(batches.size(), 2u);
  EXPECT_EQ(batches[0].defined_names(1), "c.d");
  EXPECT_EQ(batches[1].defined_names_size(), 0);
  EXPECT_EQ(batches[1].refs(1), 8u);
  EXPECT_EQ(batches[1].timestamps_sec(0), 1000u);
  EXPECT_EQ(batches[0].values(0), 1.5);
  stream->Cancel();
  EXPECT_FALSE(stream->Receive(&ack));
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kCancelled);
}

TEST_F(GrpcTransportTest, NodesComplaintIsTheStatusOfTheStream) {
  auto stream = transport_->NewStream();
  ASSERT_TRUE(stream->Connect(hello_, kTimeout).ok());
  stream->Send({1, {}, {}, {}, {}, {}});
  WireAck ack;
  EXPECT_FALSE(stream->Receive(&ack));
  EXPECT_EQ(stream->Finish().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(GrpcTransportTest, WrongClusterAndWrongNodeAreRefused) {
  StreamHello hello = hello_;
  hello.cluster = "other";
  EXPECT_EQ(transport_->NewStream()->Connect(hello, kTimeout).code(),
            absl::StatusCode::kFailedPrecondition);
  hello = hello_;
  hello.node = "node-2";
  EXPECT_EQ(transport_->NewStream()->Connect(hello, kTimeout).code(),
            absl::StatusCode::kFailedPrecondition);
}

TEST_F(GrpcTransportTest, NobodyThereIsKnownAtOnce) {
  StopServer();
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(transport_->NewStream()->Connect(hello_, kTimeout).code(),
            absl::StatusCode::kUnavailable);
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST_F(GrpcTransportTest, ServerThatGoesAwayBreaksTheStream) {
  auto stream = transport_->NewStream();
  ASSERT_TRUE(stream->Connect(hello_, kTimeout).ok());
  std::thread stopper([this] { StopServer(); });
  WireAck ack;
  EXPECT_FALSE(stream->Receive(&ack));
  EXPECT_FALSE(stream->Finish().ok());
  stopper.join();
}

}  // namespace
}  // namespace shoal
