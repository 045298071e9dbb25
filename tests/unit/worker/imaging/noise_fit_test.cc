#include "worker/imaging/noise_fit.h"

#include <gtest/gtest.h>

#include <cmath>
#include <span>
#include <string>

#include "tests/unit/worker/imaging/planted.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using testing::BlurredSpecimen;
using testing::Recorded;

constexpr Shape3 kShape{24, 320, 320};
constexpr auto kPlane = static_cast<size_t>(320 * 320);

std::span<const float> PlaneOf(const std::vector<float>& counts, size_t z) {
  return std::span(counts).subspan(z * kPlane, kPlane);
}

Camera SomeCamera(double gain, double read_noise, uint64_t seed) {
  return {.scale = {.offset_counts = 100, .gain = gain, .read_noise = read_noise},
          .background_photons = 8,
          .type = v1::U16,
          .seed = seed};
}

void ExpectGain(const std::optional<NoiseEstimate>& found, double gain, double read_noise, double relative) {
  ASSERT_TRUE(found.has_value());
  EXPECT_NEAR(found->gain, gain, relative * gain) << "+- " << found->gain_error;
  EXPECT_NEAR(found->read_noise, read_noise, relative * read_noise) << "gain " << found->gain;
}

struct Case {
  double gain, read_noise, peak;
  v1::SpecimenKind kind;
};

class NoiseFitTest : public ::testing::TestWithParam<Case> {
 protected:
  // Errors in per cent.
  void Record(uint64_t seed, const std::optional<NoiseEstimate>& found) {
    if (!found) return;
    const auto off = [](double value, double truth) { return std::to_string(100 * (value / truth - 1)); };
    RecordProperty("seed" + std::to_string(seed), "gain " + off(found->gain, GetParam().gain) + ", read noise " +
                                                      off(found->read_noise, GetParam().read_noise));
  }
};

TEST_P(NoiseFitTest, PairsTellGainAndReadNoise) {
  const Case& c = GetParam();
  for (const uint64_t seed : {1, 2, 3}) {
    const std::vector<float> photons = BlurredSpecimen(kShape, seed, c.peak, c.kind);
    const std::vector<float> first = Recorded(SomeCamera(c.gain, c.read_noise, 10 * seed), photons),
                             second = Recorded(SomeCamera(c.gain, c.read_noise, 10 * seed + 1), photons);
    NoiseFit fit({.offset_counts = 100});
    for (size_t z = 0; z < 24; ++z) fit.AddPair(PlaneOf(first, z), PlaneOf(second, z), kShape.x);
    Record(seed, fit.Finish());
    ExpectGain(fit.Finish(), c.gain, c.read_noise, 0.05);
  }
}

TEST_P(NoiseFitTest, NeighbouringPlanesDoAsWell) {
  const Case& c = GetParam();
  for (const uint64_t seed : {4, 5, 6}) {
    const std::vector<float> counts =
        Recorded(SomeCamera(c.gain, c.read_noise, seed), BlurredSpecimen(kShape, seed, c.peak, c.kind));
    NoiseFit fit({.offset_counts = 100});
    for (size_t z = 0; z + 1 < 24; ++z) fit.AddPair(PlaneOf(counts, z), PlaneOf(counts, z + 1), kShape.x);
    Record(seed, fit.Finish());
    ExpectGain(fit.Finish(), c.gain, c.read_noise, 0.1);
  }
}

INSTANTIATE_TEST_SUITE_P(Cameras, NoiseFitTest,
                         ::testing::Values(Case{0.5, 2, 300, v1::MIXED}, Case{1, 3, 300, v1::NUCLEI},
                                           Case{2.2, 6, 2000, v1::FILAMENTS}, Case{0.25, 1.5, 100, v1::MIXED}));

TEST(NoiseFitTest, FloatsAreNotRounded) {
  NoiseFit fit({.offset_counts = 0, .whole_counts = false});
  std::vector<float> plane(kPlane);
  for (size_t i = 0; i < plane.size(); ++i) {
    Random random(i);
    const double mean = 5 + static_cast<double>(i % 320);
    plane[i] = static_cast<float>((random.Poisson(mean) + 4 * random.Normal()) / 3);
  }
  fit.AddPlane(plane, 320);
  ExpectGain(fit.Finish(), 3, 4, 0.1);
}

TEST(NoiseFitTest, ANoiseThatEndsAboveTheOffsetIsSeen) {
  const std::vector<float> counts = Recorded(SomeCamera(0.5, 0, 7), BlurredSpecimen(kShape, 7, 300));
  NoiseFit fit({.offset_counts = 0});
  for (size_t z = 0; z + 1 < 24; ++z) fit.AddPair(PlaneOf(counts, z), PlaneOf(counts, z + 1), kShape.x);
  const auto found = fit.Finish();
  ASSERT_TRUE(found.has_value());
  EXPECT_LT(found->dark_variance, -4 * found->dark_error);
  EXPECT_NEAR(found->noiseless_counts, 100, 5);
  EXPECT_EQ(found->read_noise, 0);
}

TEST(NoiseFitTest, AnEvenOrADarkImageTellsNothing) {
  NoiseFit even({}), dark({}), small({});
  std::vector<float> plane(kPlane), nothing(kPlane);
  for (size_t i = 0; i < plane.size(); ++i) plane[i] = static_cast<float>(Random(i).Poisson(50));
  for (int i = 0; i < 8; ++i) even.AddPlane(plane, 320);
  dark.AddPlane(nothing, 320);
  small.AddPlane(std::span(plane).first(64), 8);
  EXPECT_FALSE(even.Finish().has_value());
  EXPECT_FALSE(dark.Finish().has_value());
  EXPECT_FALSE(small.Finish().has_value());
}

TEST(NoiseFitTest, SaturatedBlocksAreLeftOut) {
  const std::vector<float> photons = BlurredSpecimen(kShape, 8, 300);
  std::vector<float> counts = Recorded(SomeCamera(1, 2, 8), photons);
  for (float& v : counts) v = std::min(v, 250.0F);
  NoiseFit fit({.offset_counts = 100, .saturated_counts = 250});
  for (size_t z = 0; z + 1 < 24; ++z) fit.AddPair(PlaneOf(counts, z), PlaneOf(counts, z + 1), kShape.x);
  ExpectGain(fit.Finish(), 1, 2, 0.1);
}

// As of a volume that was rotated or put together.
TEST(NoiseFitTest, RegionsThatWereFilledInTellNothing) {
  for (const float filling : {0.0F, 100.0F, 65'535.0F}) {
    const Shape3 shape{4, 192, 192};
    std::vector<float> counts = Recorded(SomeCamera(2, 2, 9), BlurredSpecimen(shape, 9, 300));
    for (size_t i = 0; i < counts.size(); ++i) {
      if (i % 192 < 19) counts[i] = filling;
    }
    NoiseFit fit({.offset_counts = 100});
    const auto plane = [&](size_t z) { return std::span(counts).subspan(z * 192 * 192, 192 * 192); };
    for (size_t z = 0; z + 1 < 4; ++z) fit.AddPair(plane(z), plane(z + 1), shape.x);
    const auto found = fit.Finish();
    ASSERT_TRUE(found.has_value()) << filling;
    EXPECT_NEAR(found->gain, 2, 0.2) << filling << ": +- " << found->gain_error;
  }
}

}  // namespace
}  // namespace deconvoy::worker
