#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <string>
#include <vector>

#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

constexpr Shape3 kStack{40, 120, 120};
constexpr Shape3 kBox{15, 17, 17};
constexpr double kWidths[] = {2.2, 1.5, 1.5};  // z, y, x

struct Place {
  double z, y, x;
};

// Beads on a background of 100 with Poisson noise.
class BeadStack {
 public:
  BeadStack() : values_(static_cast<size_t>(kStack.voxels()), 100) {}

  void Add(const Place& at, double height, double wider = 1) {
    for (int64_t z = 0; z < kStack.z; ++z) {
      for (int64_t y = 0; y < kStack.y; ++y) {
        for (int64_t x = 0; x < kStack.x; ++x) {
          const auto along = [wider](double d, double width) { return d * d / (2 * width * width * wider * wider); };
          const double away = along(static_cast<double>(z) - at.z, kWidths[0]) +
                              along(static_cast<double>(y) - at.y, kWidths[1]) +
                              along(static_cast<double>(x) - at.x, kWidths[2]);
          if (away < 30) values_[static_cast<size_t>((z * kStack.y + y) * kStack.x + x)] += height * std::exp(-away);
        }
      }
    }
  }

  std::vector<float> Recorded(double most = 1e9) const {
    std::mt19937_64 random(1);
    std::vector<float> recorded;
    for (const double v : values_) {
      recorded.push_back(
          static_cast<float>(std::min(static_cast<double>(std::poisson_distribution<int>(v)(random)), most)));
    }
    return recorded;
  }

 private:
  std::vector<double> values_;
};

FoundBeads Find(const std::vector<float>& values, float saturation = 0) {
  return FindBeads(values, kStack, {.box = kBox, .saturation = saturation});
}

DistilledPsf Average(const std::vector<float>& values, FoundBeads& found, BeadMean mean = BeadMean::kTrimmed) {
  std::vector<BeadPatch> patches;
  for (size_t i = 0; i < found.beads.size(); ++i) {
    if (!found.beads[i].rejected.empty()) continue;
    BeadPatch& patch = patches.emplace_back(CutPatch(values, kStack, kBox, found.beads[i].peak));
    patch.bead = i;
    patch.background = found.background;
  }
  return AverageBeads(patches, kBox, mean, found.beads);
}

const Bead& Nearest(const FoundBeads& found, const Place& place) {
  return *std::min_element(found.beads.begin(), found.beads.end(), [&](const Bead& a, const Bead& b) {
    const auto away = [&](const Bead& bead) {
      return std::hypot(static_cast<double>(bead.peak.z) - place.z, static_cast<double>(bead.peak.y) - place.y,
                        static_cast<double>(bead.peak.x) - place.x);
    };
    return away(a) < away(b);
  });
}

TEST(FindBeads, MeasuresBackgroundAndNoise) {
  BeadStack stack;
  stack.Add({20, 60, 60}, 2000);
  const FoundBeads found = Find(stack.Recorded());
  EXPECT_NEAR(found.background, 100, 1);
  EXPECT_NEAR(found.noise, 10, 1);
  ASSERT_EQ(found.beads.size(), 1U);
  EXPECT_EQ(found.beads[0].peak, (Voxel{20, 60, 60}));
  EXPECT_EQ(found.beads[0].rejected, "");
}

TEST(FindBeads, NoiseAloneHasNone) {
  EXPECT_THAT(Find(BeadStack().Recorded()).beads, IsEmpty());
}

TEST(FindBeads, SaysWhyABeadDoesNotServe) {
  BeadStack stack;
  const Place good{20, 30, 30}, cut{20, 60, 4}, one{20, 90, 30}, two{22, 90, 36}, dim{20, 30, 90}, bright{20, 90, 90};
  stack.Add(good, 1500);
  stack.Add(cut, 1500);
  stack.Add(one, 1500);
  stack.Add(two, 700);
  stack.Add(dim, 120);
  stack.Add(bright, 4000);
  const FoundBeads found = Find(stack.Recorded(2000), 2000);
  EXPECT_EQ(Nearest(found, good).rejected, "");
  EXPECT_EQ(Nearest(found, cut).rejected, "cut by an end of the stack");
  EXPECT_THAT(Nearest(found, one).rejected, StartsWith("in a clump: another bead at 22,90,36"));
  EXPECT_THAT(Nearest(found, two).rejected, StartsWith("in a clump"));
  EXPECT_THAT(Nearest(found, dim).rejected, StartsWith("too dim"));
  EXPECT_THAT(Nearest(found, bright).rejected, HasSubstr("saturated in"));
}

// Of a row through the middle, by linear interpolation.
double Fwhm(const std::vector<float>& psf, int64_t stride, int64_t extent) {
  const auto middle = static_cast<int64_t>(psf.size()) / 2;
  const auto value = [&](int64_t i) { return static_cast<double>(psf[static_cast<size_t>(middle + i * stride)]); };
  double width = 0;
  for (const int64_t direction : {-1, 1}) {
    for (int64_t i = 1; i <= extent / 2; ++i) {
      const double above = value(direction * (i - 1)), below = value(direction * i);
      if (below > value(0) / 2) continue;
      width += static_cast<double>(i) - (value(0) / 2 - below) / (above - below);
      break;
    }
  }
  return width;
}

TEST(AverageBeads, BeadsBetweenVoxelsGiveTheirCommonShape) {
  BeadStack stack;
  stack.Add({20.3, 30.4, 30.1}, 3000);
  stack.Add({19.6, 30.2, 90.7}, 2500);
  stack.Add({20.5, 90.5, 30.5}, 2000);
  stack.Add({20.1, 89.7, 89.8}, 3500);
  stack.Add({20.8, 60.3, 60.6}, 3000);
  const std::vector<float> values = stack.Recorded();
  FoundBeads found = Find(values);
  ASSERT_EQ(found.beads.size(), 5U);
  const DistilledPsf psf = Average(values, found);
  ASSERT_EQ(psf.values.size(), static_cast<size_t>(kBox.voxels()));
  EXPECT_EQ(std::max_element(psf.values.begin(), psf.values.end()) - psf.values.begin(), kBox.voxels() / 2);
  const double to_fwhm = 2 * std::sqrt(2 * std::log(2.0));
  EXPECT_NEAR(Fwhm(psf.values, kBox.y * kBox.x, kBox.z), kWidths[0] * to_fwhm, 0.04 * kWidths[0] * to_fwhm);
  EXPECT_NEAR(Fwhm(psf.values, kBox.x, kBox.y), kWidths[1] * to_fwhm, 0.04 * kWidths[1] * to_fwhm);
  EXPECT_NEAR(Fwhm(psf.values, 1, kBox.x), kWidths[2] * to_fwhm, 0.04 * kWidths[2] * to_fwhm);
  double sum = 0;
  for (const float v : psf.values) sum += static_cast<double>(v);
  EXPECT_NEAR(sum, 1, 0.01);
  for (const BeadFit& fit : psf.fits) {
    EXPECT_GT(fit.correlation, 0.99);
    EXPECT_GT(fit.residual, 0.005);
    EXPECT_LT(fit.residual, 0.1);
  }
  // Of five beads of about 3000 counts over noise of 10.
  EXPECT_NEAR(psf.snr, 2800 / (10 / std::sqrt(5.0)), 250);
}

TEST(AverageBeads, OneUnlikeTheOthersIsLeftOut) {
  BeadStack stack;
  for (const auto& [y, x] : {std::pair{30, 30}, {30, 90}, {90, 30}, {90, 90}}) {
    stack.Add({20, static_cast<double>(y), static_cast<double>(x)}, 3000);
  }
  stack.Add({20, 60, 60}, 3000, 2.2);
  const std::vector<float> values = stack.Recorded();
  FoundBeads found = Find(values);
  ASSERT_EQ(found.beads.size(), 5U);
  const DistilledPsf psf = Average(values, found);
  EXPECT_THAT(Nearest(found, {20, 60, 60}).rejected, StartsWith("unlike the others"));
  EXPECT_EQ(Nearest(found, {20, 30, 30}).rejected, "");
  const double to_fwhm = 2 * std::sqrt(2 * std::log(2.0));
  EXPECT_NEAR(Fwhm(psf.values, 1, kBox.x), kWidths[2] * to_fwhm, 0.04 * kWidths[2] * to_fwhm);
}

TEST(AverageBeads, TheMedianIsDeafToOneBeadWithANeighbour) {
  BeadStack stack;
  for (const auto& [y, x] : {std::pair{30, 30}, {30, 90}, {90, 30}}) {
    stack.Add({20, static_cast<double>(y), static_cast<double>(x)}, 3000);
  }
  stack.Add({24, 90, 34}, 400);  // too dim to count as a clump
  const std::vector<float> values = stack.Recorded();
  FoundBeads found = Find(values);
  found.beads.resize(3);
  for (Bead& bead : found.beads) bead.rejected.clear();
  const std::vector<float> median = Average(values, found, BeadMean::kMedian).values;
  const std::vector<float> mean = Average(values, found, BeadMean::kPlain).values;
  const size_t neighbour = static_cast<size_t>(((7 + 4) * kBox.y + 8) * kBox.x + 8 + 4);
  const float peak = *std::max_element(mean.begin(), mean.end());
  EXPECT_GT(mean[neighbour], 0.03F * peak);
  EXPECT_LT(std::abs(median[neighbour]), 0.015F * peak);
}

TEST(FindBeads, LooksForAWidthOnAnUnevenBackground) {
  BeadStack stack;
  const Place bead{20, 60, 40};
  stack.Add(bead, 300);
  stack.Add({20, 60, 90}, 60, 12);  // what is much wider is no bead
  const std::vector<float> values = stack.Recorded();
  // How many are found within the wide one.
  const auto wide = [&](double search_fwhm) {
    const FoundBeads found = FindBeads(values, kStack, {.box = kBox, .search_fwhm = search_fwhm});
    EXPECT_TRUE(std::any_of(found.beads.begin(), found.beads.end(), [](const Bead& found_bead) {
      return found_bead.peak == Voxel{20, 60, 40};
    }));
    return std::count_if(found.beads.begin(), found.beads.end(),
                         [](const Bead& found_bead) { return std::abs(found_bead.peak.x - 90) < 12; });
  };
  EXPECT_GT(wide(0), wide(3.5));
}

TEST(AverageBeads, WithoutBeadsThereIsNoPsf) {
  std::vector<Bead> beads;
  EXPECT_THAT(AverageBeads({}, kBox, BeadMean::kTrimmed, beads).values, IsEmpty());
}

}  // namespace
}  // namespace deconvoy::worker
