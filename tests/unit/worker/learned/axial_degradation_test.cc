// What networks on axial slices learn from: lateral slices, as blurred and coarse as axial ones.
#include "worker/learned/axial_degradation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <complex>
#include <numbers>
#include <numeric>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"
#include "worker/learned/examples.h"
#include "worker/learned/training.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

constexpr double kFurther = 1e-3;  // of the formula

// Gaussian, of deviations along z, y and x in voxels.
PreparedPsf Gaussian(const Shape3& shape, double z, double y, double x) {
  PreparedPsf psf{{}, shape, {shape.z / 2, shape.y / 2, shape.x / 2}};
  for (int64_t i = 0; i < shape.z; ++i) {
    for (int64_t j = 0; j < shape.y; ++j) {
      for (int64_t k = 0; k < shape.x; ++k) {
        const auto square = [](int64_t at, int64_t centre, double deviation) {
          return std::pow(static_cast<double>(at - centre) / deviation, 2);
        };
        const double r = square(i, psf.centre.z, z) + square(j, psf.centre.y, y) + square(k, psf.centre.x, x);
        psf.values.push_back(static_cast<float>(std::exp(-r / 2)));
      }
    }
  }
  const float sum = std::accumulate(psf.values.begin(), psf.values.end(), 0.0F);
  for (float& value : psf.values) value /= sum;
  return psf;
}

double Variance(const PreparedPsf& kernel, bool along_y) {
  double sum = 0;
  for (int64_t y = 0; y < kernel.shape.y; ++y) {
    for (int64_t x = 0; x < kernel.shape.x; ++x) {
      const auto far = static_cast<double>(along_y ? y - kernel.centre.y : x - kernel.centre.x);
      sum += far * far * kernel.values[static_cast<size_t>(y * kernel.shape.x + x)];
    }
  }
  return sum;
}

TEST(FurtherBlur, IsWhatAxialSlicesHaveMore) {
  // Variances of Gaussians add: what is missing along z is 1.6^2 - 0.9^2, and nothing is along x.
  const PreparedPsf psf = Gaussian({15, 9, 9}, 1.6, 0.9, 0.9);
  for (const LateralAxis axis : {LateralAxis::kY, LateralAxis::kX}) {
    ASSERT_OK_AND_ASSIGN(const PreparedPsf blur, FurtherBlur(psf, 1, axis));
    const bool along_y = axis == LateralAxis::kY;
    EXPECT_EQ(blur.shape, along_y ? (Shape3{1, 15, 9}) : (Shape3{1, 9, 15}));
    EXPECT_EQ(blur.centre, along_y ? (Voxel{0, 7, 4}) : (Voxel{0, 4, 7}));
    EXPECT_NEAR(std::accumulate(blur.values.begin(), blur.values.end(), 0.0), 1, 1e-5);
    EXPECT_NEAR(Variance(blur, along_y), 1.6 * 1.6 - 0.9 * 0.9, 0.1);
    EXPECT_NEAR(Variance(blur, !along_y), 0, 0.1);
  }
}

TEST(FurtherBlur, IsNoneOfARoundPsf) {
  ASSERT_OK_AND_ASSIGN(const PreparedPsf blur, FurtherBlur(Gaussian({9, 9, 9}, 0.8, 0.8, 0.8), 1, LateralAxis::kX));
  EXPECT_NEAR(Variance(blur, true), 0, 0.05);
  EXPECT_NEAR(Variance(blur, false), 0, 0.05);
}

TEST(FurtherBlur, CountsPlanesInLateralVoxels) {
  ASSERT_OK_AND_ASSIGN(const PreparedPsf blur, FurtherBlur(Gaussian({9, 9, 9}, 1.2, 1, 1), 2.5, LateralAxis::kY));
  EXPECT_EQ(blur.shape, (Shape3{1, 21, 9}));
  // 1.2 planes are 3 voxels; what is linear between planes is wider by a sixth of the squared distance of planes.
  EXPECT_NEAR(Variance(blur, true), 9 + 2.5 * 2.5 / 6 - 1, 0.5);
}

TEST(FurtherBlur, NeedsLightOnBothPlanes) {
  PreparedPsf psf = Gaussian({3, 3, 3}, 1, 1, 1);
  std::fill(psf.values.begin() + 9, psf.values.begin() + 18, 0.0F);
  EXPECT_EQ(ReasonOf(FurtherBlur(psf, 1, LateralAxis::kY).status()), v1::BAD_PSF);
}

TEST(PlaneStep, IsOneWhereVoxelsAreNotKnown) {
  EXPECT_NEAR(PlaneStep(std::vector<double>{0.3, 0.1, 0.15}, LateralAxis::kY), 3, 1e-12);
  EXPECT_NEAR(PlaneStep(std::vector<double>{0.3, 0.1, 0.15}, LateralAxis::kX), 2, 1e-12);
  EXPECT_EQ(PlaneStep(std::vector<double>{}, LateralAxis::kY), 1);
  EXPECT_EQ(PlaneStep(std::vector<double>{0, 0.1, 0.1}, LateralAxis::kY), 1);
  EXPECT_EQ(PlaneStep(std::vector<double>{0.3, 0, 0.1}, LateralAxis::kY), 1);
}

TEST(Subsampled, IsLinearBetweenLines) {
  std::vector<float> plane;  // 10 y^2 + x
  for (int y = 0; y < 6; ++y) {
    for (int x = 0; x < 4; ++x) plane.push_back(static_cast<float>(10 * y * y + x));
  }
  EXPECT_EQ(LinesOf(3, 1.5), 4);
  EXPECT_EQ(LinesOf(4, 1.5), 6);
  EXPECT_THAT(Subsampled(plane, {1, 6, 4}, {LateralAxis::kY, 1.5, {0, 1, 2}, 3, 2}),
              ::testing::ElementsAre(12, 13, (42 + 92) / 2.0F, (43 + 93) / 2.0F, 162, 163));
  EXPECT_THAT(Subsampled(plane, {1, 6, 4}, {LateralAxis::kX, 2, {0, 1, 1}, 2, 3}),
              ::testing::ElementsAre(11, 41, 91, 13, 43, 93));
}

// --- Examples. ---

Recipe Slices() {
  Recipe recipe;
  recipe.network = "isonet1";
  recipe.source = Source::kDegradation;
  recipe.psf = Gaussian({5, 5, 5}, 1.1, 0.8, 0.8);
  recipe.voxel_um = {0.2, 0.1, 0.1};
  recipe.patch = {8, 6, 15};
  recipe.seed = testing::Seed();
  return recipe;
}

GivenImage RandomImage(const Shape3& shape, double photons) {
  GivenImage given{shape, {}, {}};
  Random random(testing::Seed());
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    given.image.push_back(static_cast<float>(photons * random.Uniform(0.5, 1.5)));
  }
  return given;
}

// h or one of its planes, 0 outside, at places relative to its origin.
double At(const PreparedPsf& psf, int64_t z, int64_t y, int64_t x) {
  z += psf.centre.z, y += psf.centre.y, x += psf.centre.x;
  if (z < 0 || y < 0 || x < 0 || z >= psf.shape.z || y >= psf.shape.y || x >= psf.shape.x) return 0;
  return psf.values[static_cast<size_t>((z * psf.shape.y + y) * psf.shape.x + x)];
}

using Grid = std::vector<std::vector<double>>;

// q of the round PSF above for planes at every second line, along the rows, by its formula alone: sums over frequencies
// of sums over voxels.
Grid BlurByFormula(const PreparedPsf& psf) {
  constexpr int64_t kRows = 9, kColumns = 5;
  const auto axial = [&](int64_t v, int64_t u) {
    return v % 2 == 0 ? At(psf, v / 2, 0, u) : (At(psf, (v - 1) / 2, 0, u) + At(psf, (v + 1) / 2, 0, u)) / 2;
  };
  const auto spectrum = [&](const auto& h, int64_t i, int64_t j) {
    std::complex<double> sum = 0;
    double all = 0;
    for (int64_t v = -4; v <= 4; ++v) {
      for (int64_t u = -2; u <= 2; ++u) {
        const double turn = static_cast<double>(v * i) / kRows + static_cast<double>(u * j) / kColumns;
        sum += h(v, u) * std::polar(1.0, -2 * std::numbers::pi * turn);
        all += h(v, u);
      }
    }
    return sum / all;
  };
  Grid blur(kRows, std::vector<double>(kColumns));
  for (int64_t i = 0; i < kRows; ++i) {
    for (int64_t j = 0; j < kColumns; ++j) {
      const auto a = spectrum(axial, i, j);
      const auto l = spectrum([&](int64_t v, int64_t u) { return At(psf, 0, v, u); }, i, j);
      std::complex<double> q = a * std::conj(l) / (std::norm(l) + kFurther) * (1 + kFurther);
      if (std::abs(q) > 1) q /= std::abs(q);
      for (int64_t v = -4; v <= 4; ++v) {
        for (int64_t u = -2; u <= 2; ++u) {
          const double turn = static_cast<double>(v * i) / kRows + static_cast<double>(u * j) / kColumns;
          blur[static_cast<size_t>(v + 4)][static_cast<size_t>(u + 2)] +=
              (q * std::polar(1.0, 2 * std::numbers::pi * turn)).real() / (kRows * kColumns);
        }
      }
    }
  }
  return blur;
}

// q * g of a plane with n x n voxels at a voxel, of the light that there is.
double Degraded(const Grid& blur, const std::vector<float>& plane, int64_t n, int64_t along, int64_t across,
                bool along_y) {
  double sum = 0, reach = 0;
  for (int64_t v = -4; v <= 4; ++v) {
    for (int64_t u = -2; u <= 2; ++u) {
      const int64_t a = along - v, b = across - u;
      if (a < 0 || b < 0 || a >= n || b >= n) continue;
      const double weight = blur[static_cast<size_t>(v + 4)][static_cast<size_t>(u + 2)];
      sum += weight * plane[static_cast<size_t>(along_y ? a * n + b : b * n + a)];
      reach += weight;
    }
  }
  return sum / reach;
}

class SliceExamples : public ::testing::Test {
 protected:
  std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
};

// Compares the examples of images of one plane that holds a slice in either direction, and no more, with the formula.
struct Compared {
  double farthest = 0;  // of values over the formula's, from 1
  double noise = 0;     // mean square of the difference over the formula's value
  int64_t along_y = 0, along_x = 0;
};

Compared CompareWithFormula(double photons, Backend& backend) {
  constexpr int64_t kExtent = 15;
  Recipe recipe = Slices();
  recipe.images = {RandomImage({1, kExtent, kExtent}, photons)};
  EXPECT_OK(CheckRecipe(recipe));
  const std::vector<float>& plane = recipe.images[0].image;
  const Grid blur = BlurByFormula(recipe.psf);
  Examples examples(recipe, backend);
  Compared compared;
  int64_t values = 0;
  for (int64_t number = 0; number < 4; ++number) {
    const auto example = examples.Training(number);
    EXPECT_OK(example);
    if (!example.ok()) return compared;
    for (int64_t row = 0; row < recipe.patch.y; ++row) {
      const auto index = [&](int64_t z, int64_t x) {
        return static_cast<size_t>((z * recipe.patch.y + row) * recipe.patch.x + x);
      };
      // The target is every second line or every second column as it is.
      const bool along_y = (*example)->target[index(1, 0)] == plane[2 * kExtent];
      ++(along_y ? compared.along_y : compared.along_x);
      for (int64_t z = 0; z < recipe.patch.z; ++z) {
        for (int64_t x = 0; x < recipe.patch.x; ++x) {
          const int64_t voxel = along_y ? 2 * z * kExtent + x : x * kExtent + 2 * z;
          EXPECT_EQ((*example)->target[index(z, x)], plane[static_cast<size_t>(voxel)]);
          const double expected = Degraded(blur, plane, kExtent, 2 * z, x, along_y);
          const double difference = (*example)->input[index(z, x)] - expected;
          compared.farthest = std::max(compared.farthest, std::abs(difference) / expected);
          compared.noise += difference * difference / expected;
          ++values;
        }
      }
    }
  }
  compared.noise /= static_cast<double>(values);
  return compared;
}

TEST_F(SliceExamples, AreAsTheFormulaSays) {
  const Compared compared = CompareWithFormula(1e9, *backend_);  // with hardly any noise
  EXPECT_LT(compared.farthest, 1e-3);
  EXPECT_GT(compared.along_y, 0);
  EXPECT_GT(compared.along_x, 0);
}

TEST_F(SliceExamples, HaveTheNoiseOfTheirPhotons) {
  const Compared compared = CompareWithFormula(50, *backend_);
  EXPECT_GT(compared.noise, 0.85);
  EXPECT_LT(compared.noise, 1.15);
}

TEST_F(SliceExamples, OfTheValidationAreOnOtherPlanes) {
  Recipe recipe = Slices();
  GivenImage given{{16, 20, 20}, {}, {}};  // planes as bright as their number
  for (int64_t i = 0; i < given.shape.voxels(); ++i) given.image.push_back(static_cast<float>(i / 400));
  recipe.images = {given};
  Examples examples(recipe, *backend_);
  for (int64_t number = 0; number < 8; ++number) {
    ASSERT_OK_AND_ASSIGN(const Example* learned, examples.Training(number));
    EXPECT_LT(*std::max_element(learned->target.begin(), learned->target.end()), 14);
    ASSERT_OK_AND_ASSIGN(const Example* looked_at, examples.Validation(number));
    EXPECT_GE(*std::min_element(looked_at->target.begin(), looked_at->target.end()), 14);
  }
}

TEST_F(SliceExamples, AreDrawnWhereNoImageIsGiven) {
  Recipe recipe = Slices();
  recipe.background = 5;
  Examples examples(recipe, *backend_);
  ASSERT_OK_AND_ASSIGN(const Example* example, examples.Training(0));
  ASSERT_EQ(static_cast<int64_t>(example->input.size()), recipe.patch.voxels());
  ASSERT_EQ(example->target.size(), example->input.size());
  EXPECT_NE(example->input, example->target);
  EXPECT_GT(*std::max_element(example->target.begin(), example->target.end()), 5);
}

TEST_F(SliceExamples, NeedPlanesThatHoldTheSlices) {
  Recipe recipe = Slices();
  EXPECT_TRUE(DegradesSlices(recipe));
  recipe.images = {RandomImage({3, 15, 15}, 10)};
  EXPECT_OK(CheckRecipe(recipe));
  recipe.images = {RandomImage({20, 20, 14}, 10)};
  const absl::Status status = CheckRecipe(recipe);
  EXPECT_EQ(InfoOf(status).field(), "train_model.input_volumes[0]");
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("1 x 15 x 15"));
}

TEST_F(SliceExamples, AreRefusedWherePlanesLieTooFarApart) {
  Recipe recipe = Slices();
  recipe.voxel_um = {1.6, 0.1, 0.1};
  EXPECT_OK(CheckRecipe(recipe));
  recipe.voxel_um = {0.2, 0.1, 0.01};
  EXPECT_EQ(InfoOf(CheckRecipe(recipe)).field(), "train_model.voxel_size");
  recipe.voxel_um = {1.6, 0.1, 0.1};
  recipe.patch.z = 64;
  EXPECT_EQ(InfoOf(CheckRecipe(recipe)).field(), "train_model.patch");
}

// A network that is not on axial slices undoes one more H in all directions.
TEST_F(SliceExamples, AreNotThoseOfOtherNetworks) {
  Recipe recipe = Slices();
  recipe.network = "rln";
  recipe.patch = {8, 8, 10};
  recipe.images = {RandomImage(recipe.patch, 100)};
  EXPECT_FALSE(DegradesSlices(recipe));
  ASSERT_OK(CheckRecipe(recipe));
  Examples examples(recipe, *backend_);
  ASSERT_OK_AND_ASSIGN(const Example* example, examples.Training(0));
  const std::vector<float>& image = recipe.images[0].image;
  EXPECT_EQ(example->target, image);
  const Shape3& shape = recipe.patch;
  for (int64_t i = 0; i < shape.voxels(); ++i) {
    const Voxel at{i / (shape.y * shape.x), i / shape.x % shape.y, i % shape.x};
    double sum = 0, reach = 0;
    for (int64_t j = 0; j < shape.voxels(); ++j) {
      const Voxel far = at - Voxel{j / (shape.y * shape.x), j / shape.x % shape.y, j % shape.x};
      const double weight = At(recipe.psf, far.z, far.y, far.x);
      sum += weight * image[static_cast<size_t>(j)];
      reach += weight;
    }
    ASSERT_NEAR(example->input[static_cast<size_t>(i)], sum / reach, 1e-2) << i;
  }
}

}  // namespace
}  // namespace deconvoy::worker::learned
