#include "worker/backends/cpu/weights.h"

#include <gtest/gtest.h>

#include <vector>

#include "tests/support/test_support.h"

namespace deconvoy::worker::cpu {
namespace {

TEST(CpuWeightsTest, RowsAreExpandedFromTheTable) {
  const AxisClasses z = ClassesOf(6, 0, 6, 3, 1), y = EveryPosition(2), x = ClassesOf(16, 2, 10, 3, 1);
  ASSERT_OK_AND_ASSIGN(Buffer table, Buffer::OfFloats(z.count() * y.count() * x.count()));
  CpuWeights weights(z, y, x, std::move(table));
  const auto filler = weights.Filler();
  std::vector<float> row(16), scratch(16);
  for (const int64_t plane : filler->extent().planes) {
    for (int64_t line = 0; line < 2; ++line) {
      for (int64_t i = 0; i < 16; ++i) {
        row[static_cast<size_t>(i)] = static_cast<float>(100 * line + x.of[static_cast<size_t>(i)]);
      }
      filler->Write(plane, line, row.data(), scratch.data());
    }
  }
  for (int64_t i = 0; i < 16; ++i) {
    EXPECT_EQ(weights.Row(5, 1, scratch.data())[i], static_cast<float>(100 + x.of[static_cast<size_t>(i)]));
  }
}

}  // namespace
}  // namespace deconvoy::worker::cpu
