#include "worker/backends/cuda/stencils.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <tuple>

namespace deconvoy::worker::cuda {
namespace {

using Offset = std::tuple<int, int, int>;

std::map<Offset, float> FactorsOf(const Stencil& stencil, size_t part, int sign) {
  std::map<Offset, float> factors;
  for (int tap = 0; tap < stencil.taps; ++tap) {
    const Stencil::Tap& t = stencil.tap[tap];
    if (t.factors[part] != 0) factors[{sign * t.z, sign * t.y, sign * t.x}] = t.factors[part];
  }
  return factors;
}

TEST(StencilTest, FirstDifferences) {
  const Stencil stencil = MakeStencil(Slopes::kFirst, {2, 3, 5}, /*adjoint=*/false);
  EXPECT_EQ(stencil.parts, 3);
  EXPECT_EQ(stencil.taps, 4);
  EXPECT_EQ(FactorsOf(stencil, 0, 1), (std::map<Offset, float>{{{0, 0, 0}, -2}, {{1, 0, 0}, 2}}));
  EXPECT_EQ(FactorsOf(stencil, 2, 1), (std::map<Offset, float>{{{0, 0, 0}, -5}, {{0, 0, 1}, 5}}));
}

TEST(StencilTest, SecondDifferences) {
  const Stencil stencil = MakeStencil(Slopes::kSecond, {1, 2, 3}, /*adjoint=*/false);
  EXPECT_EQ(stencil.parts, 6);
  EXPECT_EQ(stencil.taps, Stencil::kMostTaps);
  EXPECT_EQ(FactorsOf(stencil, 1, 1), (std::map<Offset, float>{{{0, 0, 0}, -8}, {{0, 1, 0}, 4}, {{0, -1, 0}, 4}}));
  const float mixed = std::sqrt(2.0F) * 2 * 3;
  EXPECT_EQ(
      FactorsOf(stencil, 5, 1),
      (std::map<Offset, float>{{{0, 0, 0}, mixed}, {{0, 1, 0}, -mixed}, {{0, 0, 1}, -mixed}, {{0, 1, 1}, mixed}}));
}

TEST(StencilTest, TheAdjointGoesTheOtherWay) {
  for (const Slopes slopes : {Slopes::kNone, Slopes::kFirst, Slopes::kSecond}) {
    const Stencil forth = MakeStencil(slopes, {1, 2, 3}, false), back = MakeStencil(slopes, {1, 2, 3}, true);
    EXPECT_EQ(forth.parts, static_cast<int>(PartsOf(slopes)));
    for (size_t part = 0; part < PartsOf(slopes); ++part) {
      EXPECT_EQ(FactorsOf(back, part, -1), FactorsOf(forth, part, 1)) << part;
    }
  }
}

}  // namespace
}  // namespace deconvoy::worker::cuda
