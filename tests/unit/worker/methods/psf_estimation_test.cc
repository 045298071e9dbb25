#include "worker/methods/psf_estimation.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <numeric>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/tile_plan.h"
#include "tests/support/correlation.h"
#include "tests/unit/worker/methods/blurred_scene.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "worker/methods/registry.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

using testing::BlurredScene;
using testing::Guess;

class Listening final : public Monitor {
 public:
  explicit Listening(int64_t stop_after = 1 << 30) : stop_after_(stop_after) {}
  absl::Status Iterated(const Iteration& iteration) override {
    EXPECT_EQ(iteration.done, ++done);
    total = iteration.total;
    if (iteration.objective) rounds.push_back(*iteration.objective);
    return done == stop_after_ ? absl::CancelledError("enough") : absl::OkStatus();
  }
  int64_t done = 0, total = 0;
  std::vector<v1::ObjectiveValue> rounds;

 private:
  int64_t stop_after_;
};

const Method& BlindRichardsonLucy() {
  return *FindMethod("blind-rl");
}

absl::StatusOr<EstimatedPsf> Estimate(const BlurredScene& scene, PreparedPsf guess,
                                      const std::map<std::string, std::string>& given, Monitor& monitor) {
  const Method& method = BlindRichardsonLucy();
  return method.EstimatePsf(scene.problem, std::move(guess), ResolveParameters(method.description(), given).value(),
                            monitor);
}

PreparedPsf Estimated(const BlurredScene& scene, const PreparedPsf& guess,
                      const std::map<std::string, std::string>& given = {}) {
  Listening monitor;
  auto psf = Estimate(scene, guess, given, monitor);
  EXPECT_OK(psf.status());
  return psf.ok() ? std::move(psf->psf) : guess;
}

// Correlation with the truth of what the method's iterations make of the image with this PSF.
double QualityWith(const BlurredScene& scene, const PreparedPsf& psf) {
  const auto otf = scene.ops->MakeOtf(psf.values, psf.shape, psf.centre);
  EXPECT_OK(otf.status());
  Problem problem = scene.problem;
  problem.otf = otf->get();
  problem.psf = MeasurePsf(psf.values, psf.shape, psf.centre);
  Listening monitor;
  const Method& method = BlindRichardsonLucy();
  const auto x = method.Run(problem, ResolveParameters(method.description(), {}).value(), monitor);
  EXPECT_OK(x.status());
  return deconvoy::testing::Correlation(scene.Values(**x), scene.truth);
}

std::array<double, 3> WidthsOf(const PreparedPsf& psf) {
  const PsfFacts facts = MeasurePsf(psf.values, psf.shape, psf.centre);
  return {facts.axes[0].fwhm, facts.axes[1].fwhm, facts.axes[2].fwhm};
}

double At(const PreparedPsf& psf, const Voxel& v) {
  return psf.values[static_cast<size_t>((v.z * psf.shape.y + v.y) * psf.shape.x + v.x)];
}

TEST(PsfEstimation, FindsAPsfThatWasGivenTooWide) {
  for (const uint64_t seed : {1, 2, 3, 4}) {
    for (const double peak : {150.0, 600.0}) {
      const BlurredScene scene(seed, peak);
      const PreparedPsf truth = Guess(1), wide = Guess(1.3), found = Estimated(scene, wide);
      const auto expected = WidthsOf(truth), widths = WidthsOf(found);
      SCOPED_TRACE("seed " + std::to_string(seed) + ", photons " + std::to_string(peak));
      for (size_t axis = 0; axis < 3; ++axis) EXPECT_NEAR(widths[axis], expected[axis], 0.1 * expected[axis]);
      const double with_wide = QualityWith(scene, wide), with_found = QualityWith(scene, found);
      EXPECT_GT(with_found, with_wide);
      EXPECT_LT(with_found, QualityWith(scene, truth) + 0.01);
      RecordProperty("seed_" + std::to_string(seed) + "_" + std::to_string(static_cast<int>(peak)),
                     std::to_string(widths[0]) + " " + std::to_string(widths[1]) + " " + std::to_string(with_wide) +
                         " " + std::to_string(with_found));
    }
  }
}

TEST(PsfEstimation, KeepsSumSignSupportAndSymmetry) {
  const BlurredScene scene(5, 300);
  PreparedPsf guess = Guess(1.3);
  const double peak = *std::max_element(guess.values.begin(), guess.values.end());
  guess.values[0] = 0;
  for (const std::string symmetry : {"none", "axial", "lateral", "both"}) {
    for (const double support : {0.0, 0.05}) {
      SCOPED_TRACE(symmetry + ", support " + std::to_string(support));
      const PreparedPsf found =
          Estimated(scene, guess, {{"rounds", "3"}, {"symmetry", symmetry}, {"support", std::to_string(support)}});
      ASSERT_EQ(found.shape, guess.shape);
      EXPECT_EQ(found.centre, guess.centre);
      EXPECT_NEAR(std::accumulate(found.values.begin(), found.values.end(), 0.0), 1, 1e-5);
      EXPECT_GE(*std::min_element(found.values.begin(), found.values.end()), 0);
      int64_t outside = 0;
      for (size_t i = 0; i < found.values.size(); ++i) {
        if (guess.values[i] > support * peak) continue;
        EXPECT_EQ(found.values[i], 0) << i;
        ++outside;
      }
      EXPECT_GE(outside, support > 0 ? 100 : 1);
      double axial = 0, lateral = 0;
      const Voxel c = found.centre;
      for (const Voxel& d : {Voxel{1, 1, 2}, {2, 0, 1}, {1, 2, 0}, {3, 1, 1}}) {
        axial += std::abs(At(found, c + d) - At(found, c + Voxel{-d.z, d.y, d.x}));
        lateral += std::abs(At(found, c + d) - At(found, c + Voxel{d.z, -d.y, d.x})) +
                   std::abs(At(found, c + d) - At(found, c + Voxel{d.z, d.y, -d.x}));
      }
      const auto expect = [](bool symmetric, double difference) {
        if (symmetric) {
          EXPECT_LT(difference, 1e-7);
        } else {
          EXPECT_GT(difference, 1e-5);
        }
      };
      expect(symmetry == "axial" || symmetry == "both", axial);
      expect(symmetry == "lateral" || symmetry == "both", lateral);
    }
  }
}

TEST(PsfEstimation, TellsEveryStepAndTheObjectiveOfEveryRound) {
  const BlurredScene scene(6, 300);
  Listening monitor;
  ASSERT_OK(Estimate(scene, Guess(1.3), {{"rounds", "6"}, {"image_steps", "4"}, {"psf_steps", "2"}}, monitor));
  EXPECT_EQ(monitor.done, 36);
  EXPECT_EQ(monitor.total, 36);
  ASSERT_EQ(monitor.rounds.size(), 6U);
  for (size_t round = 0; round < 6; ++round) {
    const v1::ObjectiveValue& told = monitor.rounds[round];
    EXPECT_EQ(told.iteration(), round + 1);
    EXPECT_EQ(told.data_squares(), monitor.rounds[0].data_squares());
    EXPECT_GT(told.data_squares(), told.residual_squares());
    EXPECT_GT(told.residual_squares(), 0);
    EXPECT_LT(told.value(), round > 0 ? monitor.rounds[round - 1].value() : told.data_squares());
  }
}

TEST(PsfEstimation, StopsWhenTheMonitorSaysSo) {
  const BlurredScene scene(6, 300);
  for (const int64_t step : {3, 6}) {  // in x, in h
    Listening monitor(step);
    EXPECT_EQ(Estimate(scene, Guess(1.3), {{"image_steps", "4"}, {"psf_steps", "2"}}, monitor).status().code(),
              absl::StatusCode::kCancelled);
    EXPECT_EQ(monitor.done, step);
  }
}

TEST(PsfEstimation, SaysSoWhereNothingIsLeft) {
  const BlurredScene scene(6, 300);
  PreparedPsf guess = Guess(1.3);
  std::fill(guess.values.begin(), guess.values.end(), 0.0F);
  guess.values[1] = 1;  // its mirror image is dark
  Listening monitor;
  EXPECT_EQ(ReasonOf(Estimate(scene, guess, {}, monitor).status()), v1::BAD_PSF);
}

TEST(PsfEstimation, TakesAsManyTransformsAsItSays) {
  const BlurredScene scene(6, 300);
  const auto transforms = [&](int64_t rounds, int64_t image_steps, int64_t psf_steps) {
    Listening monitor;
    const int64_t before = scene.ops->transforms();
    EXPECT_OK(EstimatePsfOf(scene.problem, Guess(1.3),
                            {.rounds = rounds, .image_steps = image_steps, .psf_steps = psf_steps}, monitor)
                  .status());
    return scene.ops->transforms() - before;
  };
  const int64_t base = transforms(1, 2, 2);
  EXPECT_EQ(transforms(1, 3, 2) - base, 4);
  EXPECT_EQ(transforms(1, 2, 3) - base, 5);
  EXPECT_EQ(transforms(2, 2, 2) - base, 5 + 2 * 4 + 2 * 5);
}

// The most that was resident since the last call.
int64_t PeakSinceLast() {
  std::ifstream status("/proc/self/status");
  int64_t kib = 0;
  for (std::string word; status >> word;) {
    if (word == "VmHWM:") status >> kib;
  }
  std::ofstream("/proc/self/clear_refs") << 5;
  return kib * 1024;
}

TEST(PsfEstimation, NeedsTheMemoryThatTheMethodDescribes) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "SKIPPED: a sanitizer's own memory would be counted";
#endif
  struct Case {
    Shape3 measured, psf, domain;
  };
  const Case cases[] = {{{64, 240, 240}, {9, 15, 15}, {72, 256, 256}},
                        {{40, 128, 128}, {41, 129, 129}, {80, 256, 256}}};
  const Method& method = BlindRichardsonLucy();
  KnownOptics optics{.microscope = {.model = LightModel::kScalar, .emission = {}},
                     .z_um = 0.3,
                     .y_um = 0.2,
                     .x_um = 0.2,
                     .threads = 2};
  optics.microscope.emission.na = 0.6;
  optics.microscope.emission.wavelength_um = 0.6;
  for (const auto& [c, zernike] : {std::pair(cases[0], "none"), {cases[1], "none"}, {cases[0], "11"}}) {
    SCOPED_TRACE(zernike);
    const Parameters parameters =
        ResolveParameters(method.description(),
                          {{"rounds", "1"}, {"image_steps", "1"}, {"psf_steps", "1"}, {"zernike", zernike}})
            .value();
    const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
    { ASSERT_OK(backend->Open(c.domain)); }  // planning is not part of the method
    PreparedPsf guess{
        std::vector<float>(static_cast<size_t>(c.psf.voxels()), 1.0F), c.psf, {c.psf.z / 2, c.psf.y / 2, c.psf.x / 2}};
    PeakSinceLast();
    const int64_t before = ResidentBytes();
    const auto ops = backend->Open(c.domain).value();
    const auto y = ops->Allocate({{}, c.measured}).value();
    ASSERT_OK(ops->Fill(*y, 10));
    Listening monitor;
    ASSERT_OK(method.EstimatePsf({.ops = ops.get(), .measured = y.get(), .mean = 10, .optics = &optics},
                                 std::move(guess), parameters, monitor));
    const int64_t allowed = TileBytes(MemoryOf(method.description(), parameters), c.domain, c.measured, c.psf);
    const int64_t peak = PeakSinceLast() - before;
    EXPECT_LE(peak, allowed) << c.psf.z;
    EXPECT_GE(peak, 16 * c.domain.voxels()) << c.psf.z << ": two OTFs, the estimate and its transform";
  }
}

}  // namespace
}  // namespace deconvoy::worker
