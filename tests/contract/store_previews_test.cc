// What every store promises about previews.
#include <cmath>
#include <limits>
#include <vector>

#include "proto/contract/error.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

const float kNone = std::numeric_limits<float>::quiet_NaN();

class StorePreviewsTest : public StoreContractTest {
 protected:
  void SetUp() override {
    StoreContractTest::SetUp();
    ASSERT_OK(store_->InsertJob({.job = MakeJob("job1")}, "", ""));
  }

  // Pixels of a frame of 2 x 3, from row y, column x.
  static PreviewAddition Part(uint32_t t, uint32_t c, uint32_t y, uint32_t x, uint32_t rows, uint32_t columns,
                              const std::vector<float>& maximum) {
    PreviewAddition addition;
    addition.preview.set_t(t);
    addition.preview.set_c(c);
    addition.preview.set_step(4);
    addition.preview.set_size_y(2);
    addition.preview.set_size_x(3);
    addition.part.set_y(y);
    addition.part.set_x(x);
    addition.part.set_size_y(rows);
    addition.part.set_size_x(columns);
    addition.part.mutable_maximum()->Assign(maximum.begin(), maximum.end());
    return addition;
  }

  void Add(const PreviewAddition& addition) {
    JobChange change{.job = MakeJob("job1")};
    change.previews.push_back(addition);
    ASSERT_OK(store_->Apply(change));
  }

  void ExpectPreview(uint32_t c, uint32_t t, const std::vector<float>& maximum) {
    ASSERT_OK_AND_ASSIGN(const v1::Preview preview, store_->GetPreview("job1", c));
    EXPECT_EQ(preview.t(), t);
    EXPECT_EQ(preview.c(), c);
    EXPECT_EQ(preview.step(), 4U);
    EXPECT_EQ(preview.size_y(), 2U);
    EXPECT_EQ(preview.size_x(), 3U);
    ASSERT_EQ(preview.maximum_size(), static_cast<int>(maximum.size()));
    for (int i = 0; i < preview.maximum_size(); ++i) {
      const float due = maximum[static_cast<size_t>(i)];
      EXPECT_TRUE(preview.maximum(i) == due || (std::isnan(due) && std::isnan(preview.maximum(i)))) << i;
    }
  }
};

TEST_P(StorePreviewsTest, PartsAreJoinedByTheirMaximum) {
  EXPECT_EQ(ReasonOf(store_->GetPreview("job1", 0).status()), v1::NOT_FOUND);
  Add(Part(0, 0, 0, 1, 2, 1, {5, -7}));
  ExpectPreview(0, 0, {kNone, 5, kNone, kNone, -7, kNone});
  Add(Part(0, 0, 0, 0, 1, 2, {1, 4}));
  ExpectPreview(0, 0, {1, 5, kNone, kNone, -7, kNone});
  Add(Part(0, 0, 1, 1, 1, 2, {-3, 9}));
  for (int round = 0; round < 2; ++round, Reopen()) ExpectPreview(0, 0, {1, 5, kNone, kNone, -3, 9});
  Add(Part(0, 0, 1, 1, 1, 2, {-3, 9}));
  ExpectPreview(0, 0, {1, 5, kNone, kNone, -3, 9});
}

TEST_P(StorePreviewsTest, ChannelsHaveTheirOwn) {
  Add(Part(0, 0, 0, 0, 1, 1, {1}));
  Add(Part(0, 7, 0, 1, 1, 1, {2}));
  ExpectPreview(0, 0, {1, kNone, kNone, kNone, kNone, kNone});
  ExpectPreview(7, 0, {kNone, 2, kNone, kNone, kNone, kNone});
  EXPECT_EQ(ReasonOf(store_->GetPreview("job1", 1).status()), v1::NOT_FOUND);
}

TEST_P(StorePreviewsTest, TheNewestTimePointStays) {
  Add(Part(1, 0, 0, 0, 1, 1, {1}));
  Add(Part(3, 0, 0, 2, 1, 1, {2}));
  ExpectPreview(0, 3, {kNone, kNone, 2, kNone, kNone, kNone});
  Add(Part(2, 0, 0, 0, 1, 1, {100}));
  ExpectPreview(0, 3, {kNone, kNone, 2, kNone, kNone, kNone});
}

TEST_P(StorePreviewsTest, GoWithTheirJob) {
  Add(Part(0, 0, 0, 0, 1, 1, {1}));
  ASSERT_OK(store_->DeleteJob("job1"));
  EXPECT_EQ(ReasonOf(store_->GetPreview("job1", 0).status()), v1::NOT_FOUND);
  ASSERT_OK(store_->InsertJob({.job = MakeJob("job1")}, "", ""));
  EXPECT_EQ(ReasonOf(store_->GetPreview("job1", 0).status()), v1::NOT_FOUND) << "of another job of that name";
}

INSTANTIATE_TEST_SUITE_P(Stores, StorePreviewsTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
