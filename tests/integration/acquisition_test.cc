// Planes are played into a real server as a microscope does, and the result comes back meanwhile; what dies on the way
// changes nothing of it.
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "client/cpp/client.h"
#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "proto/contract/checksum.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kPsf{9, 9, 9};

// Light with a shape: a few smooth blobs over a background of 20, the brighter the later the time point.
std::vector<uint16_t> Specimen(const Shape5& shape) {
  std::vector<uint16_t> voxels;
  for (int64_t frame = 0; frame < shape.frames(); ++frame)
    for (int64_t z = 0; z < shape.z; ++z)
      for (int64_t y = 0; y < shape.y; ++y)
        for (int64_t x = 0; x < shape.x; ++x) {
          const double wave = std::sin(0.5 * static_cast<double>(z)) * std::sin(0.4 * static_cast<double>(y)) *
                              std::sin(0.3 * static_cast<double>(x));
          voxels.push_back(static_cast<uint16_t>(20 + (100 + 50 * static_cast<double>(frame)) * wave * wave));
        }
  return voxels;
}

// A call as its caller sees it: planes go up, and what comes down is kept.
class Recording {
 public:
  Recording(const std::string& address, const v1::DeconvolveHeader& header)
      : stub_(v1::Deconvolution::NewStub(grpc::CreateChannel(address, grpc::InsecureChannelCredentials()))) {
    context_.set_wait_for_ready(true);
    stream_ = stub_->Deconvolve(&context_);
    v1::DeconvolveRequest request;
    *request.mutable_header() = header;
    stream_->Write(request);
    Await(v1::DeconvolveResponse::kOpened);
  }
  ~Recording() { context_.TryCancel(); }

  bool Send(const FrameBox& plane, std::span<const std::byte> bytes) {
    v1::DeconvolveRequest request;
    *request.mutable_chunk()->mutable_box() = ToProto(plane);
    request.mutable_chunk()->set_data(bytes.data(), bytes.size());
    request.mutable_chunk()->set_crc32c(Crc32c(bytes));
    ++sent_;
    return stream_->Write(request);
  }
  bool AwaitWritten() {
    while (written < sent_) {
      if (!Await(v1::DeconvolveResponse::kWritten)) return false;
    }
    return true;
  }
  bool SendFinish() {
    v1::DeconvolveRequest request;
    request.mutable_finish();
    return stream_->Write(request);
  }
  bool Await(v1::DeconvolveResponse::PartCase part) {
    for (v1::DeconvolveResponse message; stream_->Read(&message);) {
      if (message.has_opened()) opened = message.opened();
      if (message.has_written()) written = message.written().chunks_committed();
      if (message.has_finished()) finished.push_back(message.finished());
      if (message.has_ended()) ended = message.ended();
      if (message.has_result()) results.push_back(message.result());
      if (message.part_case() == part) return true;
    }
    return false;
  }
  grpc::Status End() {
    while (Await(v1::DeconvolveResponse::PART_NOT_SET)) {
    }
    return stream_->Finish();
  }

  v1::SessionOpened opened;
  uint64_t written = 0;
  std::vector<v1::Box> finished;
  std::vector<v1::Chunk> results;
  std::optional<v1::Job> ended;

 private:
  std::unique_ptr<v1::Deconvolution::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::DeconvolveRequest, v1::DeconvolveResponse>> stream_;
  uint64_t sent_ = 0;
};

class AcquisitionTest : public ::testing::Test {
 protected:
  void Prepare(const Shape5& shape, const std::string& initial = "mean") {
    ASSERT_TRUE(server_.Start()) << server_.Log();
    shape_ = shape;
    specimen_ = Specimen(shape);
    ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server_.address()));
    const std::vector<double> psf = GaussianPsf(kPsf, 1.2, 1.2, 1.2);
    const auto read = [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
      std::vector<float> voxels;
      for (int64_t i = 0; i < kPsf.y * kPsf.x; ++i) {
        voxels.push_back(static_cast<float>(psf[static_cast<size_t>(z * kPsf.y * kPsf.x + i)]));
      }
      std::memcpy(plane.data(), voxels.data(), plane.size());
      return absl::OkStatus();
    };
    ASSERT_OK_AND_ASSIGN(const std::string volume,
                         client.Upload(MakeSpec({1, 1, kPsf.z, kPsf.y, kPsf.x}, v1::F32), read));
    header_.set_session("recording");
    *header_.mutable_input() = MakeSpec(shape, v1::U16);
    header_.set_results(true);
    v1::DeconvolveSpec& work = *header_.mutable_job()->mutable_deconvolve();
    work.set_psf_volume(volume);
    work.set_method("rl");
    (*work.mutable_parameters())["iterations"] = "8";
    (*work.mutable_parameters())["initial"] = initial;
    work.set_background_auto(true);
  }

  // The planes [begin, end) of a time point, one chunk each.
  bool Play(Recording& call, int64_t t, int64_t begin, int64_t end) {
    const int64_t pixels = shape_.y * shape_.x;
    for (int64_t z = begin; z < end; ++z) {
      const auto plane =
          std::span(specimen_).subspan(static_cast<size_t>((t * shape_.z + z) * pixels), static_cast<size_t>(pixels));
      if (!call.Send({t, 0, {{z, 0, 0}, {1, shape_.y, shape_.x}}}, std::as_bytes(plane))) return false;
    }
    return call.AwaitWritten();
  }

  // A volume's bytes.
  absl::StatusOr<std::vector<std::byte>> Download(const std::string& volume) {
    ASSIGN_OR_RETURN(const client::Client client, client::Client::Connect(server_.address()));
    std::vector<std::byte> bytes;
    RETURN_IF_ERROR(client.Download(volume, [&](int64_t, int64_t, int64_t, std::span<const std::byte> plane) {
      bytes.insert(bytes.end(), plane.begin(), plane.end());
      return absl::OkStatus();
    }));
    return bytes;
  }
  // The result of the same job on the volume that is complete now.
  absl::StatusOr<v1::Job> Repeat(const v1::Job& job) {
    ASSIGN_OR_RETURN(const client::Client client, client::Client::Connect(server_.address()));
    ASSIGN_OR_RETURN(const v1::Job again, client.Submit(job.spec()));
    return client.Watch(again.name(), 0);
  }
  void Place(const Recording& call, std::vector<std::byte>& result) const {
    for (const v1::Chunk& chunk : call.results) {
      const auto copy = [&](const ByteRun& run) {
        std::memcpy(result.data() + run.volume_offset, chunk.data().data() + run.box_offset,
                    static_cast<size_t>(run.bytes));
        return absl::OkStatus();
      };
      ASSERT_OK(ForEachRun(shape_, v1::F32, ToFrameBox(chunk.box()), copy));
    }
  }

  TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 0};
  Shape5 shape_;
  std::vector<uint16_t> specimen_;
  v1::DeconvolveHeader header_;
};

TEST_F(AcquisitionTest, NothingThatDiesOnTheWayChangesTheResult) {
  Prepare({1, 1, 64, 40, 40});
  auto worker = server_.StartWorker("first");
  std::vector<std::byte> received(static_cast<size_t>(shape_.voxels()) * sizeof(float));
  {
    Recording call(server_.address(), header_);
    EXPECT_FALSE(call.opened.resumed());
    ASSERT_TRUE(Play(call, 0, 0, 40)) << server_.Log();
    ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kFinished)) << "before the last plane";
    for (const v1::Box& box : call.finished) *header_.add_received() = box;
    Place(call, received);
  }
  worker->Kill();
  worker = server_.StartWorker("second");
  {
    Recording call(server_.address(), header_);
    EXPECT_TRUE(call.opened.resumed());
    ASSERT_EQ(call.opened.input().missing_size(), 1);
    EXPECT_EQ(call.opened.input().missing(0).z(), 40U);
    ASSERT_TRUE(Play(call, 0, 40, 50));
    server_.Kill();
  }
  ASSERT_TRUE(server_.Start()) << server_.Log();
  Recording call(server_.address(), header_);
  EXPECT_EQ(call.opened.input().committed_bytes(), 50U * 40 * 40 * 2) << "what was acknowledged is not lost";
  ASSERT_TRUE(Play(call, 0, 50, 64));
  ASSERT_TRUE(call.SendFinish());
  const grpc::Status status = call.End();
  ASSERT_TRUE(status.ok()) << status.error_message() << server_.Log();
  ASSERT_TRUE(call.ended);
  ASSERT_EQ(call.ended->state(), v1::SUCCEEDED) << call.ended->error().message();
  Place(call, received);
  EXPECT_GT(call.finished.size() + static_cast<size_t>(header_.received_size()), 1U) << "several slabs";
  ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> stored, Download(call.opened.estimate()));
  EXPECT_TRUE(received == stored) << "what came box by box is the result";
  ASSERT_OK_AND_ASSIGN(const v1::Job again, Repeat(*call.ended));
  ASSERT_EQ(again.state(), v1::SUCCEEDED) << again.error().message();
  ASSERT_OK_AND_ASSIGN(const std::vector<std::byte> batch, Download(again.outputs(0).volume()));
  EXPECT_TRUE(batch == stored) << "and that of the same job on the complete image, bit for bit";
}

TEST_F(AcquisitionTest, TheFirstTimePointIsDoneWhileTheThirdIsRecorded) {
  Prepare({3, 1, 8, 40, 40}, "previous");
  const auto worker = server_.StartWorker("worker", /*same_host=*/false);
  Recording call(server_.address(), header_);
  ASSERT_TRUE(Play(call, 0, 0, 8)) << server_.Log();
  ASSERT_TRUE(Play(call, 1, 0, 8));
  ASSERT_TRUE(Play(call, 2, 0, 4));
  ASSERT_TRUE(call.Await(v1::DeconvolveResponse::kFinished)) << server_.Log();
  EXPECT_EQ(call.finished.front().t(), 0U);
  EXPECT_EQ(call.finished.front().size_z(), 8U) << "all of it";
  EXPECT_FALSE(call.ended);
  ASSERT_TRUE(Play(call, 2, 4, 8));
  ASSERT_TRUE(call.SendFinish());
  EXPECT_TRUE(call.End().ok());
  ASSERT_TRUE(call.ended);
  EXPECT_EQ(call.ended->state(), v1::SUCCEEDED) << call.ended->error().message();
  EXPECT_EQ(call.finished.size(), 3U);
}

}  // namespace
}  // namespace deconvoy::testing
