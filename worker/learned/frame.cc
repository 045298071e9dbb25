// What needs no LibTorch of worker/learned/network.h: scales, digests, and frames in boxes.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/network.h"

namespace deconvoy::worker::learned {
namespace {

// The value below which the share lies; orders what it looks at.
float Percentile(std::vector<float>& values, double percent) {
  const auto last = static_cast<double>(values.size() - 1);
  const auto at = static_cast<std::ptrdiff_t>(std::lround(std::clamp(percent, 0.0, 100.0) / 100 * last));
  std::nth_element(values.begin(), values.begin() + at, values.end());
  return values[static_cast<size_t>(at)];
}

int64_t UpTo(int64_t n, int64_t step) {
  return (n + step - 1) / step * step;
}

// As few parts of n voxels as there can be of at most `most`, about alike; a multiple of `step`.
int64_t PartOf(int64_t n, int64_t most, int64_t step) {
  const int64_t longest = UpTo(std::max<int64_t>(most, 1), step), parts = (n + longest - 1) / longest;
  return UpTo((n + parts - 1) / parts, step);
}

// Voxel i of a line of n that goes on beyond its ends as if reflected, the ends themselves once.
int64_t Mirrored(int64_t i, int64_t n) {
  if (n == 1) return 0;
  const int64_t period = 2 * (n - 1);
  const int64_t j = ((i % period) + period) % period;
  return std::min(j, period - j);
}

std::vector<float> Load(std::span<const float> frame, const Shape3& shape, const Box3& box) {
  std::vector<float> values;
  values.reserve(static_cast<size_t>(box.shape.voxels()));
  for (int64_t z = box.origin.z; z < box.end().z; ++z) {
    for (int64_t y = box.origin.y; y < box.end().y; ++y) {
      const float* row = frame.data() + (Mirrored(z, shape.z) * shape.y + Mirrored(y, shape.y)) * shape.x;
      for (int64_t x = box.origin.x; x < box.end().x; ++x) values.push_back(row[Mirrored(x, shape.x)]);
    }
  }
  return values;
}

// Puts what of `box` lies in `core` into the frame.
void Put(const std::vector<float>& values, const Box3& box, const Box3& core, const Shape3& shape,
         std::vector<float>& frame) {
  for (int64_t z = core.origin.z; z < core.end().z; ++z) {
    for (int64_t y = core.origin.y; y < core.end().y; ++y) {
      const Voxel in{z - box.origin.z, y - box.origin.y, core.origin.x - box.origin.x};
      const float* source = values.data() + (in.z * box.shape.y + in.y) * box.shape.x + in.x;
      std::copy_n(source, core.shape.x, frame.begin() + (z * shape.y + y) * shape.x + core.origin.x);
    }
  }
}

// Of several models of one box.
absl::StatusOr<Estimate> Mixture(std::span<const Model* const> models, std::span<const float> values, const Shape3& box,
                                 const Scale& scale, float noise) {
  if (models.size() == 1) return models.front()->Apply(values, box, scale, noise);
  std::vector<double> sum(values.size()), squares(values.size());
  for (const Model* model : models) {
    ASSIGN_OR_RETURN(const Estimate one, model->Apply(values, box, scale, noise));
    for (size_t i = 0; i < sum.size(); ++i) {
      const double value = one.value[i], spread = one.spread.empty() ? 0 : one.spread[i];
      sum[i] += value;
      squares[i] += value * value + spread * spread;
    }
  }
  const auto n = static_cast<double>(models.size());
  Estimate mixture{std::vector<float>(sum.size()), std::vector<float>(sum.size())};
  for (size_t i = 0; i < sum.size(); ++i) {
    const double mean = sum[i] / n;
    mixture.value[i] = static_cast<float>(mean);
    mixture.spread[i] = static_cast<float>(std::sqrt(std::max(squares[i] / n - mean * mean, 0.0)));
  }
  return mixture;
}

}  // namespace

Scale ScaleOf(std::span<const float> frame, const Percentiles& percentiles) {
  std::vector<float> values;
  values.reserve(frame.size());
  std::copy_if(frame.begin(), frame.end(), std::back_inserter(values), [](float v) { return std::isfinite(v); });
  if (values.empty()) values.push_back(0);
  const float low = Percentile(values, percentiles.low), high = Percentile(values, percentiles.high);
  return {low, std::max(high - low, kLeastRange)};
}

std::string PsfDigest(const PreparedPsf& psf) {
  const std::array<int64_t, 6> place{psf.shape.z, psf.shape.y, psf.shape.x, psf.centre.z, psf.centre.y, psf.centre.x};
  Sha256 digest;
  digest.Update(std::as_bytes(std::span(place)));
  digest.Update(std::as_bytes(std::span(psf.values)));
  return ToHex(digest.Finish());
}

absl::StatusOr<Estimate> ApplyToFrame(std::span<const Model* const> models, std::span<const float> frame,
                                      const Shape3& shape, const Scale& scale, const Shape3& core, float noise) {
  int64_t step = 1;
  Shape3 halo;
  for (const Model* model : models) {
    step = std::lcm(step, model->kind().step);
    const Shape3 one = model->halo();
    halo = {std::max(halo.z, one.z), std::max(halo.y, one.y), std::max(halo.x, one.x)};
  }
  halo = {UpTo(halo.z, step), UpTo(halo.y, step), UpTo(halo.x, step)};
  const Shape3 cut{PartOf(shape.z, core.z, step), PartOf(shape.y, core.y, step), PartOf(shape.x, core.x, step)};
  Estimate result{std::vector<float>(frame.size()), {}};
  for (int64_t z = 0; z < shape.z; z += cut.z) {
    for (int64_t y = 0; y < shape.y; y += cut.y) {
      for (int64_t x = 0; x < shape.x; x += cut.x) {
        const Box3 inner = Intersect({{z, y, x}, cut}, {{}, shape});
        const Box3 box{{z - halo.z, y - halo.y, x - halo.x},
                       {inner.shape.z + 2 * halo.z, inner.shape.y + 2 * halo.y, inner.shape.x + 2 * halo.x}};
        ASSIGN_OR_RETURN(const Estimate one, Mixture(models, Load(frame, shape, box), box.shape, scale, noise));
        Put(one.value, box, inner, shape, result.value);
        if (one.spread.empty()) continue;
        result.spread.resize(frame.size());
        Put(one.spread, box, inner, shape, result.spread);
      }
    }
  }
  return result;
}

}  // namespace deconvoy::worker::learned
