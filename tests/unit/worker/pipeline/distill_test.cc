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
MemoryTask BeadTask(double height) {
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
  MemoryTask task;
  task.AddInput("volumes/beads", {1, 1, kShape.z, kShape.y, kShape.x}, v1::U16, AsBytes(raw));
  v1::DistillSpec& spec = *task.task.mutable_distill()->mutable_spec();
  spec.set_input_volume("volumes/beads");
  *spec.mutable_shape() = ToProto(Voxel{9, 9, 9});
  task.AddOutput("volumes/psf", v1::F32, {0, 0, {{}, {9, 9, 9}}});
  return task;
}

TEST(Distill, WritesThePsfAndSaysWhatBecameOfEachBead) {
  MemoryTask task = BeadTask(3000);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, RunDistill(task.task, task));
  const std::vector<float> psf = FromBytes<float>(task.output);
  ASSERT_EQ(psf.size(), 729U);
  EXPECT_NEAR(std::accumulate(psf.begin(), psf.end(), 0.0), 1, 1e-5);
  EXPECT_EQ(std::max_element(psf.begin(), psf.end()) - psf.begin(), 364);
  ASSERT_EQ(result.distill().findings_size(), 3);
  EXPECT_THAT(result.distill().findings(0).message(), HasSubstr("PSF of 1 of 2 beads"));
  EXPECT_THAT(result.distill().findings(1).message(), HasSubstr("bead at 6,15,12 (z,y,x)"));
  EXPECT_THAT(result.distill().findings(1).message(), HasSubstr("used, correlation"));
  EXPECT_THAT(result.distill().findings(2).message(), HasSubstr("not used, cut by an end of the stack"));
}

TEST(Distill, WithoutABeadItSaysWhy) {
  MemoryTask task = BeadTask(0);
  const absl::Status status = RunDistill(task.task, task).status();
  EXPECT_EQ(ReasonOf(status), v1::BAD_PSF);
  EXPECT_THAT(std::string(status.message()), HasSubstr("nothing stands out of the background"));
}

}  // namespace
}  // namespace deconvoy::worker
