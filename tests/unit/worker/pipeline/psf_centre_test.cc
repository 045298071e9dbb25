// The same image with a PSF whose light lies elsewhere in its file: from analysis to result.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "proto/contract/tile_plan.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/pipeline/analyse.h"
#include "worker/pipeline/tile.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using ::testing::HasSubstr;
using testing::MemoryTask;

constexpr Shape3 kFrame{13, 40, 44}, kPsf{9, 21, 25};
constexpr Voxel kMiddle{4, 10, 12}, kShift{0, 3, -5};

// A spot that is longer on one side, about `centre`, added to `values`. Nothing of it reaches 5 voxels.
void AddSpot(double height, const Shape3& shape, const Voxel& centre, std::vector<float>& values) {
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    const Voxel d = Voxel{i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x} - centre;
    if (std::max({std::abs(d.z), std::abs(d.y), std::abs(d.x)}) > 4) continue;
    const auto z = static_cast<double>(d.z), y = static_cast<double>(d.y), x = static_cast<double>(d.x);
    const double away = z * z / 3 + y * y / (d.y > 0 ? 4 : 2) + x * x / 2;
    values[static_cast<size_t>(i)] += static_cast<float>(height * std::exp(-away / 2));
  }
}

std::vector<float> Psf(const Voxel& centre) {
  std::vector<float> values(static_cast<size_t>(kPsf.voxels()));
  AddSpot(1, kPsf, centre, values);
  return values;
}

// Two points and an even background.
std::vector<float> Image() {
  std::vector<float> values(static_cast<size_t>(kFrame.voxels()), 2.0F);
  AddSpot(1000, kFrame, {6, 20, 20}, values);
  AddSpot(500, kFrame, {7, 24, 29}, values);
  return values;
}

struct Outcome {
  std::vector<float> result;
  v1::AnalyseResult analysis;

  Voxel Brightest() const {
    const auto i = std::max_element(result.begin(), result.end()) - result.begin();
    return {i / (kFrame.y * kFrame.x), i / kFrame.x % kFrame.y, i % kFrame.x};
  }
  std::string Messages(v1::Severity severity) const {
    std::string text;
    for (const v1::Finding& finding : analysis.findings()) {
      if (finding.severity() == severity) text += finding.message() + "\n";
    }
    return text;
  }
};

void AddInputs(const std::vector<float>& psf, MemoryTask& task) {
  task.AddInput("volumes/in", {1, 1, kFrame.z, kFrame.y, kFrame.x}, Image());
  task.AddInput("volumes/psf", {1, 1, kPsf.z, kPsf.y, kPsf.x}, psf);
}

// By an analysis and one tile, as a job does it.
Outcome Deconvolved(const std::vector<float>& psf, v1::PsfCentre rule) {
  MemoryTask analysing, computing;
  AddInputs(psf, analysing);
  AddInputs(psf, computing);
  v1::DeconvolveSpec spec;
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  (*spec.mutable_parameters())["iterations"] = "15";
  spec.set_boundary(v1::EXTEND);
  spec.set_background_counts(2);
  spec.set_psf_centre(rule);
  *analysing.task.mutable_analyse()->mutable_spec() = spec;
  Outcome outcome;
  const absl::StatusOr<v1::TaskResult> analysed = RunAnalyse(analysing.task, /*threads=*/2, analysing);
  EXPECT_OK(analysed.status());
  if (!analysed.ok()) return outcome;
  outcome.analysis = analysed->analyse();
  const Box3 whole{{}, kFrame};
  computing.AddOutput("volumes/out", v1::F32, {0, 0, whole});
  v1::TileTask& tile = *computing.task.mutable_tile();
  *tile.mutable_spec() = spec;
  tile.set_psf_volume(spec.psf_volume());
  *tile.mutable_core() = ToProto(FrameBox{0, 0, whole});
  *tile.mutable_loaded() = tile.core();
  *tile.mutable_padded() = ToProto(PaddedShape(kFrame, ToShape3(outcome.analysis.psfs(0).crop_shape()), v1::EXTEND));
  *tile.mutable_psfs() = outcome.analysis.psfs();
  *tile.mutable_frames() = outcome.analysis.frames();
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  TilePipeline pipeline(*backend);
  EXPECT_OK(pipeline.Run(computing.task, computing).status());
  outcome.result = FromBytes<float>(computing.output);
  return outcome;
}

TEST(PsfCentre, ByItsCentroidAShiftedPsfGivesTheSameResult) {
  const Outcome here = Deconvolved(Psf(kMiddle), v1::CENTROID);
  const Outcome there = Deconvolved(Psf(kMiddle + kShift), v1::CENTROID);
  ASSERT_EQ(here.result.size(), static_cast<size_t>(kFrame.voxels()));
  ASSERT_EQ(there.result.size(), here.result.size());
  const float most = *std::max_element(here.result.begin(), here.result.end());
  EXPECT_GT(most, 3000) << "nothing was deconvolved";
  for (size_t i = 0; i < here.result.size(); ++i) ASSERT_NEAR(there.result[i], here.result[i], 1e-5 * most) << i;
  EXPECT_THAT(there.Messages(v1::INFO), HasSubstr("by the rule `centroid`, 0,3,-5 voxels from the middle"));
  EXPECT_EQ(there.Messages(v1::WARNING), "");
}

TEST(PsfCentre, ByTheMiddleOfItsFileTheResultIsShiftedAndTheReportSaysSo) {
  const Outcome right = Deconvolved(Psf(kMiddle), v1::GEOMETRIC);
  const Outcome wrong = Deconvolved(Psf(kMiddle + kShift), v1::GEOMETRIC);
  ASSERT_FALSE(right.result.empty() || wrong.result.empty());
  EXPECT_EQ(wrong.Brightest(), right.Brightest() - kShift);
  EXPECT_THAT(wrong.Messages(v1::WARNING), HasSubstr("the result comes out shifted by 0,-3,5 voxels"));
  EXPECT_EQ(right.Messages(v1::WARNING), "");
}

}  // namespace
}  // namespace deconvoy::worker
