#include "worker/pipeline/core_reader.h"

#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker {
namespace {

TEST(CoreReader, ReadsPlanesInAnyOrder) {
  const auto backend = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  ASSERT_OK_AND_ASSIGN(const auto ops, backend->Open({6, 4, 5}));
  ASSERT_OK_AND_ASSIGN(const auto array, ops->Allocate({{}, {6, 4, 5}}));
  std::vector<float> values(6 * 4 * 5);
  std::iota(values.begin(), values.end(), 0.0F);
  ASSERT_OK(ops->Upload(values, array->box(), *array));
  const Box3 core{{1, 1, 2}, {4, 2, 3}};
  CoreReader reader(*ops, *array, core);
  for (const int64_t z : {0, 1, 2, 3, 3, 0, 2, 1, 3}) {
    std::vector<float> found(6), expected(6);
    ASSERT_OK(reader.Read(z, found));
    ASSERT_OK(ops->Download(*array, {{1 + z, 1, 2}, {1, 2, 3}}, expected));
    EXPECT_EQ(found, expected) << z;
  }
}

}  // namespace
}  // namespace deconvoy::worker
