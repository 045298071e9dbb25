#include "worker/ops/axis_classes.h"

#include <algorithm>
#include <map>
#include <numeric>
#include <utility>

namespace deconvoy::worker {
namespace {

// The voxels [first, second) of a PSF that meet the measured box around a position, going round the circle as often as
// needed; touching parts are one.
using Parts = std::vector<std::pair<int64_t, int64_t>>;

Parts MeasuredParts(int64_t position, int64_t domain, int64_t measured, int64_t psf, int64_t centre) {
  Parts parts;
  int64_t first = (centre - position) % domain;  // where the box begins in the PSF's voxels
  while (first + measured > 0) first -= domain;
  for (first += domain; first < psf; first += domain) {
    const std::pair<int64_t, int64_t> part{std::max<int64_t>(first, 0), std::min(first + measured, psf)};
    if (!parts.empty() && parts.back().second == part.first) {
      parts.back().second = part.second;
    } else {
      parts.push_back(part);
    }
  }
  return parts;
}

}  // namespace

AxisClasses ClassesOf(int64_t domain, int64_t begin, int64_t measured, int64_t psf, int64_t centre) {
  AxisClasses classes;
  classes.of.resize(static_cast<size_t>(domain));
  std::map<Parts, int32_t> known;
  for (int64_t position = 0; position < domain; ++position) {
    const Parts part = MeasuredParts(position - begin, domain, measured, psf, centre);
    const auto [entry, is_new] = known.try_emplace(part, static_cast<int32_t>(classes.count()));
    if (is_new) classes.representative.push_back(position);
    classes.of[static_cast<size_t>(position)] = entry->second;
  }
  return classes;
}

AxisClasses EveryPosition(int64_t domain) {
  AxisClasses classes;
  classes.of.resize(static_cast<size_t>(domain));
  classes.representative.resize(static_cast<size_t>(domain));
  std::iota(classes.of.begin(), classes.of.end(), 0);
  std::iota(classes.representative.begin(), classes.representative.end(), int64_t{0});
  return classes;
}

}  // namespace deconvoy::worker
