#include "worker/psf/distill/filter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

namespace deconvoy::worker {
namespace {

constexpr Shape3 kShape{31, 33, 35};
constexpr double kVoxel[] = {0.1, 0.05, 0.05};  // z, y, x in um

// At a place in um from the middle.
using Function = double (*)(double z, double y, double x);

std::vector<float> Sampled(const std::vector<std::pair<Function, int>>& parts) {
  std::vector<float> values;
  for (int64_t i = 0; i < kShape.voxels(); ++i) {
    const double z = static_cast<double>(i / (kShape.y * kShape.x) - kShape.z / 2) * kVoxel[0];
    const double y = static_cast<double>(i / kShape.x % kShape.y - kShape.y / 2) * kVoxel[1];
    const double x = static_cast<double>(i % kShape.x - kShape.x / 2) * kVoxel[2];
    double value = 0;
    for (const auto& [part, weight] : parts) value += weight * part(z, y, x);
    values.push_back(static_cast<float>(value));
  }
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  for (float& v : values) v = static_cast<float>(static_cast<double>(v) / sum);
  return values;
}

constexpr double kSigmaZ = 0.3, kSigma = 0.12;
constexpr double kBead = 0.3;

double Point(double z, double y, double x) {
  return std::exp(-(z * z / (kSigmaZ * kSigmaZ) + (y * y + x * x) / (kSigma * kSigma)) / 2);
}

// The point spread over a ball, by summing over small cubes of it.
double Ball(double z, double y, double x) {
  constexpr int kParts = 8;
  constexpr double kStep = kBead / kParts;
  double sum = 0;
  for (int c = 0; c < kParts; ++c) {
    for (int b = 0; b < kParts; ++b) {
      for (int a = 0; a < kParts; ++a) {
        const double w = (c + 0.5) * kStep - kBead / 2, v = (b + 0.5) * kStep - kBead / 2,
                     u = (a + 0.5) * kStep - kBead / 2;
        if (w * w + v * v + u * u <= kBead * kBead / 4) sum += Point(z - w, y - v, x - u);
      }
    }
  }
  return sum;
}

double Error(const std::vector<float>& found, const std::vector<float>& expected) {
  double error = 0, norm = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    error += std::pow(static_cast<double>(found[i]) - static_cast<double>(expected[i]), 2);
    norm += std::pow(static_cast<double>(expected[i]), 2);
  }
  return std::sqrt(error / norm);
}

PsfFilter Filter() {
  return {.z_um = kVoxel[0], .y_um = kVoxel[1], .x_um = kVoxel[2]};
}

TEST(FilterPsf, TakesTheSizeOfBeadsOut) {
  const std::vector<float> point = Sampled({{Point, 1}}), ball = Sampled({{Ball, 1}});
  PsfFilter filter = Filter();
  filter.bead_um = kBead;
  filter.floor = 1e-3;
  std::vector<float> found = ball;
  FilterPsf(filter, kShape, found);
  EXPECT_GT(Error(ball, point), 0.15);
  EXPECT_LT(Error(found, point), 0.03);
  EXPECT_NEAR(std::accumulate(found.begin(), found.end(), 0.0), 1, 1e-4);
}

TEST(FilterPsf, AHigherFloorIsGentler) {
  const std::vector<float> point = Sampled({{Point, 1}}), ball = Sampled({{Ball, 1}});
  double before = 0;
  for (const double floor : {1e-3, 1e-2, 1e-1}) {
    PsfFilter filter = Filter();
    filter.bead_um = kBead;
    filter.floor = floor;
    std::vector<float> found = ball;
    FilterPsf(filter, kShape, found);
    const double error = Error(found, point);
    EXPECT_GT(error, before);
    before = error;
  }
  EXPECT_LT(before, Error(ball, point));
}

TEST(FilterPsf, SmoothsWithAGaussian) {
  // Variances add: in voxels 3 and 2.4 become the root of 10 and of 6.76.
  const auto wider = [](double z, double y, double x) {
    return std::exp(-(z * z / (10 * 0.01) + (y * y + x * x) / (6.76 * 0.0025)) / 2);
  };
  PsfFilter filter = Filter();
  filter.smoothing = 1;
  std::vector<float> found = Sampled({{Point, 1}});
  FilterPsf(filter, kShape, found);
  EXPECT_LT(Error(found, Sampled({{wider, 1}})), 2e-3);
  EXPECT_EQ(std::max_element(found.begin(), found.end()) - found.begin(), kShape.voxels() / 2);
}

}  // namespace
}  // namespace deconvoy::worker
