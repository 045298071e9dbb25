// The prologues of convolutions as values of kernels: what a voxel of the domain starts with.
#pragma once

#include <variant>

#include "worker/backends/cuda/fields.h"

namespace deconvoy::worker::cuda {

// An Identity, which has no previous, or an Extrapolate.
struct FieldStart {
  Extrapolated p;
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const { return p.at(z, y, x); }
};

struct ProductStart {
  Field a;
  const float* b;  // on a's box
  float a_offset, b_offset, scale;
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const {
    if (!a.holds(z, y, x)) return 0;
    const int64_t i = a.index(z, y, x);
    return scale * (a.data[i] - a_offset) * (b[i] - b_offset);
  }
};

// 1, or the mask, in a box.
struct BoxStart {
  Field box;   // without data
  Field mask;  // covers the box, or null
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const {
    if (!box.holds(z, y, x)) return 0;
    return mask.data != nullptr ? mask.at(z, y, x) : 1.0F;
  }
};

// A PSF with its centre at the origin of the domain, wrapped around.
struct PsfStart {
  const float* psf;
  Shape3 shape;
  Voxel centre;  // inside the domain: modulo its extents
  Shape3 domain;
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const {
    float sum = 0;
    for (int64_t u = Around(z + centre.z, domain.z); u < shape.z; u += domain.z) {
      for (int64_t v = Around(y + centre.y, domain.y); v < shape.y; v += domain.y) {
        for (int64_t w = Around(x + centre.x, domain.x); w < shape.x; w += domain.x) {
          sum += psf[(u * shape.y + v) * shape.x + w];
        }
      }
    }
    return sum;
  }
};

// Where |t| is at most the threshold all of t is dual, else threshold / |t| of it.
DECONVOY_DEVICE float DualShare(float square, float threshold) {
  const float length = sqrtf(square);
  return length > threshold ? threshold / length : 1.0F;
}

// K* of (whole + share s) t at a voxel, s the share of t that is dual. Of z - u it is 1 - 2 s, of u it is s.
struct TakenBack {
  const float* parts[Stencil::kMostParts];  // t, which cover the domain
  Stencil back;
  Shape3 domain;
  float threshold, whole, share;
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const {
    float sum = 0;
    for (int tap = 0; tap < back.taps; ++tap) {
      const Stencil::Tap& from = back.tap[tap];
      const int64_t k = Around(z + from.z, domain.z), j = Around(y + from.y, domain.y),
                    i = (k * domain.y + j) * domain.x + Around(x + from.x, domain.x);
      float square = 0, value = 0;
      for (int part = 0; part < back.parts; ++part) {
        const float t = parts[part][i];
        square += t * t;
        value += from.factors[part] * t;
      }
      sum += (whole + share * DualShare(square, threshold)) * value;
    }
    return sum;
  }
};

struct SplitStart {
  const float* value;  // t of z2, which covers the domain
  TakenBack slopes;    // of z - u; without parts where there are no slopes
  DECONVOY_DEVICE float operator()(int64_t z, int64_t y, int64_t x) const {
    const int64_t i = (z * slopes.domain.y + y) * slopes.domain.x + x;
    return fabsf(value[i]) + slopes(z, y, x);
  }
};

using Start = std::variant<FieldStart, ProductStart, SplitStart, BoxStart, PsfStart>;

}  // namespace deconvoy::worker::cuda
