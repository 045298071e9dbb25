#include "worker/imaging/reflection.h"

namespace deconvoy::worker {

std::vector<int64_t> ReflectedAxis(int64_t measured, int64_t domain) {
  std::vector<int64_t> source(static_cast<size_t>(domain));
  const int64_t after = measured + (domain - measured + 1) / 2;  // where the near face's reflection begins
  for (int64_t i = 0; i < domain; ++i) {
    const int64_t position = i < after ? i : i - domain;
    const int64_t period = 2 * measured;
    const int64_t phase = ((position % period) + period) % period;
    source[static_cast<size_t>(i)] = phase < measured ? phase : period - 1 - phase;
  }
  return source;
}

void ReflectPlane(std::span<const float> plane, int64_t plane_columns, std::span<const int64_t> rows,
                  std::span<const int64_t> columns, std::span<float> target) {
  size_t at = 0;
  for (int64_t row : rows) {
    const float* line = plane.data() + row * plane_columns;
    for (int64_t column : columns) target[at++] = line[column];
  }
}

}  // namespace deconvoy::worker
