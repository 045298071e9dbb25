#include "proto/contract/fft_costs.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy {
namespace {

v1::FftCosts Measured(uint32_t extent, uint32_t cost) {
  v1::FftCosts costs;
  v1::FftCost& one = *costs.add_columns();
  one.set_extent(extent);
  one.set_cost(cost);
  return costs;
}

TEST(IsSmooth, HasPrimeFactorsUpToSeven) {
  EXPECT_TRUE(IsSmooth(1));
  EXPECT_TRUE(IsSmooth(2 * 3 * 5 * 7));
  EXPECT_FALSE(IsSmooth(11));
  EXPECT_FALSE(IsSmooth(2 * 13));
}

TEST(FftCosts, EstimatesFavourPowersOfTwoInTheExtent) {
  const FftCosts costs;
  EXPECT_EQ(costs.At(128, FftAxis::kColumn), 1000);
  EXPECT_LT(costs.At(128, FftAxis::kColumn), costs.At(144, FftAxis::kColumn));
  EXPECT_LT(costs.At(144, FftAxis::kColumn), costs.At(150, FftAxis::kColumn));
  EXPECT_LT(costs.At(150, FftAxis::kColumn), costs.At(125, FftAxis::kColumn));
  EXPECT_LT(costs.At(576, FftAxis::kRow), costs.At(630, FftAxis::kRow));
  EXPECT_LT(costs.At(630, FftAxis::kRow), costs.At(253, FftAxis::kRow));
}

// Against every extent up to twice the one asked for.
TEST(FftCosts, BestIsTheLeastProductOfExtentAndCost) {
  const FftCosts costs;
  for (const FftAxis axis : {FftAxis::kRow, FftAxis::kColumn}) {
    for (int64_t n = 1; n <= 1500; ++n) {
      const int64_t best = costs.Best(n, axis);
      ASSERT_GE(best, n);
      ASSERT_TRUE(IsSmooth(best));
      if (axis == FftAxis::kRow) {
        ASSERT_EQ(best % 2, 0);
      }
      for (int64_t other = n; other <= 2 * n + 2; ++other) {
        if (!IsSmooth(other) || (axis == FftAxis::kRow && other % 2 != 0)) continue;
        ASSERT_LE(best * costs.At(best, axis), other * costs.At(other, axis)) << n << " " << other;
      }
    }
  }
  EXPECT_EQ(costs.Best(124, FftAxis::kColumn), 128);
  EXPECT_EQ(costs.Best(572, FftAxis::kRow), 576);
}

TEST(FftCosts, MeasuredOnesReplaceEstimates) {
  ASSERT_OK_AND_ASSIGN(const FftCosts slow, FftCosts::FromProto(Measured(128, 3000)));
  EXPECT_EQ(slow.At(128, FftAxis::kColumn), 3000);
  EXPECT_EQ(slow.At(128, FftAxis::kRow), 1000);
  EXPECT_EQ(slow.Best(124, FftAxis::kColumn), 144);
  ASSERT_OK_AND_ASSIGN(const FftCosts eleven, FftCosts::FromProto(Measured(132, 1000)));
  EXPECT_EQ(eleven.Best(129, FftAxis::kColumn), 132) << "an extent that only a measurement recommends";
}

TEST(FftCosts, RefusesWhatCannotBe) {
  const auto reason = [](const v1::FftCosts& costs) { return ReasonOf(FftCosts::FromProto(costs).status()); };
  EXPECT_EQ(reason(Measured(0, 1000)), v1::INVALID_FIELD);
  EXPECT_EQ(reason(Measured(4'000'000'000U, 1000)), v1::INVALID_FIELD);
  EXPECT_EQ(reason(Measured(128, 999)), v1::INVALID_FIELD);
  EXPECT_EQ(reason(Measured(128, 100'001)), v1::INVALID_FIELD);
  v1::FftCosts twice = Measured(128, 1000);
  *twice.add_columns() = twice.columns(0);
  EXPECT_EQ(reason(twice), v1::INVALID_FIELD);
  v1::FftCosts odd;
  *odd.add_rows() = Measured(125, 1000).columns(0);
  EXPECT_EQ(reason(odd), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy
