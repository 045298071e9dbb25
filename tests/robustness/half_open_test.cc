// A line that stays open and carries nothing any more, as behind a firewall that forgets it: an upload, a recording and
// a watch notice the silence, come back on new connections, and lose nothing.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <future>
#include <memory>
#include <stop_token>
#include <vector>

#include "client/cpp/acquisition_stream.h"
#include "client/cpp/client.h"
#include "proto/contract/status_macros.h"
#include "tests/integration/support/flaky_proxy.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr int64_t kPlanes = 24, kEdge = 512;
constexpr std::chrono::seconds kNoticed{180};  // clients ask after a minute of silence, and wait 20 s for the answer

std::byte Shade(int64_t z) {
  return static_cast<std::byte>(z + 1);
}

class HalfOpenTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Simulate(folder_.path(), "24,64,64", 5);
    ASSERT_TRUE(server_.Start()) << server_.Log();
  }

  std::string file(const std::string& name) const { return (folder_.path() / name).string(); }

  // A job that computes until it is cancelled; its name.
  std::string SubmitLongJob() const {
    const CliResult submitted = server_.Cli({"submit", file("raw.ome.tif"), "--psf", file("psf.ome.tif"),
                                             "--iterations", "10000", "--background", "5", "--json"});
    EXPECT_EQ(submitted.exit.code, 0) << submitted.err;
    return LastJson(submitted.out)["job"].value("name", "");
  }

  // The recording of planes like those of the upload.
  static absl::StatusOr<std::unique_ptr<client::AcquisitionStream>> Record(const client::Client& near,
                                                                           const client::Client& far) {
    v1::JobSpec job;
    const std::vector<double> psf = GaussianPsf({5, 7, 7}, 1, 1.5, 1.5);
    const std::vector<float> voxels(psf.begin(), psf.end());
    const auto read = [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
      std::memcpy(plane.data(), voxels.data() + static_cast<size_t>(z) * 49, plane.size());
      return absl::OkStatus();
    };
    ASSIGN_OR_RETURN(*job.mutable_deconvolve()->mutable_psf_volume(),
                     near.Upload(MakeSpec({1, 1, 5, 7, 7}, v1::F32), read));
    job.mutable_deconvolve()->set_method("rl");
    (*job.mutable_deconvolve()->mutable_parameters())["iterations"] = "2";
    job.mutable_deconvolve()->set_background_counts(0);
    job.mutable_deconvolve()->set_output_type(v1::U8);
    return client::AcquisitionStream::Open(far, MakeSpec({1, 1, kPlanes, kEdge, kEdge}, v1::U16), job);
  }

  static absl::Status Push(client::AcquisitionStream& stream, int64_t begin, int64_t end) {
    for (int64_t z = begin; z < end; ++z) {
      RETURN_IF_ERROR(stream.Push(0, 0, z, std::vector<std::byte>(kEdge * kEdge * 2, Shade(z))));
    }
    return absl::OkStatus();
  }

  // How many planes of the complete volume are as they were sent.
  static int64_t RightPlanes(const client::Client& client, const std::string& volume) {
    int64_t right = 0;
    EXPECT_OK(client.Download(volume, [&](int64_t, int64_t, int64_t z, std::span<const std::byte> plane) {
      right += std::all_of(plane.begin(), plane.end(), [&](std::byte value) { return value == Shade(z); }) ? 1 : 0;
      return absl::OkStatus();
    }));
    return right;
  }

  // What the call has come to; one that does not notice the silence is stopped.
  template <typename Result>
  static Result Await(std::future<Result>& call, std::stop_source& stop) {
    if (call.wait_for(kNoticed * Slowness()) != std::future_status::ready) stop.request_stop();
    return call.get();
  }

  const TemporaryFolder folder_;
  ServerProcess server_{folder_.path(), 1};
  FlakyProxy proxy_{folder_.path() / "s"};
};

TEST_F(HalfOpenTest, UploadRecordingAndWatchComeBackAndLoseNothing) {
  ASSERT_OK_AND_ASSIGN(const client::Client near, client::Client::Connect(server_.address()));
  const auto connect = [&] { return client::Client::Connect(proxy_.address()); };
  ASSERT_OK_AND_ASSIGN(const client::Client uploader, connect());
  ASSERT_OK_AND_ASSIGN(const client::Client recorder, connect());
  ASSERT_OK_AND_ASSIGN(const client::Client watcher, connect());
  std::stop_source stop;

  const std::string job = SubmitLongJob();
  std::atomic<int> events = 0;
  std::future<absl::StatusOr<v1::Job>> watch = std::async(std::launch::async, [&] {
    return watcher.Watch(
        job, 0, [&](const v1::JobEvent&) { ++events; }, stop.get_token());
  });

  std::promise<void> silent;
  std::atomic<bool> halfway = false;
  std::future<absl::StatusOr<std::string>> upload = std::async(std::launch::async, [&] {
    const auto source = [&, line = silent.get_future().share()](int64_t, int64_t, int64_t z,
                                                                std::span<std::byte> plane) {
      if (z == kPlanes / 2) {
        halfway = true;
        line.wait();
      }
      std::fill(plane.begin(), plane.end(), Shade(z));
      return absl::OkStatus();
    };
    return uploader.Upload(MakeSpec({1, 1, kPlanes, kEdge, kEdge}, v1::U16), source, {}, stop.get_token());
  });

  const auto stream = Record(near, recorder);
  const absl::Status pushed = stream.ok() ? Push(**stream, 0, kPlanes / 2) : stream.status();
  const auto durable = [&] { return stream.ok() ? (*stream)->counts().planes_durable : 0; };
  EXPECT_OK(pushed);
  EXPECT_TRUE(Eventually([&] { return durable() == kPlanes / 2; })) << server_.Log();
  // A watch of which more came than it has ever sent.
  EXPECT_TRUE(Eventually([&] { return halfway && events >= 8; }, std::chrono::seconds(60))) << events;

  proxy_.Swallow();
  silent.set_value();
  EXPECT_OK(near.CancelJob(job));
  if (stream.ok()) EXPECT_OK(Push(**stream, kPlanes / 2, kPlanes));

  const absl::StatusOr<std::string> volume = Await(upload, stop);
  const absl::StatusOr<v1::Job> watched = Await(watch, stop);
  ASSERT_OK(volume);
  EXPECT_EQ(RightPlanes(near, *volume), kPlanes);
  ASSERT_OK(watched);
  EXPECT_EQ(watched->state(), v1::CANCELLED);
  ASSERT_OK(stream);
  EXPECT_TRUE(Eventually([&] { return durable() == kPlanes; }, kNoticed)) << durable() << " planes are durable";
  ASSERT_OK((*stream)->Finish());
  const std::string input = (*stream)->opened().input().name();
  ASSERT_TRUE(Eventually([&] {
    const auto recorded = near.GetVolume(input);
    return recorded.ok() && recorded->state() == v1::COMPLETE;
  })) << server_.Log();
  EXPECT_EQ(RightPlanes(near, input), kPlanes);
  EXPECT_GT(proxy_.swallowed(), 0);
}

}  // namespace
}  // namespace deconvoy::testing
