// Scales, digests and frames in boxes, with models that are simple formulas.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>

#include "tests/support/test_support.h"
#include "worker/imaging/random.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {
namespace {

// The mean over a cube of 5 voxels' width, and a pattern of every `step` voxels from the box's origin, times `factor`:
// what a network with halo 2, or its step, and that step does. What lies beyond the box counts as NaN where it is asked
// for.
class Formula final : public Model {
 public:
  explicit Formula(float factor, float spread = 0, int64_t step = 2)
      : kind_{.name = "formula", .structure = "", .citation = "", .step = step, .halo = std::max<int64_t>(step, 2)},
        factor_(factor),
        spread_(spread) {}
  const ModelFacts& facts() const override { return facts_; }
  const NetworkKind& kind() const override { return kind_; }
  Shape3 halo() const override { return {kind_.halo, kind_.halo, kind_.halo}; }
  int64_t MemoryBytes(const Shape3& box) const override { return box.voxels(); }
  absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& s, const Scale& scale,
                                 float /*noise*/) const override {
    Estimate result{std::vector<float>(values.size()), {}};
    if (spread_ > 0) result.spread.assign(values.size(), spread_);
    size_t i = 0;
    for (int64_t z = 0; z < s.z; ++z) {
      for (int64_t y = 0; y < s.y; ++y) {
        for (int64_t x = 0; x < s.x; ++x, ++i) {
          double sum = 0;
          for (int64_t c = z - 2; c <= z + 2; ++c) {
            for (int64_t b = y - 2; b <= y + 2; ++b) {
              for (int64_t a = x - 2; a <= x + 2; ++a) {
                const bool inside = c >= 0 && b >= 0 && a >= 0 && c < s.z && b < s.y && a < s.x;
                sum += inside ? values[static_cast<size_t>((c * s.y + b) * s.x + a)] / 125
                              : std::numeric_limits<double>::quiet_NaN();
              }
            }
          }
          const bool between = z % kind_.step != 0 || x % kind_.step != 0;
          result.value[i] = factor_ * static_cast<float>(sum - scale.offset) * (between ? 1.0F : 0.5F);
        }
      }
    }
    return result;
  }

 private:
  const ModelFacts facts_ = {};
  const NetworkKind kind_;
  const float factor_, spread_;
};

std::vector<float> Noise(const Shape3& shape) {
  Random random(testing::Seed());
  std::vector<float> values(static_cast<size_t>(shape.voxels()));
  for (float& value : values) value = static_cast<float>(random.Uniform(0, 10));
  return values;
}

TEST(ApplyToFrame, DoesNotDependOnTheCut) {
  const Shape3 shape{7, 11, 13};
  const std::vector<float> frame = Noise(shape);
  const Formula formula(2);
  const Model* const models[] = {&formula};
  ASSERT_OK_AND_ASSIGN(const Estimate whole, ApplyToFrame(models, frame, shape, {1, 2}, {100, 100, 100}));
  for (const Shape3& core : {Shape3{2, 4, 6}, Shape3{1, 1, 1}, Shape3{3, 5, 7}, Shape3{8, 2, 20}}) {
    ASSERT_OK_AND_ASSIGN(const Estimate cut, ApplyToFrame(models, frame, shape, {1, 2}, core));
    for (size_t i = 0; i < frame.size(); ++i) ASSERT_FLOAT_EQ(cut.value[i], whole.value[i]) << i;
  }
  EXPECT_TRUE(whole.spread.empty());
  // The frame's corner is seen as reflected about its end voxels.
  double corner = 0;
  for (const int64_t z : {2, 1, 0, 1, 2}) {
    for (const int64_t y : {2, 1, 0, 1, 2}) {
      for (const int64_t x : {2, 1, 0, 1, 2}) {
        corner += frame[static_cast<size_t>((z * shape.y + y) * shape.x + x)] / 125.0;
      }
    }
  }
  EXPECT_NEAR(whole.value[0], (corner - 1) * 2 * 0.5, 1e-4);
}

TEST(ApplyToFrame, OfModelsWithDifferentStepsDoesNotDependOnTheCut) {
  const Shape3 shape{5, 11, 13};
  const std::vector<float> frame = Noise(shape);
  const Formula two(1), three(1, 0, 3);
  const Model* const models[] = {&two, &three};
  ASSERT_OK_AND_ASSIGN(const Estimate whole, ApplyToFrame(models, frame, shape, {1, 2}, {100, 100, 100}));
  ASSERT_OK_AND_ASSIGN(const Estimate cut, ApplyToFrame(models, frame, shape, {1, 2}, {3, 3, 3}));
  for (size_t i = 0; i < frame.size(); ++i) ASSERT_FLOAT_EQ(cut.value[i], whole.value[i]) << i;
}

TEST(ApplyToFrame, MixesModels) {
  const Shape3 shape{3, 4, 5};
  const std::vector<float> frame(static_cast<size_t>(shape.voxels()), 3);
  const Formula one(1, 0.5F), other(3, 0.5F);
  const Model* const models[] = {&one, &other};
  ASSERT_OK_AND_ASSIGN(const Estimate mixture, ApplyToFrame(models, frame, shape, {0, 1}, {2, 2, 2}));
  ASSERT_EQ(mixture.spread.size(), frame.size());
  // At a voxel with odd x the values are 3 and 9.
  EXPECT_NEAR(mixture.value[1], 6, 1e-4);
  EXPECT_NEAR(mixture.spread[1], std::sqrt(0.25 + 9), 1e-4);
}

TEST(ScaleOf, IsThatOfThePercentiles) {
  std::vector<float> values;
  for (int i = 1000; i >= 0; --i) values.push_back(static_cast<float>(i));
  values[3] = std::numeric_limits<float>::quiet_NaN();  // 997 does not count
  const Scale scale = ScaleOf(values, {1, 99});
  EXPECT_NEAR(scale.offset, 10, 1.1);
  EXPECT_NEAR(scale.offset + scale.range, 990, 1.1);
  EXPECT_EQ(ScaleOf(std::vector<float>(5, 7.0F), {}).offset, 7);
  EXPECT_EQ(ScaleOf(std::vector<float>(5, 7.0F), {}).range, kLeastRange);
  EXPECT_EQ(ScaleOf({}, {}).range, kLeastRange);
}

TEST(PsfDigest, TellsPsfsApart) {
  PreparedPsf psf{std::vector<float>(12, 0.25F), {1, 3, 4}, {0, 1, 2}};
  std::set<std::string> digests{PsfDigest(psf)};
  EXPECT_EQ(digests.begin()->size(), 64U);
  psf.centre.x = 1;
  digests.insert(PsfDigest(psf));
  psf.shape = {1, 4, 3};
  digests.insert(PsfDigest(psf));
  psf.values[5] = 0.2F;
  digests.insert(PsfDigest(psf));
  EXPECT_EQ(digests.size(), 4U);
}

TEST(Networks, HaveTheirOwnNames) {
  std::set<std::string_view> names;
  for (const NetworkKind& kind : AllNetworks()) {
    EXPECT_TRUE(names.insert(kind.name).second) << kind.name;
    EXPECT_EQ(FindNetwork(kind.name), &kind);
    EXPECT_FALSE(kind.citation.empty() || kind.structure.empty()) << kind.name;
    EXPECT_TRUE(kind.step == 1 || kind.step == 2 || kind.step == 4) << kind.name;
  }
  EXPECT_EQ(FindNetwork("rln "), nullptr);
}

}  // namespace
}  // namespace deconvoy::worker::learned
