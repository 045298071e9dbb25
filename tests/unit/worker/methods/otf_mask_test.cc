#include "worker/methods/otf_mask.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <numbers>
#include <vector>

namespace deconvoy::worker {
namespace {

// |h^| by signed indices.
std::vector<float> Spectrum(const Shape3& n, const std::function<double(int64_t, int64_t, int64_t)>& value) {
  std::vector<float> magnitude;
  const auto index = [](int64_t i, int64_t extent) { return i < extent - i ? i : i - extent; };
  for (int64_t z = 0; z < n.z; ++z)
    for (int64_t y = 0; y < n.y; ++y)
      for (int64_t x = 0; x <= n.x / 2; ++x) {
        magnitude.push_back(static_cast<float>(value(index(z, n.z), index(y, n.y), x)));
      }
  return magnitude;
}

double Radius(int64_t z, int64_t y, int64_t x) {
  return std::sqrt(static_cast<double>(z * z + y * y + x * x));
}

TEST(OtfMask, IsAWindowThatEndsAtTheEdgeOfABall) {
  const Shape3 n{64, 64, 64};
  constexpr double kEdge = 20;
  // 1 in the ball and hardly anything outside, which is less than a tenth of the sum.
  const auto magnitude =
      Spectrum(n, [](int64_t z, int64_t y, int64_t x) { return Radius(z, y, x) <= kEdge ? 1.0 : 1e-3; });
  const std::vector<float> window = OtfMaskWindow(n, magnitude);
  const auto at = [&](int64_t z, int64_t y, int64_t x) { return window[static_cast<size_t>((z * 64 + y) * 33 + x)]; };
  EXPECT_EQ(at(0, 0, 0), 1);
  EXPECT_EQ(at(15, 0, 0), 1);
  EXPECT_EQ(at(49, 0, 0), 1);
  EXPECT_EQ(at(0, 0, 22), 0);
  EXPECT_EQ(at(32, 32, 32), 0);
  // Smoothing takes the ball's poles at 20, so that the edge lies at 19.5 along the axes.
  const double middle = std::pow(std::cos(std::numbers::pi / 2 * (18 / 19.5 - 0.8) / 0.2), 2);
  EXPECT_NEAR(at(0, 18, 0), middle, 0.1);
  EXPECT_NEAR(at(0, 0, 18), middle, 0.1);
  EXPECT_NEAR(at(10, 10, 11), std::pow(std::cos(std::numbers::pi / 2 * (Radius(10, 10, 11) / 20.5 - 0.8) / 0.2), 2),
              0.15);
}

TEST(OtfMask, TheEndOfTheSpectrumIsNoEdge) {
  const Shape3 n{9, 8, 10};
  for (const float v : OtfMaskWindow(n, Spectrum(n, [](int64_t, int64_t, int64_t) { return 1.0; }))) EXPECT_EQ(v, 1);
}

TEST(OtfMask, DropsSpecksAndWhatLiesBehindAGap) {
  const Shape3 n{48, 48, 48};
  const auto magnitude = Spectrum(n, [](int64_t z, int64_t y, int64_t x) {
    const double r = Radius(z, y, x);
    const bool shell = r > 16 && r < 20, speck = z == 12 && y == 13 && x == 14;
    return r <= 10 || shell || speck ? 1.0 : 1e-4;
  });
  const std::vector<float> window = OtfMaskWindow(n, magnitude);
  const auto at = [&](int64_t z, int64_t y, int64_t x) { return window[static_cast<size_t>((z * 48 + y) * 25 + x)]; };
  EXPECT_EQ(at(0, 7, 0), 1);
  EXPECT_EQ(at(0, 18, 0), 0);
  EXPECT_EQ(at(12, 13, 14), 0);
}

TEST(OtfMask, KeepsOutOfTheMissingCone) {
  const Shape3 n{48, 48, 48};
  const auto magnitude = Spectrum(n, [](int64_t z, int64_t y, int64_t x) {
    const double lateral = Radius(0, y, x);
    return lateral <= 16 && static_cast<double>(std::abs(z)) <= lateral ? 1.0 : 1e-5;
  });
  const std::vector<float> window = OtfMaskWindow(n, magnitude);
  const auto at = [&](int64_t z, int64_t y, int64_t x) { return window[static_cast<size_t>((z * 48 + y) * 25 + x)]; };
  EXPECT_EQ(at(0, 0, 0), 1);
  EXPECT_EQ(at(6, 0, 0), 0);
  EXPECT_EQ(at(6, 1, 1), 0);
  EXPECT_EQ(at(2, 0, 11), 1);
}

TEST(OtfMask, IsTheSameAtAFrequencyAndItsNegative) {
  const Shape3 n{12, 14, 16};
  // Neither even nor odd along an axis by itself.
  const auto magnitude = Spectrum(n, [](int64_t z, int64_t y, int64_t x) {
    return std::exp(-0.05 * static_cast<double>(z * z + y * y + x * x + z * y + y * x));
  });
  const std::vector<float> window = OtfMaskWindow(n, magnitude);
  for (const int64_t x : {int64_t{0}, int64_t{8}})
    for (int64_t z = 0; z < 12; ++z)
      for (int64_t y = 0; y < 14; ++y) {
        EXPECT_EQ(window[static_cast<size_t>((z * 14 + y) * 9 + x)],
                  window[static_cast<size_t>(((12 - z) % 12 * 14 + (14 - y) % 14) * 9 + x)]);
      }
}

}  // namespace
}  // namespace deconvoy::worker
