// Which positions of an axis see the same part of a PSF: where nothing is masked, w = H* m is the same at all of them.
#pragma once

#include <cstdint>
#include <vector>

namespace deconvoy::worker {

// Class of every position of one axis.
struct AxisClasses {
  std::vector<int32_t> of;              // by position in the domain
  std::vector<int64_t> representative;  // by class: a position
  int64_t count() const { return static_cast<int64_t>(representative.size()); }
};

// By the parts of a PSF of extent `psf` with the given centre that meet [begin, begin + measured) when correlated
// around each position of a circle of `domain`.
AxisClasses ClassesOf(int64_t domain, int64_t begin, int64_t measured, int64_t psf, int64_t centre);

// Every position of an axis is a class.
AxisClasses EveryPosition(int64_t domain);

}  // namespace deconvoy::worker
