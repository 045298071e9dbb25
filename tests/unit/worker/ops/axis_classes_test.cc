#include "worker/ops/axis_classes.h"

#include <gtest/gtest.h>

#include <set>

namespace deconvoy::worker {
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

}  // namespace
}  // namespace deconvoy::worker
