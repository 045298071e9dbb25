#include "worker/pipeline/psf_estimate.h"

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
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/executor/guarded_executor.h"
#include "worker/executor/logged_executor.h"
#include "worker/imaging/random.h"
#include "worker/pipeline/tile.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;

constexpr Shape3 kFrame{6, 12, 14}, kGiven{5, 7, 7};
constexpr int64_t kChannel = 1;

std::vector<float> Blob(double width) {
  std::vector<float> psf;
  for (int64_t z = 0; z < kGiven.z; ++z)
    for (int64_t y = 0; y < kGiven.y; ++y)
      for (int64_t x = 0; x < kGiven.x; ++x) {
        const auto r2 = static_cast<double>((z - 2) * (z - 2) + (y - 3) * (y - 3) + (x - 3) * (x - 3));
        psf.push_back(static_cast<float>(1000 * std::exp(-r2 / (2 * width * width))));
      }
  return psf;
}

// Spots on a background of 20, in the second of two channels.
std::vector<float> Image() {
  std::vector<float> values(static_cast<size_t>(2 * kFrame.voxels()), 20);
  const auto frame = static_cast<size_t>(kFrame.voxels());
  for (size_t i = 0; i < frame; ++i) {
    const auto x = static_cast<double>(i % static_cast<size_t>(kFrame.x)),
               y = static_cast<double>(i / static_cast<size_t>(kFrame.x) % static_cast<size_t>(kFrame.y));
    const double light = 200 * std::exp(-((x - 7) * (x - 7) + (y - 6) * (y - 6)) / 4);
    values[frame + i] += static_cast<float>(std::round(light + Random::OfVoxel(1, 9, i).Uniform(0, 10)));
  }
  return values;
}

PsfOptions PreparedAsGiven() {
  PsfOptions options;
  options.rule = v1::GEOMETRIC;
  options.energy = 0.7;
  options.image = kFrame;
  return options;
}

MemoryTask EstimateTask(const std::string& method = "blind-rl", bool blank = false) {
  MemoryTask task;
  const std::vector<float> image = Image(), psf = Blob(1.3);
  task.AddInput("volumes/in", {1, 2, kFrame.z, kFrame.y, kFrame.x}, image);
  task.AddInput("volumes/psf", {1, 1, kGiven.z, kGiven.y, kGiven.x}, psf);
  task.AddOutput("volumes/out", v1::F32, {0, kChannel, {{}, kGiven}});
  v1::TileTask& tile = *task.task.mutable_estimate_psf()->mutable_tile();
  v1::DeconvolveSpec& spec = *tile.mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method(method);
  if (method == "blind-rl") {
    (*spec.mutable_parameters())["rounds"] = "4";
    (*spec.mutable_parameters())["image_steps"] = "3";
    (*spec.mutable_parameters())["psf_steps"] = "2";
  }
  spec.set_boundary(v1::EXTEND);
  *tile.mutable_core() = ToProto(FrameBox{0, kChannel, {{}, kFrame}});
  *tile.mutable_loaded() = tile.core();
  *tile.mutable_padded() = ToProto(Shape3{10, 18, 20});
  tile.set_psf_volume("volumes/psf");
  *tile.add_psfs() = AnalysePsf(psf, kGiven, 0, PreparedAsGiven())->report;
  v1::FrameStatistics& frame = *tile.add_frames();
  frame.set_background(20);
  frame.set_mean(blank ? 0
                       : std::accumulate(image.begin() + kFrame.voxels(), image.end(), 0.0) /
                             static_cast<double>(kFrame.voxels()));
  return task;
}

class PsfEstimate : public ::testing::Test {
 protected:
  absl::StatusOr<v1::TaskResult> Run(MemoryTask& task) { return pipeline_.EstimatePsf(task.task, task); }

  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  TilePipeline pipeline_{*backend_};
};

TEST_F(PsfEstimate, IsWrittenInTheVolumeOfTheGivenOne) {
  MemoryTask task = EstimateTask();
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<float> psf = FromBytes<float>(task.output);
  ASSERT_EQ(psf.size(), static_cast<size_t>(kGiven.voxels()));
  EXPECT_NEAR(std::accumulate(psf.begin(), psf.end(), 0.0), 1, 1e-5);
  EXPECT_GE(*std::min_element(psf.begin(), psf.end()), 0);
  const v1::PsfReport& given = task.task.estimate_psf().tile().psfs(0);
  const Box3 used{ToVoxel(given.crop_origin()), ToShape3(given.crop_shape())};
  ASSERT_NE(used.shape, kGiven) << "some of it is not used";
  size_t i = 0;
  for (int64_t z = 0; z < kGiven.z; ++z)
    for (int64_t y = 0; y < kGiven.y; ++y)
      for (int64_t x = 0; x < kGiven.x; ++x, ++i) {
        if (!used.Contains({{z, y, x}, {1, 1, 1}})) {
          EXPECT_EQ(psf[i], 0);
        }
      }
}

TEST_F(PsfEstimate, TellsHowItIsUsedAndHowWideItIs) {
  MemoryTask task = EstimateTask();
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const v1::PsfEstimate& estimate = result.estimate_psf().estimate();
  EXPECT_EQ(estimate.c(), kChannel);
  EXPECT_EQ(estimate.psf().c(), kChannel);
  EXPECT_NEAR(estimate.psf().sum(), 1, 1e-5);
  EXPECT_GT(estimate.psf().spread_z(), 0);
  ASSERT_EQ(estimate.objective_size(), 4);
  EXPECT_EQ(estimate.objective(3).iteration(), 4U);
  EXPECT_LT(estimate.objective(3).value(), estimate.objective(0).value());
  EXPECT_GT(estimate.objective(3).data_squares(), estimate.objective(3).residual_squares());
  EXPECT_EQ(task.objective.size(), 4U);
  ASSERT_EQ(task.progress.size(), 20U);
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{20, 20}));
  ASSERT_EQ(result.estimate_psf().findings_size(), 1);
  EXPECT_THAT(result.estimate_psf().findings(0).message(),
              HasSubstr("PSF of channel 1, estimated from the image: full width at half maximum"));
  EXPECT_EQ(result.piece_crc32c_size(), 1);
}

// With optics of two channels, of which the second have this wavelength.
MemoryTask PupilTask(double wavelength_um) {
  MemoryTask task = EstimateTask();
  v1::DeconvolveSpec& spec = *task.task.mutable_estimate_psf()->mutable_tile()->mutable_spec();
  (*spec.mutable_parameters())["zernike"] = "11";
  for (const double wavelength : {0.4, wavelength_um}) {
    v1::Optics& optics = *spec.add_optics();
    optics.set_na(0.8);
    optics.set_emission_um(wavelength);
    optics.set_ri_immersion(1);
  }
  v1::VoxelSize& voxel = *task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size();
  voxel.set_z_um(1);
  voxel.set_y_um(0.15);
  voxel.set_x_um(0.15);
  return task;
}

TEST_F(PsfEstimate, TellsThePupilOfItsChannel) {
  MemoryTask task = PupilTask(0.8), other = PupilTask(0.4);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  ASSERT_EQ(result.estimate_psf().findings_size(), 2);
  EXPECT_THAT(result.estimate_psf().findings(1).message(),
              HasSubstr("pupil of channel 1, as the image tells it: Zernike modes (Noll) in wavelengths"));
  ASSERT_OK(Run(other));
  const auto middle = [](const MemoryTask& done) {
    return FromBytes<float>(done.output)[static_cast<size_t>(kGiven.voxels() / 2)];
  };
  EXPECT_GT(middle(other), 1.2F * middle(task)) << "half the wavelength, half the width";
}

TEST_F(PsfEstimate, NeedsVoxelSizesForAPupil) {
  MemoryTask task = PupilTask(0.5);
  task.task.mutable_inputs(0)->mutable_spec()->clear_voxel_size();
  EXPECT_EQ(ReasonOf(Run(task).status()), v1::INVALID_FIELD);
}

TEST_F(PsfEstimate, CanBeUsedByATile) {
  MemoryTask task = EstimateTask();
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  MemoryTask tile = EstimateTask();
  const v1::TileTask work = tile.task.estimate_psf().tile();
  *tile.task.mutable_tile() = work;
  const std::vector<float> psf = FromBytes<float>(task.output);
  std::vector<float> both(psf.size());
  both.insert(both.end(), psf.begin(), psf.end());
  tile.AddInput("volumes/found", {1, 2, kGiven.z, kGiven.y, kGiven.x}, both);
  tile.task.mutable_tile()->set_psf_volume("volumes/found");
  *tile.task.mutable_tile()->mutable_psfs(0) = result.estimate_psf().estimate().psf();
  tile.task.clear_outputs();
  tile.AddOutput("volumes/out", v1::F32, {0, kChannel, {{}, kFrame}});
  EXPECT_OK(pipeline_.Run(tile.task, tile));
  EXPECT_EQ(FromBytes<float>(tile.output).size(), static_cast<size_t>(kFrame.voxels()));
}

TEST_F(PsfEstimate, OfABlankFrameIsTheGivenOne) {
  MemoryTask task = EstimateTask("blind-rl", /*blank=*/true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<float> psf = FromBytes<float>(task.output);
  EXPECT_NEAR(psf[static_cast<size_t>(kGiven.voxels() / 2)] / psf[static_cast<size_t>(kGiven.voxels() / 2) + 1],
              std::exp(1 / (2 * 1.3 * 1.3)), 1e-5);
  EXPECT_TRUE(result.estimate_psf().estimate().objective().empty());
  ASSERT_EQ(result.estimate_psf().findings_size(), 1);
  EXPECT_EQ(result.estimate_psf().findings(0).severity(), v1::WARNING);
  EXPECT_THAT(result.estimate_psf().findings(0).message(), HasSubstr("is blank"));
}

TEST_F(PsfEstimate, EndsWhenItIsCancelled) {
  MemoryTask task = EstimateTask();
  task.fail_at = 7;  // in the second round
  EXPECT_EQ(Run(task).status().code(), absl::StatusCode::kCancelled);
  EXPECT_TRUE(task.output.empty());
}

TEST_F(PsfEstimate, NeedsAMethodThatEstimates) {
  MemoryTask task = EstimateTask("rl");
  EXPECT_EQ(ReasonOf(Run(task).status()), v1::INVALID_FIELD);
}

TEST_F(PsfEstimate, IsATaskOnATile) {
  const MemoryTask estimate = EstimateTask();
  MemoryTask tile = EstimateTask();
  const v1::TileTask work = tile.task.estimate_psf().tile();
  *tile.task.mutable_tile() = work;
  ASSERT_OK_AND_ASSIGN(const int64_t need, NeedBytes(estimate.task));
  EXPECT_EQ(need, NeedBytes(tile.task).value());
  EXPECT_GT(need, 20 * 10 * 18 * 20);
  EXPECT_THAT(Summary(estimate.task), HasSubstr("estimate of the PSF on tile t=0 c=1"));
}

}  // namespace
}  // namespace deconvoy::worker
