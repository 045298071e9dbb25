#include "worker/pipeline/core_reader.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <vector>

#include "tests/support/emulated_cuda.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

class CoreReaderTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(ops_, backend_->Open({7, 4, 5}));
    ASSERT_OK_AND_ASSIGN(array_, ops_->Allocate({{}, {7, 4, 5}}));
    std::vector<float> values(7 * 4 * 5);
    std::iota(values.begin(), values.end(), 0.0F);
    ASSERT_OK(ops_->Upload(values, array_->box(), *array_));
  }

  const std::unique_ptr<Backend> backend_ = cuda::MakeEmulatedCuda();
  std::unique_ptr<Ops> ops_;
  std::unique_ptr<Array> array_;
};

TEST_F(CoreReaderTest, BringsWholePlanesInOrder) {
  const Box3 core{{1, 1, 2}, {5, 2, 3}};
  std::vector<float> values(5 * 2 * 3);
  ASSERT_OK(ops_->Download(*array_, core, values));
  constexpr int64_t kPlane = 2 * 3 * 2;  // bytes
  for (const int64_t slab : {int64_t{1}, kPlane, 2 * kPlane, 2 * kPlane + 1, 5 * kPlane, 100 * kPlane}) {
    CoreReader reader(*ops_, *array_, core, {.type = v1::U16, .gain = 0.5, .offset = 3}, slab);
    std::vector<uint16_t> found;
    while (true) {
      ASSERT_OK_AND_ASSIGN(const std::span<const std::byte> planes, reader.Next());
      if (planes.empty()) break;
      EXPECT_EQ(planes.size() % kPlane, 0U);
      EXPECT_LE(static_cast<int64_t>(planes.size()), std::max(slab, kPlane));
      std::vector<uint16_t> voxels(planes.size() / 2);
      std::memcpy(voxels.data(), planes.data(), planes.size());
      found.insert(found.end(), voxels.begin(), voxels.end());
    }
    ASSERT_EQ(found.size(), values.size()) << slab;
    for (size_t i = 0; i < found.size(); ++i) EXPECT_EQ(found[i], 2 * values[i] + 3) << slab << " " << i;
    ASSERT_OK_AND_ASSIGN(const std::span<const std::byte> more, reader.Next());
    EXPECT_TRUE(more.empty());
  }
}

}  // namespace
}  // namespace deconvoy::worker
