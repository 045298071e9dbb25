#include "worker/pipeline/residual_map.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "tests/support/test_support.h"
#include "tests/unit/worker/methods/measured_memory.h"
#include "tests/unit/worker/support/memory_task.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

using testing::FromBytes;
using testing::MemoryTask;

// Blurred by nothing.
class ResidualMapTest : public ::testing::Test {
 protected:
  void Open(const Shape3& domain, const Box3& core, int threads) {
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open(domain));
    ASSERT_OK_AND_ASSIGN(otf_, ops_->MakeOtf(std::vector<float>{1}, {1, 1, 1}, {}));
    ASSERT_OK_AND_ASSIGN(y_, ops_->Allocate({{}, domain}));
    ASSERT_OK_AND_ASSIGN(x_, ops_->Allocate({{}, domain}));
    problem_ = {.ops = ops_.get(),
                .otf = otf_.get(),
                .measured = y_.get(),
                .core = core,
                .scale = {.floor = 1, .background = 0, .brightest = 2000},
                .threads = threads};
  }

  const std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Otf> otf_;
  std::unique_ptr<Array> y_, x_;
  ResidualProblem problem_;
};

// Rows of 1024 are more than fit into a strip, and the last strip is smaller.
TEST_F(ResidualMapTest, StripsGiveWhatWholePlanesGive) {
  const Shape3 domain{3, 640, 1024};
  const Box3 core{{1, 0, 0}, {2, 604, 1024}};
  Open(domain, core, 3);
  std::vector<float> y(static_cast<size_t>(domain.voxels()));
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t row = i / 1024 % 640 % 8, column = i % 1024 % 8;
    const bool inner = i / 1024 % 64 < 8 && row >= 2 && row < 6 && column >= 2 && column < 6;
    y[i] = static_cast<float>(Random(i).Poisson(inner ? 60 : 20));
  }
  ASSERT_OK(ops_->Upload(y, y_->box(), *y_));
  ASSERT_OK(ops_->Fill(*x_, 20));
  ResidualSums expected;
  std::vector<float> map, before;
  for (size_t z = 1; z < 3; ++z) {
    const auto plane = std::span(y).subspan(z * 640 * 1024, 604 * 1024);
    std::vector<float> r(plane.size());
    AddResidual(problem_.scale, {plane, std::vector<float>(plane.size(), 20)}, 1024, r, expected);
    map.insert(map.end(), r.begin(), r.end());
    if (!before.empty()) expected.z += PairUp(r, before);
    before = std::move(r);
  }
  MemoryTask task;
  task.AddOutput("volumes/out", v1::F32, {0, 0, core});
  PieceWriter writer(task.task, task.sink());
  ResidualSums sums;
  ASSERT_OK(MeasureResidual(problem_, *x_, *x_, &writer, sums));
  const std::vector<float> found = FromBytes<float>(task.output);
  ASSERT_EQ(found.size(), map.size());
  for (size_t i = 0; i < map.size(); ++i) ASSERT_NEAR(found[i], map[i], 1e-4) << i;
  EXPECT_EQ(sums.voxels, expected.voxels);
  const auto expect_pairs = [](const ResidualSums::Pairs& pairs, const ResidualSums::Pairs& same) {
    EXPECT_EQ(pairs.count, same.count);
    EXPECT_NEAR(pairs.products, same.products, 1e-4 * static_cast<double>(same.count));
  };
  expect_pairs(sums.x, expected.x);
  expect_pairs(sums.y, expected.y);
  expect_pairs(sums.z, expected.z);
  EXPECT_GT(expected.faint_voxels, 0U);
  EXPECT_EQ(sums.faint_voxels, expected.faint_voxels);
  EXPECT_NEAR(sums.squares, expected.squares, 1e-4 * expected.squares);
}

// A voxel in the middle of the first of two planes does not count, nor do its five pairs.
TEST_F(ResidualMapTest, PairsOfWhatDoesNotCountDoNotCount) {
  const Shape3 domain{2, 4, 4};
  Open(domain, {{}, {2, 3, 3}}, 1);
  ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Array> mask, ops_->Allocate({{}, domain}));
  ASSERT_OK(ops_->Fill(*mask, 1));
  ASSERT_OK(ops_->Fill(*y_, 9));
  ASSERT_OK(ops_->Fill(*x_, 4));
  ASSERT_OK(ops_->Upload(std::vector<float>{0}, {{0, 1, 1}, {1, 1, 1}}, *mask));
  ASSERT_OK(ops_->Upload(std::vector<float>{1e6F}, {{0, 1, 1}, {1, 1, 1}}, *y_));
  problem_.mask = mask.get();
  ResidualSums sums;
  ASSERT_OK(MeasureResidual(problem_, *x_, *x_, nullptr, sums));
  const double r = 2.5;
  EXPECT_EQ(sums.voxels, 17U);
  for (const auto& [pairs, count] : {std::pair(sums.x, 10U), {sums.y, 10U}, {sums.z, 8U}}) {
    EXPECT_EQ(pairs.count, count);
    EXPECT_NEAR(pairs.products, static_cast<double>(count) * r * r, 1e-3);
  }
}

TEST_F(ResidualMapTest, ADarkOneIsAsLargeAsItsCore) {
  MemoryTask task;
  const Box3 core{{}, {2, 604, 1024}};
  task.AddOutput("volumes/out", v1::F32, {0, 0, core});
  PieceWriter writer(task.task, task.sink());
  ASSERT_OK(WriteDarkResidual({.floor = 1, .background = 4, .brightest = 0}, core.shape, writer));
  EXPECT_EQ(FromBytes<float>(task.output), std::vector<float>(static_cast<size_t>(core.shape.voxels()), -2));
}

// Sixteen planes of this core would be 800 MB.
TEST_F(ResidualMapTest, ManyThreadsTakeLittleMemory) {
  const Shape3 domain{1, 2048, 2048};
  Open(domain, {{}, domain}, 16);
  ASSERT_OK(ops_->Fill(*y_, 20));
  ASSERT_OK(ops_->Fill(*x_, 20));
  ResidualSums sums;
  ASSERT_OK(MeasureResidual(problem_, *x_, *x_, nullptr, sums));  // what the first blur takes
  const int64_t before = ResidentBytes();
  PeakBytes();
  ASSERT_OK(MeasureResidual(problem_, *x_, *x_, nullptr, sums));
  const int64_t peak = PeakBytes();
  if (peak == 0) GTEST_SKIP() << "this system does not tell";
  EXPECT_LT(peak - before, int64_t{160} << 20);
}

}  // namespace
}  // namespace deconvoy::worker
