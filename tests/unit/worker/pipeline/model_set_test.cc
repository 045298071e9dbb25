// Models that are applied to boxes of a frame, with ones that are known in closed form.
#include "worker/pipeline/model_set.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>
#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

// Its result is `factor` times what is above the offset; where a voxel lies on its step's grid along every axis it is
// negative, so that boxes which begin elsewhere are seen.
class GridModel : public learned::Model {
 public:
  GridModel(int64_t step, float factor, float spread = 0) : factor_(factor), spread_(spread) {
    kind_.name = "grid";
    kind_.step = step;
  }
  const learned::ModelFacts& facts() const override { return facts_; }
  const learned::NetworkKind& kind() const override { return kind_; }
  Shape3 halo() const override { return {kind_.step, kind_.step, kind_.step}; }
  int64_t MemoryBytes(const Shape3& /*box*/) const override { return 0; }
  absl::StatusOr<learned::Estimate> Apply(std::span<const float> values, const Shape3& box, const learned::Scale& scale,
                                          float /*noise*/) const override {
    learned::Estimate estimate;
    size_t i = 0;
    for (int64_t z = 0; z < box.z; ++z)
      for (int64_t y = 0; y < box.y; ++y)
        for (int64_t x = 0; x < box.x; ++x, ++i) {
          const bool on_grid = z % kind_.step == 0 && y % kind_.step == 0 && x % kind_.step == 0;
          estimate.value.push_back((on_grid ? -factor_ : factor_) * (values[i] - scale.offset));
        }
    if (spread_ > 0) estimate.spread.assign(values.size(), spread_);
    return estimate;
  }

 private:
  learned::ModelFacts facts_;
  learned::NetworkKind kind_;
  const float factor_, spread_;
};

std::vector<float> Ramp(const Shape3& box) {
  std::vector<float> values(static_cast<size_t>(box.voxels()));
  std::iota(values.begin(), values.end(), 10.0F);
  return values;
}

TEST(ModelRestorer, BoxesBeginOnTheGridOfTheFrame) {
  const GridModel model(4, 1);
  const std::vector<const learned::Model*> models{&model};
  ModelRestorer restorer(models, {.offset = 2, .range = 1});
  const Shape3 box{9, 10, 11};
  const Voxel origin{0, 3, 5};
  const std::vector<float> values = Ramp(box);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> restored, restorer.Restore(values, box, origin));
  ASSERT_EQ(restored.size(), values.size());
  EXPECT_TRUE(restorer.spread().empty());
  size_t i = 0;
  for (int64_t z = 0; z < box.z; ++z)
    for (int64_t y = 0; y < box.y; ++y)
      for (int64_t x = 0; x < box.x; ++x, ++i) {
        const bool seen = y >= 1 && x >= 3;  // rows from 4, columns from 8 of the frame
        const bool on_grid = z % 4 == 0 && (origin.y + y) % 4 == 0 && (origin.x + x) % 4 == 0;
        EXPECT_EQ(restored[i], (seen && on_grid ? -1 : 1) * (values[i] - 2)) << z << " " << y << " " << x;
      }
}

TEST(ModelRestorer, OfSeveralItTellsMeanAndSpread) {
  const GridModel one(1, 1), three(2, 3);
  const std::vector<const learned::Model*> models{&three, &one, &three};
  ModelRestorer restorer(models, {});
  const Shape3 box{3, 3, 3};
  const std::vector<float> values = Ramp(box);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> restored, restorer.Restore(values, box, {}));
  ASSERT_EQ(restorer.spread().size(), values.size());
  // Off the grid of 2 the factors are 3, -1 and 3: every voxel lies on the grid of 1.
  EXPECT_NEAR(restored[1], values[1] * 5 / 3, 1e-4);
  EXPECT_NEAR(restorer.spread()[1], values[1] * std::sqrt(32.0 / 9), 1e-3);
}

// Not on a common grid, which may begin farther from the box's first faces than what is planned for each.
TEST(ModelRestorer, EachModelBeginsOnItsOwnGrid) {
  const GridModel two(2, 1), three(3, 3);
  const std::vector<const learned::Model*> models{&two, &three};
  ModelRestorer restorer(models, {});
  const Shape3 box{2, 2, 9};
  const std::vector<float> values = Ramp(box);
  ASSERT_OK_AND_ASSIGN(const std::vector<float> restored, restorer.Restore(values, box, {0, 0, 3}));
  EXPECT_EQ(restored[0], values[0]) << "only one of them begins here";
  EXPECT_NEAR(restored[1], values[1], 1e-4) << "column 4 of the frame is on the grid of 2";
  EXPECT_NEAR(restored[3], -2 * values[3], 1e-4) << "column 6 is on both";
  for (size_t i = 28; i < 36; ++i) EXPECT_NEAR(restored[i], 2 * values[i], 1e-4) << i << ", on no grid";
}

TEST(ModelRestorer, TheModelsOwnSpreadCounts) {
  const GridModel sure(1, 1, 3), other(1, 1, 4);
  const std::vector<const learned::Model*> one{&sure}, both{&sure, &other};
  const Shape3 box{1, 2, 2};
  ModelRestorer alone(one, {});
  ASSERT_OK(alone.Restore(Ramp(box), box, {}).status());
  EXPECT_EQ(alone.spread(), (std::vector<float>{3, 3, 3, 3}));
  ModelRestorer mixed(both, {});
  ASSERT_OK(mixed.Restore(Ramp(box), box, {}).status());
  EXPECT_NEAR(mixed.spread()[0], std::sqrt(12.5), 1e-5);
}

}  // namespace
}  // namespace deconvoy::worker
