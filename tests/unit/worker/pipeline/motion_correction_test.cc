// A specimen that moved while it was recorded, from analysis to result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/imaging/planted.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/pipeline/analyse.h"
#include "worker/pipeline/tile.h"

namespace deconvoy::worker {
namespace {

using testing::BlurredSpecimen;
using testing::FromBytes;
using testing::MemoryTask;

constexpr Shape3 kFrame{18, 96, 96};
constexpr Shape3 kPsf{5, 7, 7};
constexpr int64_t kTimes = 3;

// Where the specimen was: planes jump at the second time point, all has drifted at the third.
Voxel Moved(int64_t t, int64_t z) {
  if (t == 2) return {0, -4, 6};
  return t == 1 && z >= 12 ? Voxel{0, 5, -3} : Voxel{};
}

// Of the same noise at all times, so that it makes no difference; `moves` false: at rest.
std::vector<float> Recorded(bool moves) {
  const std::vector<float> photons = BlurredSpecimen(kFrame, 11, 400);
  std::vector<float> still;
  for (size_t i = 0; i < photons.size(); ++i) {
    still.push_back(static_cast<float>(Random::OfVoxel(2, 5, i).Poisson(4 + static_cast<double>(photons[i]))));
  }
  std::vector<float> raw;
  for (int64_t t = 0; t < kTimes; ++t) {
    for (int64_t i = 0; i < kFrame.voxels(); ++i) {
      const int64_t z = i / (kFrame.y * kFrame.x);
      const Voxel by = moves ? Moved(t, z) : Voxel{};
      const int64_t y = (i / kFrame.x % kFrame.y - by.y + kFrame.y) % kFrame.y;
      const int64_t x = (i % kFrame.x - by.x + kFrame.x) % kFrame.x;
      raw.push_back(still[static_cast<size_t>((z * kFrame.y + y) * kFrame.x + x)]);
    }
  }
  return raw;
}

std::vector<float> Psf() {
  std::vector<float> psf;
  for (int64_t i = 0; i < kPsf.voxels(); ++i) {
    const auto z = static_cast<double>(i / 49 - 2), y = static_cast<double>(i / 7 % 7 - 3),
               x = static_cast<double>(i % 7 - 3);
    psf.push_back(static_cast<float>(std::exp(-(z * z / 4 + (y * y + x * x) / 3))));
  }
  return psf;
}

v1::DeconvolveSpec Spec(bool corrects) {
  v1::DeconvolveSpec spec;
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  (*spec.mutable_parameters())["iterations"] = "8";
  spec.set_boundary(v1::EXTEND);
  spec.set_background_counts(4);
  spec.set_correct_motion(corrects);
  return spec;
}

void AddInputs(const std::vector<float>& raw, MemoryTask& task) {
  task.AddInput("volumes/in", {kTimes, 1, kFrame.z, kFrame.y, kFrame.x}, raw);
  task.AddInput("volumes/psf", {1, 1, kPsf.z, kPsf.y, kPsf.x}, Psf());
}

v1::AnalyseResult Analysed(const std::vector<float>& raw, const v1::DeconvolveSpec& spec) {
  MemoryTask task;
  AddInputs(raw, task);
  *task.task.mutable_analyse()->mutable_spec() = spec;
  const absl::StatusOr<v1::TaskResult> result = RunAnalyse(task.task, /*threads=*/2, task);
  EXPECT_OK(result.status());
  return result.ok() ? result->analyse() : v1::AnalyseResult();
}

struct TileOutcome {
  std::vector<float> result;
  double input_sum = 0;
};

// The tile of `core` at time point `t`, with `halo` voxels around it as far as the frame has them.
class MotionCorrection : public ::testing::Test {
 protected:
  absl::StatusOr<TileOutcome> Compute(const std::vector<float>& raw, const v1::DeconvolveSpec& spec,
                                      const v1::AnalyseResult& analysis, int64_t t, const Box3& core,
                                      int64_t halo = 0) {
    MemoryTask task;
    AddInputs(raw, task);
    task.AddOutput("volumes/out", v1::F32, {t, 0, core});
    v1::TileTask& tile = *task.task.mutable_tile();
    *tile.mutable_spec() = spec;
    tile.set_psf_volume(spec.psf_volume());
    Box3 loaded = core;
    loaded.origin = {0, std::max<int64_t>(core.origin.y - halo, 0), std::max<int64_t>(core.origin.x - halo, 0)};
    loaded.shape = {kFrame.z, std::min(core.end().y + halo, kFrame.y) - loaded.origin.y,
                    std::min(core.end().x + halo, kFrame.x) - loaded.origin.x};
    *tile.mutable_core() = ToProto(FrameBox{t, 0, core});
    *tile.mutable_loaded() = ToProto(FrameBox{t, 0, loaded});
    *tile.mutable_padded() = ToProto(PaddedShape(loaded.shape, ToShape3(analysis.psfs(0).crop_shape()), v1::EXTEND));
    *tile.mutable_psfs() = analysis.psfs();
    *tile.add_frames() = analysis.frames(static_cast<int>(t));
    const absl::StatusOr<v1::TaskResult> result = pipeline_.Run(task.task, task);
    if (!result.ok()) return result.status();
    return TileOutcome{FromBytes<float>(task.output), result->tile().statistics().input_sum()};
  }

  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  TilePipeline pipeline_{*backend_};
};

constexpr Box3 kWhole{{}, kFrame};

TEST_F(MotionCorrection, JumpsAndDriftComeBackInPlace) {
  const std::vector<float> still = Recorded(false), moved = Recorded(true);
  const v1::AnalyseResult at_rest = Analysed(still, Spec(false)), found = Analysed(moved, Spec(true));
  ASSERT_EQ(found.frames_size(), kTimes);
  ASSERT_OK_AND_ASSIGN(const TileOutcome expected, Compute(still, Spec(false), at_rest, 0, kWhole));
  const double most = *std::max_element(expected.result.begin(), expected.result.end());
  for (int64_t t = 0; t < kTimes; ++t) {
    for (int64_t z = 0; t > 0 && z < kFrame.z; ++z) {
      EXPECT_EQ(found.frames(static_cast<int>(t)).plane_shift_y(static_cast<int>(z)), Moved(t, z).y) << t << " " << z;
      EXPECT_EQ(found.frames(static_cast<int>(t)).plane_shift_x(static_cast<int>(z)), Moved(t, z).x) << t << " " << z;
    }
    ASSERT_OK_AND_ASSIGN(const TileOutcome corrected, Compute(moved, Spec(true), found, t, kWhole));
    ASSERT_OK_AND_ASSIGN(const TileOutcome as_it_is, Compute(moved, Spec(false), at_rest, t, kWhole));
    double worst = 0, worst_as_it_is = 0;
    for (int64_t i = 0; i < kFrame.voxels(); ++i) {
      const int64_t y = i / kFrame.x % kFrame.y, x = i % kFrame.x;
      if (std::min({y, x, kFrame.y - 1 - y, kFrame.x - 1 - x}) < 16) continue;
      const auto v = static_cast<size_t>(i);
      const auto difference = [&](const TileOutcome& outcome) {
        return std::abs(static_cast<double>(outcome.result[v]) - static_cast<double>(expected.result[v])) / most;
      };
      worst = std::max(worst, difference(corrected));
      worst_as_it_is = std::max(worst_as_it_is, difference(as_it_is));
    }
    EXPECT_LT(worst, 1e-3) << t;
    if (t > 0) {
      EXPECT_GT(worst_as_it_is, 0.1) << "nothing had to be corrected";
      EXPECT_LT(corrected.input_sum, as_it_is.input_sum) << "what lies outside the frame has no light";
    }
  }
}

TEST_F(MotionCorrection, TwoTilesAgreeWithOne) {
  const std::vector<float> moved = Recorded(true);
  const v1::AnalyseResult found = Analysed(moved, Spec(true));
  for (const int64_t t : {1, 2}) {
    ASSERT_OK_AND_ASSIGN(const TileOutcome whole, Compute(moved, Spec(true), found, t, kWhole));
    const double most = *std::max_element(whole.result.begin(), whole.result.end());
    double worst = 0, input_sum = 0;
    for (const int64_t begin : {0, 48}) {
      const Box3 core{{0, 0, begin}, {kFrame.z, kFrame.y, 48}};
      ASSERT_OK_AND_ASSIGN(const TileOutcome half, Compute(moved, Spec(true), found, t, core, 16));
      input_sum += half.input_sum;
      for (size_t i = 0; i < half.result.size(); ++i) {
        const double one = whole.result[i / 48 * 96 + static_cast<size_t>(begin) + i % 48];
        worst = std::max(worst, std::abs(static_cast<double>(half.result[i]) - one) / most);
      }
    }
    EXPECT_LT(worst, 1e-3) << t;
    EXPECT_NEAR(input_sum, whole.input_sum, 1e-6 * whole.input_sum);
  }
}

TEST_F(MotionCorrection, OtherBoundariesAreRefused) {
  const std::vector<float> moved = Recorded(true);
  const v1::AnalyseResult found = Analysed(moved, Spec(true));
  for (const v1::Boundary boundary : {v1::MIRROR, v1::PERIODIC}) {
    v1::DeconvolveSpec spec = Spec(true);
    spec.set_boundary(boundary);
    EXPECT_EQ(ReasonOf(Compute(moved, spec, found, 2, kWhole).status()), v1::INVALID_FIELD);
  }
  v1::AnalyseResult wrong = found;
  wrong.mutable_frames(2)->add_plane_shift_y(1);
  EXPECT_EQ(ReasonOf(Compute(moved, Spec(true), wrong, 2, kWhole).status()), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::worker
