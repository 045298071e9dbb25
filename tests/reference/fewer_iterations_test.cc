// How soon the accelerated and unmatched iterations arrive, on simulated stacks whose truth is known. Iterations are
// counted, never timed.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "tests/reference/engine.h"
#include "tests/support/test_support.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/specimen.h"

namespace deconvoy::reference {
namespace {

using Parameters = std::map<std::string, std::string>;

// --- A light sheet ---

constexpr double kPeak = 400;
constexpr Shape3 kFrame{48, 96, 96}, kPsf{27, 11, 11};

struct Stack {
  Volume image;
  Volume truth;
  Psf psf;
  v1::Boundary boundary;
  double background;
};

// Sigma 4, 1.4, 1.4 voxels.
worker::GaussianPsf LightSheetPsf() {
  constexpr double kFwhm = 2.354820045;
  v1::VoxelSize voxel, fwhm;
  voxel.set_z_um(1);
  voxel.set_y_um(1);
  voxel.set_x_um(1);
  fwhm.set_z_um(4 * kFwhm);
  fwhm.set_y_um(1.4 * kFwhm);
  fwhm.set_x_um(1.4 * kFwhm);
  return worker::MakeGaussianPsf(fwhm, voxel, kPsf);
}

Volume Middle(const std::vector<float>& values, const Shape3& shape) {
  Volume middle(kFrame.z, kFrame.y, kFrame.x);
  const Voxel origin{(shape.z - kFrame.z) / 2, (shape.y - kFrame.y) / 2, (shape.x - kFrame.x) / 2};
  for (int64_t z = 0; z < kFrame.z; ++z)
    for (int64_t y = 0; y < kFrame.y; ++y)
      for (int64_t x = 0; x < kFrame.x; ++x) {
        const int64_t row = (z + origin.z) * shape.y + y + origin.y;
        middle.at(z, y, x) = values[static_cast<size_t>(row * shape.x + x + origin.x)];
      }
  return middle;
}

// Where the specimen is.
enum class Surroundings {
  kItself,   // it repeats itself; the boundary is PERIODIC
  kNothing,  // it fills the frame but for half the PSF's extent on every side; EXTEND
  kMore,     // it goes on beyond the frame as far as the PSF reaches; EXTEND
};

// Truth of extent `shape`.
std::vector<float> Specimen(const Shape3& shape, Surroundings surroundings, uint64_t seed) {
  if (surroundings != Surroundings::kNothing) return worker::DrawSpecimen({.shape = shape, .seed = seed});
  const Shape3 inner{shape.z - kPsf.z, shape.y - kPsf.y, shape.x - kPsf.x};
  const std::vector<float> drawn = worker::DrawSpecimen({.shape = inner, .seed = seed});
  std::vector<float> truth(static_cast<size_t>(shape.voxels()));
  const Box3 place{{kPsf.z / 2, kPsf.y / 2, kPsf.x / 2}, inner};
  CopyBox(std::as_bytes(std::span(drawn)).data(), place, std::as_writable_bytes(std::span(truth)).data(), {{}, shape},
          sizeof(float));
  return truth;
}

Stack LightSheet(Surroundings surroundings, double background, uint64_t seed) {
  const worker::GaussianPsf psf = LightSheetPsf();
  const bool periodic = surroundings == Surroundings::kItself;
  const Shape3 shape = surroundings == Surroundings::kMore
                           ? Shape3{kFrame.z + kPsf.z - 1, kFrame.y + kPsf.y - 1, kFrame.x + kPsf.x - 1}
                           : kFrame;
  std::vector<float> truth = Specimen(shape, surroundings, seed);
  std::vector<float> photons = truth;
  worker::Blur(psf, shape, periodic, 2, photons);
  const float scale = static_cast<float>(kPeak) / *std::max_element(photons.begin(), photons.end());
  for (float& v : photons) v *= scale;
  for (float& v : truth) v *= scale;
  std::vector<float> counts(photons.size());
  const worker::Camera camera{.scale = {}, .background_photons = background, .type = v1::F32, .seed = seed};
  worker::Expose(camera, photons, 0, std::as_writable_bytes(std::span(counts)));
  Stack stack{Middle(counts, shape), Middle(truth, shape), {}, periodic ? v1::PERIODIC : v1::EXTEND, background};
  const std::vector<float> values = psf.Values();
  stack.psf = {.h = Volume(kPsf.z, kPsf.y, kPsf.x), .cz = kPsf.z / 2, .cy = kPsf.y / 2, .cx = kPsf.x / 2};
  stack.psf.h.values.assign(values.begin(), values.end());
  return stack;
}

double Correlation(const Volume& a, const Volume& b) {
  const double mean_a = MeanOf(a), mean_b = MeanOf(b);
  double ab = 0;
  for (size_t i = 0; i < a.values.size(); ++i) ab += (a.values[i] - mean_a) * (b.values[i] - mean_b);
  return ab / static_cast<double>(a.size()) / std::sqrt(VarianceOf(a) * VarianceOf(b));
}

absl::StatusOr<Volume> Deconvolved(const Stack& stack, const Parameters& parameters) {
  const Shape3 padded{kFrame.z + kPsf.z - 1, kFrame.y + kPsf.y - 1, kFrame.x + kPsf.x + 1};
  return RunRl({.y = stack.image,
                .domain = stack.boundary == v1::EXTEND ? padded : kFrame,
                .origin = {},
                .psf = stack.psf,
                .parameters = parameters,
                .boundary = stack.boundary,
                .background = stack.background,
                .variance = VarianceOf(stack.image)});
}

// What was found, over three specimens.
struct Outcome {
  double plain = 0;  // mean correlation with the truth after 30 plain iterations
  double six = 0;    // after 6 with wiener-butterworth and heavy-ball
  // The largest deviation of the light from the truth's: after those 30, those 6, and two more matched steps.
  double plain_light = 0, six_light = 0, more_light = 0;
};

class LightSheetTest : public ::testing::Test {
 protected:
  static const char* Name(Surroundings surroundings) {
    return surroundings == Surroundings::kItself    ? "itself"
           : surroundings == Surroundings::kNothing ? "nothing"
                                                    : "more";
  }
  static Volume Run(const Stack& stack, const Parameters& parameters) {
    const auto result = Deconvolved(stack, parameters);
    EXPECT_OK(result);
    return *result;
  }
  Outcome Compare(Surroundings surroundings, const std::string& initial, double background) {
    Outcome outcome;
    for (const uint64_t seed : {1, 2, 3}) {
      const Stack stack = LightSheet(surroundings, background, seed);
      const auto butterworth = [&](const char* iterations, const char* matched_steps) {
        return Parameters{{"iterations", iterations},
                          {"initial", initial},
                          {"back_projector", "wiener-butterworth"},
                          {"matched_steps", matched_steps}};
      };
      const Volume after_plain = Run(stack, {{"iterations", "30"}, {"acceleration", "none"}});
      const Volume after_six = Run(stack, butterworth("6", "-1"));
      outcome.plain += Correlation(after_plain, stack.truth) / 3;
      outcome.six += Correlation(after_six, stack.truth) / 3;
      const auto light = [&](const Volume& x) { return std::abs(MeanOf(x) / MeanOf(stack.truth) - 1); };
      outcome.plain_light = std::max(outcome.plain_light, light(after_plain));
      outcome.six_light = std::max(outcome.six_light, light(after_six));
      outcome.more_light = std::max(outcome.more_light, light(Run(stack, butterworth("8", "3"))));
    }
    RecordProperty(fmt::format("{}_{}_{}", Name(surroundings), initial, background),
                   fmt::format("plain {:.4f} six {:.4f}; light off by {:.4f}, {:.4f}, {:.4f}", outcome.plain,
                               outcome.six, outcome.plain_light, outcome.six_light, outcome.more_light));
    return outcome;
  }
};

TEST_F(LightSheetTest, SixIterationsAreAsGoodAsThirtyPlainOnes) {
  for (const Surroundings surroundings : {Surroundings::kItself, Surroundings::kNothing}) {
    for (const char* initial : {"image", "wiener"}) {
      const Outcome dark = Compare(surroundings, initial, 0);
      EXPECT_GE(dark.six, dark.plain) << initial;
      EXPECT_LE(dark.six_light, 0.02) << initial;
      const Outcome lit = Compare(surroundings, initial, 5);
      EXPECT_GE(lit.six, lit.plain) << initial;
      // One matched step leaves some of the light that positivity has put into the dark; more leave less.
      EXPECT_LE(lit.six_light, 0.1) << initial;
      EXPECT_LT(lit.more_light, lit.six_light) << initial;
    }
  }
}

TEST_F(LightSheetTest, AlsoWhereLightComesFromOutside) {
  for (const char* initial : {"image", "wiener"}) {
    const Outcome lit = Compare(Surroundings::kMore, initial, 5);
    EXPECT_GE(lit.six, lit.plain) << initial;
    EXPECT_LE(lit.six_light, 0.06) << initial;
    // Without background, plain iterations are the better ones by a little.
    const Outcome dark = Compare(Surroundings::kMore, initial, 0);
    EXPECT_GE(dark.six, dark.plain - 0.01) << initial;
    EXPECT_LE(dark.six_light, 0.03) << initial;
  }
}

// --- A wide-field microscope ---

absl::StatusOr<Volume> ReadStack(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(const auto reader, imageio::OpenImage(path));
  const v1::VolumeSpec& spec = reader->spec();
  Volume volume(spec.shape().z(), spec.shape().y(), spec.shape().x());
  std::vector<float> plane(static_cast<size_t>(volume.ny * volume.nx));
  std::vector<std::byte> raw(plane.size() * static_cast<size_t>(BytesPerVoxel(spec.type())));
  for (int64_t z = 0; z < volume.nz; ++z) {
    RETURN_IF_ERROR(reader->ReadPlane(0, 0, z, raw));
    worker::ToFloat(raw, spec.type(), plane);
    std::copy(plane.begin(), plane.end(), volume.values.begin() + z * volume.ny * volume.nx);
  }
  return volume;
}

TEST(WideFieldTest, TwentyEightAcceleratedIterationsAreAsGoodAsAHundredPlainOnes) {
  const std::filesystem::path folder = testing::SharedData() / "dvbars";
  SKIP_WITHOUT(folder / "raw_g15.tif");
  ASSERT_OK_AND_ASSIGN(const Volume image, ReadStack(folder / "raw_g15.tif"));
  Psf psf;
  ASSERT_OK_AND_ASSIGN(psf.h, ReadStack(folder / "psf.tif"));
  psf.cz = psf.h.nz / 2;
  psf.cy = psf.h.ny / 2;
  psf.cx = psf.h.nx / 2;
  const auto objectives = [&](const char* acceleration, const char* iterations) {
    Objectives monitor;
    EXPECT_OK(RunRl({.y = image,
                     .domain = {image.nz, image.ny, image.nx},
                     .origin = {},
                     .psf = psf,
                     .parameters = {{"iterations", iterations}, {"acceleration", acceleration}, {"objective", "1"}},
                     .boundary = v1::PERIODIC,
                     .background = 41,
                     .monitor = &monitor}));
    return monitor.values;
  };
  // The objective of an iteration is that of the point that it starts from: one more tells what 100 have reached.
  const std::vector<double> plain = objectives("none", "101");
  for (const char* acceleration : {"heavy-ball", "biggs-andrews"}) {
    const std::vector<double> sooner = objectives(acceleration, "40");
    const auto arrived = std::find_if(sooner.begin(), sooner.end(), [&](double d) { return d <= plain.back(); });
    const auto iterations = arrived - sooner.begin();
    RecordProperty(acceleration, std::to_string(iterations));
    EXPECT_LE(iterations, 28) << acceleration;
  }
}

}  // namespace
}  // namespace deconvoy::reference
