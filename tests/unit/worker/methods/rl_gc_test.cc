#include "worker/methods/rl_gc.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "tests/reference/engine.h"
#include "tests/reference/random_volume.h"
#include "tests/support/test_support.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {
namespace {

using reference::Psf;
using reference::Volume;

constexpr Shape3 kShape{8, 32, 32};

Psf Blur() {
  Psf psf{.h = Volume(5, 9, 9), .cz = 2, .cy = 4, .cx = 4};
  double sum = 0;
  for (int64_t z = 0; z < 5; ++z)
    for (int64_t y = 0; y < 9; ++y)
      for (int64_t x = 0; x < 9; ++x) {
        const auto square = [](int64_t d, double sigma) { return std::pow(static_cast<double>(d) / sigma, 2); };
        psf.h.at(z, y, x) = std::exp(-(square(z - 2, 1) + square(y - 4, 1.6) + square(x - 4, 1.6)) / 2);
        sum += psf.h.at(z, y, x);
      }
  for (double& v : psf.h.values) v /= sum;
  return psf;
}

// A dim haze with bright points.
Volume Truth(std::mt19937_64& random) {
  Volume truth(kShape.z, kShape.y, kShape.x, 10);
  for (int point = 0; point < 40; ++point) {
    truth.values[random() % truth.values.size()] += 2000;
  }
  return truth;
}

Volume Exposed(const Volume& blurred, std::mt19937_64& random) {
  Volume image = blurred;
  for (double& v : image.values) v = std::poisson_distribution<int>(std::max(v, 0.0))(random);
  return image;
}

absl::StatusOr<Volume> Solve(const std::string& method, const Volume& image, const Psf& psf,
                             const std::map<std::string, std::string>& parameters, Monitor* monitor = nullptr) {
  return reference::RunMethod(method, {.y = image,
                                       .domain = kShape,
                                       .origin = {},
                                       .psf = psf,
                                       .parameters = parameters,
                                       .boundary = v1::PERIODIC,
                                       .monitor = monitor});
}

class Objectives final : public Monitor {
 public:
  absl::Status Iterated(const Iteration& iteration) override {
    EXPECT_EQ(iteration.done, static_cast<int64_t>(values.size()) + 1);
    EXPECT_EQ(iteration.total, 12);
    values.push_back(iteration.objective ? iteration.objective->value() : std::nan(""));
    return stop_after == iteration.done ? absl::CancelledError("enough") : absl::OkStatus();
  }
  std::vector<double> values;
  int64_t stop_after = -1;
};

class RlGcTest : public ::testing::Test {
 protected:
  std::mt19937_64 random_{testing::Seed()};
  const Psf psf_ = Blur();
  const Volume truth_ = Truth(random_);
  const Volume image_ = Exposed(Convolve(truth_, psf_), random_);
};

TEST_F(RlGcTest, DescribesItself) {
  const v1::Method& d = FindMethod("rl-gc")->description();
  EXPECT_EQ(d.boundaries_size(), 2);
  EXPECT_EQ(d.transforms_per_iteration(), 8U);
  EXPECT_FALSE(ResolveParameters(d, {{"iterations", "0"}}).ok());
  EXPECT_FALSE(ResolveParameters(d, {{"seed", "-1"}}).ok());
}

TEST_F(RlGcTest, TellsItsDivergenceAndStopsWhenToldTo) {
  Objectives objectives;
  ASSERT_OK(Solve("rl-gc", image_, psf_, {{"iterations", "12"}, {"objective", "1"}}, &objectives));
  ASSERT_EQ(objectives.values.size(), 12U);
  EXPECT_LT(objectives.values.back(), objectives.values.front());
  Objectives stopping;
  stopping.stop_after = 3;
  const auto stopped = Solve("rl-gc", image_, psf_, {{"iterations", "12"}}, &stopping);
  EXPECT_EQ(stopped.status().code(), absl::StatusCode::kCancelled);
  EXPECT_EQ(stopping.values.size(), 3U);
}

TEST_F(RlGcTest, DependsOnTheSeedAlone) {
  const std::map<std::string, std::string> one = {{"iterations", "10"}, {"seed", "1"}};
  ASSERT_OK_AND_ASSIGN(const Volume first, Solve("rl-gc", image_, psf_, one));
  ASSERT_OK_AND_ASSIGN(const Volume again, Solve("rl-gc", image_, psf_, one));
  ASSERT_OK_AND_ASSIGN(const Volume other, Solve("rl-gc", image_, psf_, {{"iterations", "10"}, {"seed", "2"}}));
  EXPECT_EQ(first.values, again.values);
  EXPECT_NE(first.values, other.values);
}

// Plain iterations turn noise into spikes; where the halves do not agree nothing changes.
TEST_F(RlGcTest, StopsBeforeItFitsNoise) {
  const auto error = [&](const char* method, std::map<std::string, std::string> parameters, const char* iterations) {
    parameters["iterations"] = iterations;
    const auto found = Solve(method, image_, psf_, parameters);
    EXPECT_OK(found);
    return reference::RelativeError(*found, truth_);
  };
  // Of nothing but noise around a constant.
  const Volume haze = Exposed(Volume(kShape.z, kShape.y, kShape.x, 50), random_);
  const auto roughness = [&](const char* method, std::map<std::string, std::string> parameters) {
    parameters["iterations"] = "200";
    const auto found = Solve(method, haze, psf_, parameters);
    EXPECT_OK(found);
    return std::sqrt(reference::VarianceOf(*found)) / reference::MeanOf(*found);
  };
  EXPECT_LT(roughness("rl-gc", {}), 0.5 * roughness("rl", {{"acceleration", "none"}}));
  // Of points.
  const double at_once = error("rl-gc", {}, "200"), later = error("rl-gc", {}, "800");
  EXPECT_LT(std::abs(later - at_once), 0.05 * at_once);
}

}  // namespace
}  // namespace deconvoy::worker
