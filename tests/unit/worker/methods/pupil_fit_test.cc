#include "worker/methods/pupil_fit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "tests/support/correlation.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/support/crop.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/specimen.h"
#include "worker/methods/registry.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr Shape3 kFrame{24, 56, 56}, kBox{25, 25, 25}, kDomain{48, 80, 80};
constexpr Box3 kInner{{12, 12, 12}, kFrame};
constexpr double kBackground = 2;

// A water objective in the wide field; scalar light, which is computed in a fifth of the time.
KnownOptics Objective(std::vector<ZernikeTerm> zernike = {}) {
  KnownOptics optics{.microscope = {.model = LightModel::kScalar, .emission = {}},
                     .z_um = 0.2,
                     .y_um = 0.1,
                     .x_um = 0.1,
                     .threads = 2};
  Optics& emission = optics.microscope.emission;
  emission.na = 1.2;
  emission.wavelength_um = 0.52;
  emission.ri_immersion = emission.ri_immersion_design = emission.ri_sample = 1.33;
  for (ZernikeTerm term : zernike) {
    term.rms_um *= emission.wavelength_um;  // given in waves
    emission.zernike.push_back(term);
  }
  return optics;
}

PreparedPsf PsfOf(const KnownOptics& optics) {
  return {PupilModel(optics, kBox, {}).At({}), kBox, {kBox.z / 2, kBox.y / 2, kBox.x / 2}};
}

class Silent final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    if (iteration.objective) objective.push_back(iteration.objective->value());
    return absl::OkStatus();
  }
  std::vector<double> objective;
};

// A specimen that goes on beyond the frame, seen through a pupil.
class Scene {
 public:
  Scene(const KnownOptics& optics, double peak, uint64_t seed) {
    const std::vector<float> whole = DrawSpecimen({.shape = kDomain, .kind = v1::MIXED, .seed = seed});
    const PreparedPsf psf = PsfOf(optics);
    const auto otf = ops->MakeOtf(psf.values, psf.shape, psf.centre).value();
    const auto field = ops->Allocate({{}, kDomain}).value();
    EXPECT_OK(ops->Upload(whole, field->box(), *field));
    EXPECT_OK(
        ops->Convolve({otf.get(), /*adjoint=*/false, Identity{field.get()}, Store{.output = field.get(), .floor = 0}}));
    truth = testing::Cropped(whole, kDomain, kInner);
    std::vector<float> image(whole.size());
    EXPECT_OK(ops->Download(*field, field->box(), image));
    image = testing::Cropped(image, kDomain, kInner);
    const auto scale = static_cast<float>(peak / *std::max_element(image.begin(), image.end()));
    for (float& value : image) value *= scale;
    std::vector<float> photons(image.size());
    Expose({.background_photons = kBackground, .type = v1::F32, .seed = seed}, image, 0,
           std::as_writable_bytes(std::span(photons)));
    EXPECT_OK(ops->Upload(photons, y->box(), *y));
    problem = {.ops = ops.get(),
               .measured = y.get(),
               .boundary = v1::EXTEND,
               .background = static_cast<float>(kBackground),
               .mean = static_cast<float>(std::accumulate(photons.begin(), photons.end(), 0.0) /
                                          static_cast<double>(photons.size()))};
  }

  absl::StatusOr<EstimatedPsf> Estimate(const KnownOptics* optics, std::map<std::string, std::string> parameters,
                                        Monitor& monitor) {
    Problem known = problem;
    known.optics = optics;
    const Method& method = *FindMethod("blind-rl");
    return method.EstimatePsf(known, PsfOf(Objective()), ResolveParameters(method.description(), parameters).value(),
                              monitor);
  }

  double QualityWith(const PreparedPsf& psf) {
    const auto otf = ops->MakeOtf(psf.values, psf.shape, psf.centre).value();
    Problem known = problem;
    known.otf = otf.get();
    known.psf = MeasurePsf(psf.values, psf.shape, psf.centre);
    Silent silent;
    const Method& method = *FindMethod("blind-rl");
    const auto x = method.Run(known, ResolveParameters(method.description(), {}).value(), silent).value();
    std::vector<float> values(static_cast<size_t>(kFrame.voxels()));
    EXPECT_OK(ops->Download(*x, {{}, kFrame}, values));
    return deconvoy::testing::Correlation(values, truth);
  }

  std::unique_ptr<Backend> backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops = backend->Open(kDomain).value();
  std::unique_ptr<Array> y = ops->Allocate({{}, kFrame}).value();
  std::vector<float> truth;
  Problem problem;
};

std::map<int, double> ByMode(const std::vector<PupilMode>& modes) {
  std::map<int, double> waves;
  for (const PupilMode& mode : modes) waves[mode.noll] = mode.waves;
  return waves;
}

TEST(FittedModes, BeginWithAstigmatism) {
  EXPECT_THAT(FittedModes(8), ElementsAre(5, 6, 7, 8));
  EXPECT_THAT(FittedModes(0), IsEmpty());
}

// Spherical aberration and coma, which the given optics do not have.
TEST(PupilFit, FindsTheAberrationsOfAnImage) {
  const KnownOptics given = Objective();
  for (const uint64_t seed : {2, 3}) {
    const KnownOptics truth = Objective({{11, 0.08}, {8, 0.05}});
    Scene scene(truth, 600, seed);
    Silent monitor;
    ASSERT_OK_AND_ASSIGN(const EstimatedPsf found, scene.Estimate(&given, {{"zernike", "11"}}, monitor));
    const std::map<int, double> waves = ByMode(found.pupil);
    SCOPED_TRACE("seed " + std::to_string(seed));
    ASSERT_EQ(waves.size(), 7U);
    for (const auto& [noll, strength] : waves) {
      const double expected = noll == 11 ? 0.08 : noll == 8 ? 0.05 : 0;
      EXPECT_NEAR(strength, expected, expected > 0 ? 0.2 * expected : 0.008) << noll;
      RecordProperty("seed_" + std::to_string(seed) + "_mode_" + std::to_string(noll), std::to_string(strength));
    }
    const double with_given = scene.QualityWith(PsfOf(given)), with_found = scene.QualityWith(found.psf),
                 with_truth = scene.QualityWith(PsfOf(truth));
    RecordProperty("seed_" + std::to_string(seed) + "_ncc",
                   std::to_string(with_given) + " " + std::to_string(with_found) + " " + std::to_string(with_truth));
    EXPECT_GT(with_found, with_given + 0.8 * (with_truth - with_given));
    ASSERT_EQ(monitor.objective.size(), 30U);
    EXPECT_LT(monitor.objective.back(), 0.8 * monitor.objective.front());
  }
}

TEST(PupilFit, LeavesOpticsThatAreRightAsTheyAre) {
  const KnownOptics given = Objective({{11, 0.06}});
  Scene scene(given, 600, 4);
  Silent monitor;
  ASSERT_OK_AND_ASSIGN(const EstimatedPsf found,
                       scene.Estimate(&given, {{"zernike", "11"}, {"rounds", "12"}}, monitor));
  for (const PupilMode& mode : found.pupil) EXPECT_NEAR(mode.waves, mode.noll == 11 ? 0.06 : 0, 0.012) << mode.noll;
}

TEST(PupilFit, GivesThePsfOfThePupilThatItTells) {
  const KnownOptics given = Objective();
  Scene scene(Objective({{7, 0.06}}), 300, 5);
  Silent monitor;
  ASSERT_OK_AND_ASSIGN(const EstimatedPsf found, scene.Estimate(&given, {{"zernike", "15"}, {"rounds", "2"}}, monitor));
  std::vector<double> waves;
  for (const PupilMode& mode : found.pupil) waves.push_back(mode.waves);
  ASSERT_EQ(waves.size(), 11U);
  EXPECT_GT(waves[2], 0.01) << "coma has not moved";
  EXPECT_EQ(found.psf.values, PupilModel(given, kBox, FittedModes(15)).At(waves));
  EXPECT_NEAR(std::accumulate(found.psf.values.begin(), found.psf.values.end(), 0.0), 1, 1e-4);
}

TEST(PupilFit, NeedsOptics) {
  Scene scene(Objective(), 300, 6);
  Silent monitor;
  EXPECT_EQ(ReasonOf(scene.Estimate(nullptr, {{"zernike", "11"}}, monitor).status()), v1::INVALID_FIELD);
}

TEST(PupilFit, TakesNoConditionsOfAFreePsf) {
  const Method& method = *FindMethod("blind-rl");
  const auto review = [&](const std::map<std::string, std::string>& given) {
    return method.Review(ResolveParameters(method.description(), given).value(), {}).status();
  };
  EXPECT_OK(review({{"zernike", "11"}}));
  EXPECT_OK(review({{"support", "0.1"}, {"symmetry", "none"}}));
  EXPECT_EQ(ReasonOf(review({{"zernike", "11"}, {"support", "0.1"}})), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(review({{"zernike", "11"}, {"symmetry", "none"}})), v1::INVALID_FIELD);
}

TEST(PupilFit, TakesSixTransformsForEachMode) {
  const KnownOptics given = Objective();
  Scene scene(Objective(), 300, 7);
  const auto transforms = [&](const std::string& last) {
    Silent monitor;
    const int64_t before = scene.ops->transforms();
    EXPECT_OK(scene.Estimate(&given, {{"zernike", last}, {"rounds", "1"}, {"image_steps", "1"}}, monitor).status());
    return scene.ops->transforms() - before;
  };
  EXPECT_EQ(transforms("11") - transforms("none"), 6 * 7);
  EXPECT_EQ(transforms("15") - transforms("11"), 6 * 4);
}

}  // namespace
}  // namespace deconvoy::worker
