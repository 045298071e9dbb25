#include "worker/imaging/light_correction.h"

#include <algorithm>
#include <cstddef>

namespace deconvoy::worker {

bool LightCorrection::weighs() const {
  return !flat.empty() || std::any_of(light.begin(), light.end(), [this](float s) { return s != light_maximum; });
}

void LightCorrection::Apply(int64_t z, std::span<float> photons) const {
  const float behind = backgrounds.empty() ? background : backgrounds[static_cast<size_t>(z)];
  for (size_t i = 0; i < flat.size(); ++i) photons[i] = flat[i] > 0 ? photons[i] / flat[i] : behind;
  if (light.empty() && behind == background) return;
  const float s = light.empty() ? 1 : light[static_cast<size_t>(z)];
  for (float& v : photons) v = background + (v - behind) / s;
}

void LightCorrection::Weigh(int64_t z, std::span<float> m) const {
  for (size_t i = 0; i < flat.size(); ++i) m[i] *= std::max(flat[i], 0.0F) / flat_maximum;
  if (light.empty()) return;
  const float weight = light[static_cast<size_t>(z)] / light_maximum;
  for (float& v : m) v *= weight;
}

}  // namespace deconvoy::worker
