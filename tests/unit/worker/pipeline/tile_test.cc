#include "worker/pipeline/tile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/pipeline/tile_setting.h"
#include "tests/unit/worker/support/damaged_backend.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;

double Distance(const std::vector<float>& a, const std::vector<float>& b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i) sum += (a[i] - b[i]) * (a[i] - b[i]);
  return std::sqrt(sum);
}

class EveryBoundary : public Tile, public ::testing::WithParamInterface<v1::Boundary> {};

TEST_P(EveryBoundary, ADeltaPsfReturnsTheInput) {
  Setting s;
  s.boundary = GetParam();
  const std::vector<float> raw = Picture(s.frame);
  ExpectNear(Estimate(s, raw), raw, 1e-5);
}

TEST_P(EveryBoundary, AConstantStaysConstant) {
  Setting s;
  s.boundary = GetParam();
  s.psf = Skewed();
  const std::vector<float> raw(static_cast<size_t>(s.frame.voxels()), 50);
  ExpectNear(Estimate(s, raw), raw, 1e-5);
}

// Five iterations, and five more from their result, are ten.
TEST_P(EveryBoundary, PreviousIsWhereTheRunStarts) {
  Setting s;
  s.boundary = GetParam();
  s.psf = Skewed();
  s.offset = 10;
  s.gain = 2;
  const std::vector<float> frame = Picture(s.frame);
  s.parameters["iterations"] = "10";
  const std::vector<float> ten = Estimate(s, frame);
  s.parameters["iterations"] = "5";
  const std::vector<float> five = Estimate(s, frame);
  s.parameters["initial"] = "previous";
  std::vector<float> both = frame, results = five;
  both.insert(both.end(), frame.begin(), frame.end());
  results.resize(2 * five.size());
  MemoryTask task;
  Fill(s, both, task, 2);
  task.AddInput("volumes/before", {2, 1, s.frame.z, s.frame.y, s.frame.x}, results);
  task.task.mutable_tile()->set_previous_volume("volumes/before");
  ASSERT_OK(Run(task));
  const std::vector<float> result = FromBytes<float>(task.output);
  // With EXTEND the margin, which was not kept, starts anew and changes the edges; reflecting gives it back nearly.
  if (GetParam() == v1::EXTEND) {
    EXPECT_GT(Distance(result, five), 0.1 * Distance(five, ten));
  } else {
    EXPECT_LT(Distance(result, ten), (GetParam() == v1::PERIODIC ? 0.01 : 0.3) * Distance(five, ten));
  }
}

INSTANTIATE_TEST_SUITE_P(Boundaries, EveryBoundary, ::testing::Values(v1::EXTEND, v1::MIRROR, v1::PERIODIC));

TEST_F(Tile, YieldsItsCoreOnly) {
  Setting s;
  s.core = {{2, 3, 4}, {2, 4, 3}};
  s.loaded = {{1, 2, 2}, {4, 6, 7}};
  const std::vector<float> raw = Picture(s.frame);
  MemoryTask task;
  Fill(s, raw, task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  std::vector<float> expected;
  for (int64_t z = 2; z < 4; ++z) {
    for (int64_t y = 3; y < 7; ++y) {
      for (int64_t x = 4; x < 7; ++x) expected.push_back(raw[static_cast<size_t>((z * 9 + y) * 10 + x)]);
    }
  }
  ExpectNear(FromBytes<float>(task.output), expected, 1e-5);
  ASSERT_EQ(result.piece_crc32c_size(), 1);
  EXPECT_EQ(result.piece_crc32c(0), Crc32c(task.output));
  const double sum = std::accumulate(expected.begin(), expected.end(), 0.0);
  EXPECT_NEAR(result.tile().statistics().input_sum(), sum, 1e-6 * sum);
  EXPECT_NEAR(result.tile().statistics().sum(), sum, 1e-4 * sum);
}

TEST_F(Tile, TwoTilesAgreeWithOne) {
  Setting s;
  s.frame = {8, 12, 40};
  s.psf = Skewed();
  s.core = s.loaded = {{}, s.frame};
  s.parameters["iterations"] = "10";
  const std::vector<float> raw = Picture(s.frame);
  const std::vector<float> whole = Estimate(s, raw);
  s.core = {{0, 0, 20}, {8, 12, 20}};
  s.loaded = {{0, 0, 8}, {8, 12, 32}};
  MemoryTask task;
  Fill(s, raw, task);
  ASSERT_OK(Run(task));
  const std::vector<float> half = FromBytes<float>(task.output);
  double worst = 0;
  for (size_t i = 0; i < half.size(); ++i) {
    worst =
        std::max(worst, std::abs(static_cast<double>(half[i]) - static_cast<double>(whole[i / 20 * 40 + 20 + i % 20])));
  }
  EXPECT_LT(worst, 1e-3 * *std::max_element(whole.begin(), whole.end()));
}

TEST_F(Tile, ResultIsInCountsWithoutTheOffset) {
  Setting s;
  s.offset = 20;
  s.gain = 0.5;
  const std::vector<float> raw = Picture(s.frame);
  std::vector<float> expected = raw;
  for (float& v : expected) v -= 20;
  ExpectNear(Estimate(s, raw), expected, 1e-5);
  s.keep_offset = true;
  ExpectNear(Estimate(s, raw), raw, 1e-5);
}

TEST_F(Tile, IntegerOutputIsRoundedAndClippingCounted) {
  Setting s;
  s.output = v1::U8;
  std::vector<float> raw = Picture(s.frame);
  raw[5] = 300;
  raw[6] = 255;
  MemoryTask task;
  Fill(s, raw, task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<uint8_t> out = FromBytes<uint8_t>(task.output);
  EXPECT_EQ(out[5], 255);
  EXPECT_EQ(out[6], 255);
  EXPECT_EQ(out[7], raw[7]);
  EXPECT_EQ(result.tile().statistics().clipped_voxels(), 1U);
  EXPECT_NEAR(result.tile().statistics().maximum(), 300, 0.01);
}

// A dark tile is fine: whether the whole result is lost is judged at the end of the job.
TEST_F(Tile, IntegersThatRoundToZeroAreReportedAsTheyWere) {
  Setting s;
  s.output = v1::U16;
  std::vector<float> raw = Picture(s.frame);
  for (float& v : raw) v *= 0.4F / 220;
  MemoryTask task;
  Fill(s, raw, task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<uint16_t> out = FromBytes<uint16_t>(task.output);
  EXPECT_EQ(*std::max_element(out.begin(), out.end()), 0);
  EXPECT_NEAR(result.tile().statistics().maximum(), *std::max_element(raw.begin(), raw.end()), 1e-3);
  EXPECT_EQ(result.tile().statistics().clipped_voxels(), 0U);
}

// y + s^2 against b + s^2: the estimate tends to y - b.
TEST_F(Tile, ReadNoiseShiftsImageAndBackgroundAlike) {
  Setting s;
  s.read_noise = 3;
  s.background = 5;
  s.parameters["iterations"] = "300";
  const std::vector<float> raw = Picture(s.frame);
  std::vector<float> expected = raw;
  for (float& v : expected) v -= 5;
  ExpectNear(Estimate(s, raw), expected, 1e-3);
}

// Not of the worker's arrays: y less the blurred result, over its root, sums of products over the PSF.
std::vector<double> NormalisedResidual(const Setting& s, const std::vector<float>& raw, const std::vector<float>& x) {
  const double sum = std::accumulate(s.psf.begin(), s.psf.end(), 0.0);
  const auto at = [&](int64_t z, int64_t y, int64_t c) {
    const auto wrap = [](int64_t i, int64_t n) { return (i + n) % n; };
    return static_cast<size_t>((wrap(z, s.frame.z) * s.frame.y + wrap(y, s.frame.y)) * s.frame.x + wrap(c, s.frame.x));
  };
  std::vector<double> r;
  for (int64_t z = 0; z < s.frame.z; ++z) {
    for (int64_t y = 0; y < s.frame.y; ++y) {
      for (int64_t c = 0; c < s.frame.x; ++c) {
        double model = s.background;
        for (int64_t i = 0; i < 27; ++i) {
          const int64_t dz = i / 9 - 1, dy = i / 3 % 3 - 1, dx = i % 3 - 1;
          model += s.psf[static_cast<size_t>(i)] / sum * x[at(z - dz, y - dy, c - dx)];
        }
        r.push_back((raw[at(z, y, c)] - model) / std::sqrt(model));
      }
    }
  }
  return r;
}

TEST_F(Tile, TheResidualIsAnOutputWhereAskedForAndItsStatisticsAlwaysThere) {
  Setting s;
  s.boundary = v1::PERIODIC;
  s.psf = Skewed();
  s.background = 10;
  const std::vector<float> raw = Picture(s.frame);
  MemoryTask plain, task;
  Fill(s, raw, plain);
  Fill(s, raw, task);
  task.AddOutput("volumes/residual", v1::F32, {0, 0, s.core});
  task.task.mutable_tile()->mutable_spec()->set_residual(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult without, Run(plain));
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<float> both = FromBytes<float>(task.output);
  const auto half = static_cast<std::ptrdiff_t>(raw.size());
  ASSERT_EQ(both.size(), 2 * raw.size());
  const std::vector<float> x(both.begin(), both.begin() + half), r(both.begin() + half, both.end());
  EXPECT_EQ(FromBytes<float>(plain.output), x);
  const std::vector<double> expected = NormalisedResidual(s, raw, x);
  double sum = 0, squares = 0;
  for (size_t i = 0; i < r.size(); ++i) {
    ASSERT_NEAR(r[i], expected[i], 1e-3) << i;
    sum += expected[i];
    squares += expected[i] * expected[i];
  }
  const v1::QualityStatistics& quality = result.tile().statistics().quality();
  EXPECT_EQ(quality.voxels(), raw.size());
  EXPECT_NEAR(quality.residual_sum(), sum, 0.1);
  EXPECT_NEAR(quality.residual_squares(), squares, 1e-3 * squares);
  EXPECT_EQ(quality.SerializeAsString(), without.tile().statistics().quality().SerializeAsString());
}

// Of planes 0 to 12 of the result every third was measured, 0 and 12 of those that are looked at. Each has 8 blocks.
TEST_F(Tile, FlatRegionsAreLookedForInWhatWasMeasured) {
  for (const bool masked : {false, true}) {
    Setting s;
    s.frame = {5, 16, 33};
    s.core = s.loaded = {{}, {13, 16, 33}};
    s.parameters["axial_upsample"] = "3";
    std::vector<float> raw(static_cast<size_t>(s.frame.voxels()));
    for (size_t i = 0; i < raw.size(); ++i) raw[i] = i % 33 % 2 == 0 ? 100 : 110;  // no noise is whiter
    MemoryTask task;
    Fill(s, raw, task);
    if (masked) {
      std::vector<uint8_t> mask(raw.size(), 1);
      for (size_t i = 0; i < mask.size(); ++i) mask[i] = i % 33 == 15 ? 0 : 1;
      task.AddInput("volumes/mask", {1, 1, s.frame.z, s.frame.y, s.frame.x}, v1::U8, testing::AsBytes(mask));
      task.task.mutable_tile()->mutable_spec()->set_mask_volume("volumes/mask");
    }
    ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
    EXPECT_EQ(result.tile().statistics().quality().flat_voxels(), (masked ? 6U : 8U) * 2 * 64);
  }
}

TEST_P(EveryBoundary, TheResidualVanishesWhereTheResultExplainsTheImage) {
  Setting s;
  s.boundary = GetParam();
  s.core = {{1, 2, 3}, {3, 4, 5}};
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const v1::QualityStatistics& quality = result.tile().statistics().quality();
  EXPECT_EQ(quality.voxels(), 60U);
  EXPECT_EQ(quality.neighbours(), 48U);
  EXPECT_EQ(quality.neighbours_y(), 45U);
  EXPECT_EQ(quality.neighbours_z(), 40U);
  EXPECT_LT(quality.residual_squares(), 1e-6);
}

TEST_F(Tile, ABlankFrameHasAResidualButNoStatistics) {
  Setting s;
  s.background = 4;
  const std::vector<float> raw(static_cast<size_t>(s.frame.voxels()), 0);
  MemoryTask task;
  Fill(s, raw, task);
  task.AddOutput("volumes/residual", v1::F32, {0, 0, s.core});
  task.task.mutable_tile()->mutable_spec()->set_residual(true);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  const std::vector<float> both = FromBytes<float>(task.output);
  ASSERT_EQ(both.size(), 2 * raw.size());
  for (size_t i = 0; i < both.size(); ++i) ASSERT_EQ(both[i], i < raw.size() ? 0 : -2) << i;
  EXPECT_FALSE(result.tile().statistics().has_quality());
}

TEST_F(Tile, TheObjectiveGoesToWhoListensAndIntoTheResult) {
  Setting s;
  s.parameters["objective"] = "0";
  MemoryTask silent;
  Fill(s, Picture(s.frame), silent);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult without, Run(silent));
  EXPECT_EQ(without.tile().objective_size(), 0);
  EXPECT_TRUE(silent.objective.empty());
  s.psf = Skewed();
  s.parameters["objective"] = "1";
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  ASSERT_EQ(result.tile().objective_size(), 3);
  ASSERT_EQ(task.objective.size(), 3U);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(result.tile().objective(i).iteration(), static_cast<uint32_t>(i + 1));
    EXPECT_EQ(result.tile().objective(i).SerializeAsString(),
              task.objective[static_cast<size_t>(i)].SerializeAsString());
    EXPECT_GT(result.tile().objective(i).data_squares(), result.tile().objective(i).residual_squares());
    EXPECT_GT(result.tile().objective(i).residual_squares(), 0);
  }
  EXPECT_LT(task.objective[2].value(), task.objective[0].value());
}

// Each depth has an objective of its own, which is not the task's.
TEST_F(Tile, OfSeveralDepthsNobodyHearsAnObjective) {
  Setting s;
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  task.task.mutable_inputs(0)->mutable_spec()->mutable_voxel_size()->set_z_um(1);
  v1::TileTask& tile = *task.task.mutable_tile();
  for (const double depth_um : {0.0, 5.0}) tile.mutable_spec()->add_psf_depths_um(depth_um);
  *tile.add_psfs() = tile.psfs(0);
  ASSERT_OK_AND_ASSIGN(const v1::TaskResult result, Run(task));
  EXPECT_EQ(task.progress.back(), (std::pair<int64_t, int64_t>{6, 6}));
  EXPECT_EQ(result.tile().objective_size(), 0);
  EXPECT_TRUE(task.objective.empty());
}

TEST_F(Tile, ReportsIterations) {
  Setting s;
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  ASSERT_OK(Run(task));
  EXPECT_EQ(task.progress, (std::vector<std::pair<int64_t, int64_t>>{{1, 3}, {2, 3}, {3, 3}}));
}

TEST_F(Tile, StopsAtOnceWhenToldSo) {
  Setting s;
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  task.fail_at = 2;
  EXPECT_TRUE(absl::IsCancelled(Run(task).status()));
  EXPECT_EQ(task.progress.size(), 2U);
  EXPECT_TRUE(task.output.empty());
}

TEST_F(Tile, NaNInTheInputIsSaidWithItsPlace) {
  Setting s;
  s.core = {{2, 3, 4}, {2, 4, 3}};
  s.loaded = {{1, 2, 2}, {4, 6, 7}};
  std::vector<float> raw = Picture(s.frame);
  raw[static_cast<size_t>((3 * 9 + 5) * 10 + 8)] = NAN;
  MemoryTask task;
  Fill(s, raw, task);
  task.task.mutable_tile()->mutable_frames(0)->set_mean(100);
  const absl::Status status = Run(task).status();
  EXPECT_EQ(ReasonOf(status), v1::NOT_FINITE_INPUT);
  EXPECT_THAT(std::string(status.message()), HasSubstr("t=0 c=0 z=3 y=5 x=8"));
}

TEST_F(Tile, ABlankFrameIsFine) {
  Setting s;
  const std::vector<float> raw(static_cast<size_t>(s.frame.voxels()), 0);
  EXPECT_EQ(Estimate(s, raw), raw);
}

// Darker than the background everywhere: zeros may be right.
TEST_F(Tile, LightBelowTheBackgroundIsFine) {
  Setting s;
  s.background = 1000;
  EXPECT_OK(Failure(s, Picture(s.frame)));
}

TEST_F(Tile, ANewPsfReplacesTheOneThatWasKept) {
  Setting s;
  const std::vector<float> raw = Picture(s.frame);
  const std::vector<float> first = Estimate(s, raw);
  s.psf = Skewed();
  const std::vector<float> second = Estimate(s, raw);
  EXPECT_NE(first, second);
  s.psf = Delta();
  EXPECT_EQ(Estimate(s, raw), first);
}

TEST_F(Tile, ThePsfIsReadOnceForManyTiles) {
  Setting s;
  MemoryTask first, second;
  Fill(s, Picture(s.frame), first);
  Fill(s, Picture(s.frame), second);
  ASSERT_OK(Run(first));
  ASSERT_OK(Run(second));
  EXPECT_EQ(second.reads, first.reads - 1);
  EXPECT_EQ(first.output, second.output);
}

TEST_F(Tile, RefusesWhatItDoesNotKnow) {
  Setting s;
  const std::vector<float> raw = Picture(s.frame);
  MemoryTask task;
  Fill(s, raw, task);
  task.task.mutable_tile()->mutable_spec()->set_method("magic");
  EXPECT_EQ(ReasonOf(Run(task).status()), v1::UNKNOWN_METHOD);
  s.parameters["iterations"] = "0";
  EXPECT_EQ(ReasonOf(Failure(s, raw)), v1::PARAMETER_OUT_OF_RANGE);
  s.parameters["iterations"] = "1";
  MemoryTask odd;
  Fill(s, raw, odd);
  *odd.task.mutable_tile()->mutable_padded() = ToProto(Shape3{4, 4, 4});
  EXPECT_EQ(ReasonOf(Run(odd).status()), v1::INVALID_FIELD);
}

absl::Status RunDamaged(const testing::Damage& damage, double background) {
  testing::DamagedBackend backend(damage);
  TilePipeline pipeline(backend);
  Setting s;
  s.background = background;
  MemoryTask task;
  Fill(s, Picture(s.frame), task);
  return pipeline.Run(task.task, task).status();
}

TEST(TileOutput, NaNAndInfinityAreNeverSuccess) {
  for (const float bad : {NAN, INFINITY, -INFINITY}) {
    const absl::Status status = RunDamaged([bad](std::span<float> v) { v[3] = bad; }, 0);
    EXPECT_EQ(ReasonOf(status), v1::BAD_OUTPUT);
    EXPECT_THAT(std::string(status.message()), HasSubstr("NaN or infinite"));
  }
}

TEST(TileOutput, ZerosAreSuccessOnlyWithoutLight) {
  const auto zeros = [](std::span<float> v) { std::fill(v.begin(), v.end(), 0.0F); };
  EXPECT_EQ(ReasonOf(RunDamaged(zeros, 0)), v1::BAD_OUTPUT);
  EXPECT_OK(RunDamaged(zeros, 1000));
}

}  // namespace
}  // namespace deconvoy::worker
