#include "worker/backends/cpu/weights.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/test_support.h"

namespace deconvoy::worker::cpu {
namespace {

// The part of the PSF that meets the measured interval from `position`, found by trying every voxel.
std::set<int64_t> PartOf(int64_t position, int64_t domain, int64_t begin, int64_t measured, int64_t psf,
                         int64_t centre) {
  std::set<int64_t> part;
  for (int64_t u = 0; u < psf; ++u) {
    const int64_t met = ((position + u - centre - begin) % domain + domain) % domain;
    if (met < measured) part.insert(u);
  }
  return part;
}

TEST(WeightClassesTest, PositionsOfAClassSeeTheSamePartOfThePsf) {
  for (const int64_t domain : {20, 23, 31}) {
    for (const int64_t begin : {0, 3}) {
      for (const int64_t psf : {1, 4, 9}) {
        for (int64_t centre = 0; centre < psf; centre += 2) {
          const int64_t measured = 12;
          const AxisClasses classes = ClassesOf(domain, begin, measured, psf, centre);
          for (int64_t position = 0; position < domain; ++position) {
            const int32_t c = classes.of[static_cast<size_t>(position)];
            EXPECT_EQ(PartOf(position, domain, begin, measured, psf, centre),
                      PartOf(classes.representative[static_cast<size_t>(c)], domain, begin, measured, psf, centre))
                << domain << " " << begin << " " << psf << " " << centre << " at " << position;
          }
        }
      }
    }
  }
}

TEST(WeightClassesTest, ASmallPsfHasFewClasses) {
  EXPECT_LE(ClassesOf(1000, 0, 900, 15, 7).count(), 2 * 15);
  EXPECT_EQ(ClassesOf(1000, 0, 1000, 15, 7).count(), 1);
  EXPECT_EQ(EveryPosition(17).count(), 17);
}

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
