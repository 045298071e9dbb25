// A volume far larger than a worker's memory streams through it: its resident memory stays within what the plan says.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <regex>
#include <vector>

#include "client/cpp/client.h"
#include "tests/integration/support/image.h"
#include "tests/integration/support/server_process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

// 32 bit: 201 MB, four times the budget and more with its result.
constexpr Shape5 kVolume{1, 1, 192, 512, 512};
constexpr Shape3 kPsf{5, 7, 7};
constexpr int64_t kBudgetMib = 96;
// Of `rl` with momentum, all that belongs to it included.
constexpr int64_t kBytesPerPaddedVoxel = 21;

// Light of which the half lies in a grid of lines.
absl::Status FillPlane(int64_t z, std::span<std::byte> plane) {
  std::vector<float> values(plane.size() / sizeof(float));
  for (size_t i = 0; i < values.size(); ++i) {
    const bool line = static_cast<int64_t>(i) % 17 == z % 17;
    values[i] = line ? 400.0F : 20.0F;
  }
  std::memcpy(plane.data(), values.data(), plane.size());
  return absl::OkStatus();
}

// Padded voxels of the tiles in a worker's log; 0 where there is none.
int64_t PaddedVoxels(const std::string& log) {
  std::smatch match;
  if (!std::regex_search(log, match, std::regex("padded ([0-9]+)x([0-9]+)x([0-9]+)"))) return 0;
  return std::stoll(match[1]) * std::stoll(match[2]) * std::stoll(match[3]);
}

class WorkerMemoryTest : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (Sanitized()) GTEST_SKIP() << "SKIPPED: with sanitizers, memory is not that of the programs";
  }
  TemporaryFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(, WorkerMemoryTest, ::testing::Bool(),
                         [](const auto& kind) { return kind.param ? "BySpool" : "Streaming"; });

v1::JobSpec Deconvolve(const std::string& image, const std::string& psf) {
  v1::JobSpec spec;
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  work.set_input_volume(image);
  work.set_psf_volume(psf);
  work.set_method("rl");
  (*work.mutable_parameters())["iterations"] = "2";
  work.set_background_counts(0);
  return spec;
}

TEST_P(WorkerMemoryTest, AVolumeLargerThanTheBudget) {
  ServerProcess server(folder_.path(), 0);
  ASSERT_TRUE(server.Start()) << server.Log();
  auto worker = server.StartWorker("worker", GetParam(), {}, {"--memory-mib", std::to_string(kBudgetMib)});
  ASSERT_OK_AND_ASSIGN(const client::Client client, client::Client::Connect(server.address()));
  const std::vector<double> psf = GaussianPsf(kPsf, 1, 1.5, 1.5);
  ASSERT_OK_AND_ASSIGN(
      const std::string image,
      client.Upload(MakeSpec(kVolume, v1::F32),
                    [](int64_t, int64_t, int64_t z, std::span<std::byte> plane) { return FillPlane(z, plane); }));
  ASSERT_OK_AND_ASSIGN(const std::string blur,
                       client.Upload(MakeSpec({1, 1, kPsf.z, kPsf.y, kPsf.x}, v1::F32),
                                     [&](int64_t, int64_t, int64_t z, std::span<std::byte> plane) {
                                       std::vector<float> values(plane.size() / sizeof(float));
                                       const auto first = psf.begin() + z * kPsf.y * kPsf.x;
                                       std::copy_n(first, values.size(), values.begin());
                                       std::memcpy(plane.data(), values.data(), plane.size());
                                       return absl::OkStatus();
                                     }));
  ASSERT_TRUE(Eventually([&] {
    return server.Cli({"workers", "--json"}).out.find("process_id") != std::string::npos;
  }));
  const int64_t idle = PeakResidentBytes(worker->pid());
  ASSERT_OK_AND_ASSIGN(v1::Job job, client.Submit(Deconvolve(image, blur)));
  ASSERT_OK_AND_ASSIGN(job, client.Watch(job.name(), 0));
  ASSERT_EQ(job.state(), v1::SUCCEEDED) << job.error().message() << worker->Errors();
  const int64_t grown = PeakResidentBytes(worker->pid()) - idle;
  const int64_t padded = PaddedVoxels(worker->Errors());
  std::printf("idle %.1f MB, grown by %.1f MB, %.1f bytes per padded voxel, %u tiles\n",
              static_cast<double>(idle) / 1e6, static_cast<double>(grown) / 1e6,
              static_cast<double>(grown) / static_cast<double>(padded), job.progress().tasks_done() - 1);
  EXPECT_GT(job.progress().tasks_done(), 4U) << "the volume fits into the budget";
  EXPECT_GT(grown, 0);
  EXPECT_LE(grown, kBytesPerPaddedVoxel * padded);
  EXPECT_LE(grown, kBudgetMib << 20);
}

}  // namespace
}  // namespace deconvoy::testing
