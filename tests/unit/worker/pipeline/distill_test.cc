#include "worker/pipeline/distill.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker {
namespace {

using testing::AsBytes;
using testing::FromBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;

constexpr Shape3 kShape{12, 30, 40};

// A bead at 6,15,12, and one that the stack's end cuts at 6,15,38.
std::vector<std::byte> Recorded(double height) {
  std::vector<uint16_t> raw;
  for (int64_t z = 0; z < kShape.z; ++z) {
    for (int64_t y = 0; y < kShape.y; ++y) {
      for (int64_t x = 0; x < kShape.x; ++x) {
        const auto light = [&](int64_t at) {
          const auto r2 = static_cast<double>((z - 6) * (z - 6) + (y - 15) * (y - 15) + (x - at) * (x - at));
          return height * std::exp(-r2 / 4);
        };
        raw.push_back(static_cast<uint16_t>(100 + (x * 7 + y * 3 + z) % 5 + std::lround(light(12) + light(38) / 2)));
      }
    }
  }
  return AsBytes(raw);
}

MemoryTask BeadTask(double height) {
  MemoryTask task;
  task.AddInput("volumes/beads", {1, 1, kShape.z, kShape.y, kShape.x}, v1::U16, Recorded(height));
  v1::DistillSpec& spec = *task.task.mutable_distill()->mutable_spec();
  spec.set_input_volume("volumes/beads");
  *spec.mutable_shape() = ToProto(Voxel{9, 9, 9});
  task.AddOutput("volumes/psf", v1::F32, {0, 0, {{}, {9, 9, 9}}});
  return task;
}

std::string Finding(const v1::TaskResult& result, int i) {
  return result.distill().findings(i).message();
}

TEST(Distill, WritesThePsfAndSaysWhatBecameOfEachBead) {
  MemoryTask task = BeadTask(3000);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunDistill(task.task, task));
  const std::vector<float> psf = FromBytes<float>(task.output);
  ASSERT_EQ(psf.size(), 729U);
  EXPECT_NEAR(std::accumulate(psf.begin(), psf.end(), 0.0), 1, 1e-5);
  EXPECT_EQ(std::max_element(psf.begin(), psf.end()) - psf.begin(), 364);
  ASSERT_EQ(result.distill().findings_size(), 5);
  EXPECT_THAT(Finding(result, 0), HasSubstr("PSF of 1 of 2 beads, trimmed mean: full width at half maximum 3."));
  EXPECT_THAT(Finding(result, 1), HasSubstr("Gaussians fitted to the PSF's profiles: 3."));
  EXPECT_THAT(Finding(result, 2), HasSubstr("signal over noise is"));
  EXPECT_THAT(Finding(result, 2), HasSubstr("along z"));
  EXPECT_THAT(Finding(result, 3), HasSubstr("bead at 6,15,12 (z,y,x)"));
  EXPECT_THAT(Finding(result, 3), HasSubstr("used, correlation with the PSF 1.000, residual 0.0 %"));
  EXPECT_THAT(Finding(result, 4), HasSubstr("not used, cut by an end of the stack"));
}

// `times` in one volume, and once in another.
MemoryTask SeveralStacks(int times) {
  const std::vector<std::byte> one = Recorded(3000);
  std::vector<std::byte> bytes;
  for (int i = 0; i < times; ++i) bytes.insert(bytes.end(), one.begin(), one.end());
  MemoryTask task;
  task.AddInput("volumes/beads", {times, 1, kShape.z, kShape.y, kShape.x}, v1::U16, bytes);
  task.AddInput("volumes/more", {1, 1, kShape.z, kShape.y, kShape.x}, v1::U16, one);
  *task.task.mutable_distill() = BeadTask(3000).task.distill();
  task.task.mutable_distill()->mutable_spec()->add_more_volumes("volumes/more");
  task.AddOutput("volumes/psf", v1::F32, {0, 0, {{}, {9, 9, 9}}});
  return task;
}

TEST(Distill, TakesBeadsFromAllStacks) {
  MemoryTask task = SeveralStacks(2);
  task.task.mutable_distill()->mutable_spec()->set_average(v1::DistillSpec::MEDIAN);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunDistill(task.task, task));
  EXPECT_THAT(Finding(result, 0), HasSubstr("PSF of 3 of 6 beads, median"));
  EXPECT_THAT(Finding(result, 3), HasSubstr("(z,y,x) of volume 0 at time point 0,"));
  EXPECT_THAT(Finding(result, 5), HasSubstr("(z,y,x) of volume 0 at time point 1,"));
  EXPECT_THAT(Finding(result, 7), HasSubstr("(z,y,x) of volume 1,"));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{37, 37}));
}

TEST(Distill, TakesTheSizeOfTheBeadsOutWhereVoxelsAreKnown) {
  MemoryTask task = BeadTask(3000);
  v1::DistillSpec& spec = *task.task.mutable_distill()->mutable_spec();
  spec.set_bead_um(0.2);
  EXPECT_EQ(InfoOf(RunDistill(task.task, task).status()).field(), "distill.bead_um");
  v1::VoxelSize& voxel = *task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size();
  voxel.set_z_um(0.1);
  voxel.set_y_um(0.1);
  voxel.set_x_um(0.1);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunDistill(task.task, task));
  EXPECT_THAT(Finding(result, 1), HasSubstr("before the size of the beads, 0.2 um, was taken out it was 3."));
  // A ball of 2 voxels has the variance 2^2 / 20 along each axis.
  EXPECT_THAT(Finding(result, 0), HasSubstr("half maximum 3.2"));
  EXPECT_THAT(Finding(result, 1), HasSubstr("was taken out it was 3.3"));
  const std::vector<float> psf = FromBytes<float>(task.output);
  EXPECT_NEAR(std::accumulate(psf.begin(), psf.end(), 0.0), 1, 1e-5);
  EXPECT_GE(*std::min_element(psf.begin(), psf.end()), 0);
}

TEST(Distill, WithoutABeadItSaysWhy) {
  MemoryTask task = BeadTask(0);
  const absl::Status status = RunDistill(task.task, task).status();
  EXPECT_EQ(ReasonOf(status), v1::BAD_PSF);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nothing stands out of the background"));
}

}  // namespace
}  // namespace deconvoy::worker
