// The part of the backends' contract that sparse methods rest on; included by backend_suite.h.
#pragma once

#include <cmath>
#include <vector>

#include "tests/contract/backend_fixture.h"
#include "tests/reference/wavelets.h"

namespace deconvoy::worker {

TEST_P(BackendSuite, WaveletsGiveBackWhatIsNotShrunk) {
  for (const Shape3& domain : Domains()) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Volume field = RandomField(whole_, -5, 5);
    for (const Wavelet wavelet : {Wavelet::kHaar, Wavelet::kSpline1, Wavelet::kSpline3, Wavelet::kSpline5}) {
      const auto array = ToArray(field, whole_);
      ASSERT_OK(ops_->ShrinkWavelets({.wavelet = wavelet, .scales = 3, .threshold = 0}, *array));
      EXPECT_LE(Difference(ToField(*array), field, whole_), 4 * kRounding) << static_cast<int>(wavelet);
    }
  }
}

TEST_P(BackendSuite, ShrinksWaveletsAsTheReferenceDoes) {
  for (const Shape3& domain : {Shape3{8, 16, 24}, Shape3{5, 6, 9}, Shape3{1, 7, 10}, Shape3{3, 19, 34}}) {
    SCOPED_TRACE(::testing::Message() << domain.z << "x" << domain.y << "x" << domain.x);
    Open(domain, 2);
    const Volume field = RandomField(whole_, -5, 5);
    for (const int degree : {0, 1, 3, 5}) {
      const Wavelet wavelet = degree == 0   ? Wavelet::kHaar
                              : degree == 1 ? Wavelet::kSpline1
                              : degree == 3 ? Wavelet::kSpline3
                                            : Wavelet::kSpline5;
      for (const Voxel& start : {Voxel{0, 0, 0}, Voxel{domain.z - 1, 2, 3}}) {
        const auto array = ToArray(field, whole_);
        ASSERT_OK_AND_ASSIGN(
            const double sum,
            ops_->ShrinkWavelets({.wavelet = wavelet, .scales = 2, .threshold = 1.5F, .start = start}, *array));
        const reference::Shrunk expected =
            reference::ShrinkWavelets(field, degree, 2, 1.5, {start.z, start.y, start.x});
        EXPECT_LE(Difference(ToField(*array), expected.volume, whole_), 10 * kRounding) << degree;
        EXPECT_NEAR(sum, expected.magnitudes, 1e-4 * expected.magnitudes + 1e-6) << degree;
      }
    }
  }
}

}  // namespace deconvoy::worker
