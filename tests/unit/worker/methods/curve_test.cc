#include "worker/methods/curve.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/data_splitting.h"

namespace deconvoy::worker {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class CurveTest : public ::testing::Test {
 protected:
  // y is 5 everywhere, over a background of 2.
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open(kShape));
    ASSERT_OK_AND_ASSIGN(y_, ops_->Allocate({{}, kShape}));
    ASSERT_OK(ops_->Fill(*y_, 5));
    problem_ = {.ops = ops_.get(), .measured = y_.get(), .background = 2};
  }

  static std::vector<int64_t> Told(const Curve& curve, int64_t iterations) {
    std::vector<int64_t> told;
    for (int64_t k = 1; k <= iterations; ++k) {
      if (curve.Tells(k)) told.push_back(k);
      EXPECT_EQ(curve.After(k, {}).has_value(), curve.Tells(k)) << k;
    }
    return told;
  }

  static constexpr Shape3 kShape{2, 3, 4};
  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Array> y_;
  Problem problem_;
};

TEST_F(CurveTest, TellsTheFirstSomeAndTheLast) {
  const auto told = [this](int64_t distance, int64_t iterations) {
    return Told(Curve::Every(distance, iterations, problem_).value(), iterations);
  };
  EXPECT_THAT(told(3, 8), ElementsAre(1, 3, 6, 8));
  EXPECT_THAT(told(4, 8), ElementsAre(1, 4, 8));
  EXPECT_THAT(told(1, 3), ElementsAre(1, 2, 3));
  EXPECT_THAT(told(100, 3), ElementsAre(1, 3));
  EXPECT_THAT(told(5, 1), ElementsAre(1));
  EXPECT_THAT(Told(Curve(), 8), IsEmpty());
  EXPECT_FALSE(Curve().AfterLast(8, {}).has_value());
}

TEST_F(CurveTest, TellsWhatWasMeasuredAndTheDataOnce) {
  ASSERT_OK_AND_ASSIGN(const Curve curve, Curve::Every(3, 8, problem_));
  const Measures measures{.objective = 7, .squares = 11, .primal = 0.25, .dual = 0.5};
  for (const auto& value : {curve.After(6, measures), curve.AfterLast(6, measures)}) {
    EXPECT_EQ(value->iteration(), 6U);
    EXPECT_EQ(value->value(), 7);
    EXPECT_EQ(value->residual_squares(), 11);
    EXPECT_EQ(value->data_squares(), 9 * 24);
    EXPECT_EQ(value->primal_squares(), 0.25);
    EXPECT_EQ(value->dual_squares(), 0.5);
  }
  EXPECT_FALSE(curve.After(7, measures).has_value());
  EXPECT_EQ(curve.AfterLast(7, measures)->iteration(), 7U) << "that ends the run before its time";
}

TEST_F(CurveTest, ResidualsOfASplittingAreRelative) {
  Measures measures;
  TellResiduals({.primal = 2, .dual = 3, .size = 8}, measures);
  EXPECT_EQ(measures.primal, 0.25);
  EXPECT_EQ(measures.dual, 0.375);
  TellResiduals({.primal = 2, .dual = 0, .size = 0}, measures);
  EXPECT_EQ(measures.primal, 1);
  EXPECT_EQ(measures.dual, 0);
}

}  // namespace
}  // namespace deconvoy::worker
