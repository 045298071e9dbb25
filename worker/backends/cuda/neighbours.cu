// What depends on neighbouring voxels: roughness and splittings by differences.
#include "worker/backends/cuda/kernels.h"

namespace deconvoy::worker::cuda {
namespace {

// A voxel's neighbours along an axis of a box, from 0: at its end the voxel itself, so that the difference is 0, or the
// other end.
DECONVOY_DEVICE int64_t Next(int64_t i, int64_t extent, bool periodic) {
  return i + 1 < extent ? i + 1 : periodic ? 0 : i;
}
DECONVOY_DEVICE int64_t Before(int64_t i, int64_t extent, bool periodic) {
  return i > 0 ? i - 1 : periodic ? extent - 1 : i;
}

// p at positions of its box, from 0.
struct BoxedField {
  Extrapolated p;
  DECONVOY_DEVICE float at(int64_t z, int64_t y, int64_t x) const {
    return p.inside(p.x.origin.z + z, p.x.origin.y + y, p.x.origin.x + x);
  }
};

struct TotalVariationVisit {
  BoxedField p;
  float factor_z, factor_y, factor_x, floor;
  bool periodic;
  float* output;

  // D p / max(|D p|, floor)
  struct Direction {
    float z, y, x;
  };
  DECONVOY_DEVICE Direction DirectionAt(int64_t z, int64_t y, int64_t x) const {
    const Shape3& n = p.p.x.shape;
    const float here = p.at(z, y, x);
    const float dz = factor_z * (p.at(Next(z, n.z, periodic), y, x) - here);
    const float dy = factor_y * (p.at(z, Next(y, n.y, periodic), x) - here);
    const float dx = factor_x * (p.at(z, y, Next(x, n.x, periodic)) - here);
    const float inverse = 1 / AtLeast(sqrtf(dz * dz + dy * dy + dx * dx), floor);
    return {dz * inverse, dy * inverse, dx * inverse};
  }
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const Shape3& n = p.p.x.shape;
    const Direction here = DirectionAt(z, y, x);
    float before_z = 0, before_y = 0, before_x = 0;
    if (z > 0 || periodic) before_z = DirectionAt(Before(z, n.z, periodic), y, x).z;
    if (y > 0 || periodic) before_y = DirectionAt(z, Before(y, n.y, periodic), x).y;
    if (x > 0 || periodic) before_x = DirectionAt(z, y, Before(x, n.x, periodic)).x;
    output[(z * n.y + y) * n.x + x] =
        factor_z * (before_z - here.z) + factor_y * (before_y - here.y) + factor_x * (before_x - here.x);
  }
};

struct GoodVisit {
  BoxedField p;
  float factor_z, factor_y, factor_x, floor;
  bool periodic;
  float* output;

  DECONVOY_DEVICE float Root(int64_t z, int64_t y, int64_t x) const { return sqrtf(AtLeast(p.at(z, y, x), floor)); }
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const Shape3& n = p.p.x.shape;
    const float u = Root(z, y, x), twice = 2 * u;
    const float along_z = twice - Root(Before(z, n.z, periodic), y, x) - Root(Next(z, n.z, periodic), y, x);
    const float along_y = twice - Root(z, Before(y, n.y, periodic), x) - Root(z, Next(y, n.y, periodic), x);
    const float along_x = twice - Root(z, y, Before(x, n.x, periodic)) - Root(z, y, Next(x, n.x, periodic));
    output[(z * n.y + y) * n.x + x] =
        4 * (factor_z * factor_z * along_z + factor_y * factor_y * along_y + factor_x * factor_x * along_x) / u;
  }
};

DECONVOY_DEVICE void AddNorms(float primal, float dual, float size, Totals<4>& sums) {
  sums.value[0] += static_cast<double>(primal) * primal;
  sums.value[1] += static_cast<double>(dual) * dual;
  sums.value[2] += static_cast<double>(size) * size;
}

struct UpdateValueVisit {
  SplitUpdate update;
  float* t;
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x, Totals<4>& sums) const {
    const int64_t i = (plane * update.domain.y + y) * update.domain.x + x;
    const float v = update.x[i], before = t[i], z_before = AtLeast(before, 0), u_before = before - z_before;
    const float next = update.relaxation * v + (1 - update.relaxation) * z_before + u_before;
    const float z = AtLeast(next, 0), u = next - z;
    t[i] = z + update.scale * u;
    AddNorms(v - z, z - z_before, z, sums);
  }
};

template <int kParts>
struct UpdateSlopesVisit {
  SplitUpdate update;
  Stencil forth;
  float* t[kParts];
  float threshold;

  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x, Totals<4>& sums) const {
    const Shape3& n = update.domain;
    float v[kParts], of_t[kParts];
    DECONVOY_UNROLL(6)
    for (int part = 0; part < kParts; ++part) v[part] = 0;
    for (int tap = 0; tap < forth.taps; ++tap) {
      const Stencil::Tap& from = forth.tap[tap];
      const float value =
          update.x[(Around(plane + from.z, n.z) * n.y + Around(y + from.y, n.y)) * n.x + Around(x + from.x, n.x)];
      DECONVOY_UNROLL(6)
      for (int part = 0; part < kParts; ++part) v[part] += from.factors[part] * value;
    }
    const int64_t i = (plane * n.y + y) * n.x + x;
    float square_v = 0, square_t = 0, square_next = 0;
    DECONVOY_UNROLL(6)
    for (int part = 0; part < kParts; ++part) {
      of_t[part] = t[part][i];
      square_v += v[part] * v[part];
      square_t += of_t[part] * of_t[part];
    }
    const float before = DualShare(square_t, threshold), relaxation = update.relaxation;
    DECONVOY_UNROLL(6)
    for (int part = 0; part < kParts; ++part) {
      const float next = relaxation * v[part] + (1 - relaxation + relaxation * before) * of_t[part];
      square_next += next * next;
    }
    const float after = DualShare(square_next, threshold);
    DECONVOY_UNROLL(6)
    for (int part = 0; part < kParts; ++part) {
      const float next = relaxation * v[part] + (1 - relaxation + relaxation * before) * of_t[part];
      const float u_before = before * of_t[part], u = after * next, z = next - u;
      AddNorms(v[part] - z, z - (of_t[part] - u_before), z, sums);
      t[part][i] = z + update.scale * u;
    }
    sums.value[3] += sqrtf(square_v);
  }
};

template <int kParts>
int UpdateSlopes(const LaunchPlace& place, const SplitUpdate& update, const SlopesUpdate& slopes, Totals<4>* sums) {
  UpdateSlopesVisit<kParts> visit{update, slopes.forth, {}, slopes.threshold};
  for (int part = 0; part < kParts; ++part) visit.t[part] = slopes.t[static_cast<size_t>(part)];
  return Sum(place, update.domain, /*onto=*/true, sums, visit);
}

struct SubtractVisit {
  const float* v;
  TakenBack taken;
  float factor;
  float* output;
  DECONVOY_DEVICE void operator()(int64_t z, int64_t y, int64_t x) const {
    const int64_t i = (z * taken.domain.y + y) * taken.domain.x + x;
    output[i] = v[i] - factor * taken(z, y, x);
  }
};

}  // namespace

int RunTotalVariation(const LaunchPlace& place, const RoughnessOf& r, const Field& output) {
  return ForEach(
      place, output.shape,
      TotalVariationVisit{{r.p}, r.factors[0], r.factors[1], r.factors[2], r.floor, r.periodic, output.data});
}

int RunGood(const LaunchPlace& place, const RoughnessOf& r, const Field& output) {
  return ForEach(place, output.shape,
                 GoodVisit{{r.p}, r.factors[0], r.factors[1], r.factors[2], r.floor, r.periodic, output.data});
}

int RunUpdateValue(const LaunchPlace& place, const SplitUpdate& update, float* t, Totals<4>* sums) {
  return Sum(place, update.domain, /*onto=*/true, sums, UpdateValueVisit{update, t});
}

int RunUpdateSlopes(const LaunchPlace& place, const SplitUpdate& update, const SlopesUpdate& slopes, Totals<4>* sums) {
  return slopes.forth.parts == 3 ? UpdateSlopes<3>(place, update, slopes, sums)
                                 : UpdateSlopes<6>(place, update, slopes, sums);
}

int RunSubtract(const LaunchPlace& place, const float* v, const TakenBack& taken, float factor, float* output) {
  return ForEach(place, taken.domain, SubtractVisit{v, taken, factor, output});
}

}  // namespace deconvoy::worker::cuda
