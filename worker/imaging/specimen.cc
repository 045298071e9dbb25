#include "worker/imaging/specimen.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <span>

#include "worker/imaging/canvas.h"
#include "worker/imaging/random.h"

namespace deconvoy::worker {
namespace {

// How many structures: one per `area` columns in each layer of `depth` planes, at least `least`.
int64_t Count(const Canvas& canvas, int64_t area, int64_t depth, int64_t least) {
  const Shape3& s = canvas.shape();
  return std::max(least, s.y * s.x / area * std::max<int64_t>(s.z / depth, 1));
}

// A place in voxels, at least `margin` of the extent away from the faces.
Point Place(const Canvas& canvas, Random& random, double margin) {
  const Shape3& s = canvas.shape();
  const auto along = [&](int64_t extent) {
    return random.Uniform(margin, 1 - margin) * static_cast<double>(extent - 1);
  };
  const double z = along(s.z), y = along(s.y), x = along(s.x);
  return {z, y, x};
}

double Length(const Point& p) {
  return std::sqrt(p.z * p.z + p.y * p.y + p.x * p.x);
}

// A random vector inside the unit ball.
Point InBall(Random& random) {
  for (;;) {
    const double z = random.Uniform(-1, 1), y = random.Uniform(-1, 1), x = random.Uniform(-1, 1);
    if (const Point p{z, y, x}; Length(p) <= 1 && Length(p) > 0.01) return p;
  }
}

Point Unit(const Point& p) {
  const double length = Length(p);
  return {p.z / length, p.y / length, p.x / length};
}

// Walks from a random place in both directions, turning a little at each step.
void Filament(Canvas& canvas, Random& random, double weight) {
  constexpr double kStep = 0.5, kTurn = 0.09, kFlatness = 0.35;
  const Point start = Place(canvas, random, 0.05);
  const Point heading = InBall(random);
  const double radius = random.Uniform(1.2, 1.7), brightness = weight * random.Uniform(0.5, 1) * kStep;
  const auto steps = static_cast<int64_t>((canvas.extent().y + canvas.extent().x) / 2 / kStep);
  for (const double side : {1.0, -1.0}) {
    Point place = start, direction = Unit({side * kFlatness * heading.z, side * heading.y, side * heading.x});
    for (int64_t i = 0; i < steps; ++i) {
      canvas.Blob(place, radius, brightness);
      const Point turn = InBall(random);
      direction =
          Unit({direction.z + kTurn * kFlatness * turn.z, direction.y + kTurn * turn.y, direction.x + kTurn * turn.x});
      const Point step = canvas.ToVoxels({kStep * direction.z, kStep * direction.y, kStep * direction.x});
      place = {place.z + step.z, place.y + step.y, place.x + step.x};
    }
  }
}

void Shell(Canvas& canvas, Random& random, double weight) {
  const Point extent = canvas.extent();
  const double most = std::max(3.0, std::min({14.0, extent.y / 3, extent.x / 3}));
  const Point centre = Place(canvas, random, 0.1);
  const double radius = random.Uniform(0.4 * most, most), brightness = weight * random.Uniform(0.5, 1);
  const double thickness = std::max(1.4, 0.8 * canvas.z_spacing()), reach = radius + thickness;
  canvas.Add(centre, {reach, reach, reach}, brightness, [&](const Point& d) {
    const double q = (Length(d) - radius) / thickness;
    const double inside = std::max(1 - q * q, 0.0);
    return inside * inside;
  });
}

void Bead(Canvas& canvas, Random& random, double weight) {
  canvas.Blob(Place(canvas, random, 0.08), 1.6, weight);
}

// Smooth noise between 0 and 1: hashed lattice values, blended linearly.
class Texture {
 public:
  Texture(uint64_t seed, double cell) : seed_(seed), cell_(cell) {}

  double At(const Point& p) const {
    const Point q{p.z / cell_, p.y / cell_, p.x / cell_};
    const Point base{std::floor(q.z), std::floor(q.y), std::floor(q.x)};
    const Point f{q.z - base.z, q.y - base.y, q.x - base.x};
    double value = 0;
    for (int corner = 0; corner < 8; ++corner) {
      const bool z = (corner & 4) != 0, y = (corner & 2) != 0, x = (corner & 1) != 0;
      value +=
          (z ? f.z : 1 - f.z) * (y ? f.y : 1 - f.y) * (x ? f.x : 1 - f.x) * Node({base.z + z, base.y + y, base.x + x});
    }
    return value;
  }

 private:
  double Node(const Point& node) const {
    const auto key = [](double v) { return static_cast<uint64_t>(static_cast<int64_t>(v) + (1 << 20)); };
    return Random::OfVoxel(seed_, 7, (key(node.z) << 42) ^ (key(node.y) << 21) ^ key(node.x)).Uniform();
  }

  const uint64_t seed_;
  const double cell_;
};

void Nucleus(Canvas& canvas, Random& random, double weight) {
  const Point extent = canvas.extent();
  const double side = std::min(extent.y, extent.x);
  const Point centre = Place(canvas, random, 0.2);
  const double y = side * random.Uniform(0.1, 0.18), x = side * random.Uniform(0.1, 0.18);
  const Point axes{std::max(std::min(extent.z * random.Uniform(0.25, 0.35), 1.2 * y), 1.0), y, x};
  const Texture coarse(random.Next(), 7), fine(random.Next(), 3);
  const double brightness = weight * random.Uniform(0.6, 1);
  canvas.Add(centre, axes, brightness, [&](const Point& d) {
    const double q = Length({d.z / axes.z, d.y / axes.y, d.x / axes.x});
    const double edge = std::clamp((1 - q) * std::min(axes.y, axes.x) / 3, 0.0, 1.0);
    const double texture = std::clamp(1.2 * coarse.At(d) + 0.8 * fine.At(d) - 0.5, 0.0, 1.0);
    return edge * edge * (3 - 2 * edge) * (0.2 + 1.6 * texture * texture);
  });
}

// Pairs on a grid of cells, moved a little inside their cell; those that would stick out are left out.
void Points(Canvas& canvas, Random& random, double weight, int64_t cell) {
  static constexpr std::array<int64_t, 6> kDistances{2, 3, 4, 5, 6, 8};
  const Shape3& s = canvas.shape();
  const int64_t deep = std::min<int64_t>(cell, 20);
  int64_t pair = 0;
  for (int64_t z = std::min(deep, s.z) / 2; z < s.z; z += deep) {
    for (int64_t y = std::min(cell, s.y) / 2; y < s.y; y += cell) {
      for (int64_t x = std::min(cell, s.x) / 2; x < s.x; x += cell, ++pair) {
        const int64_t distance = kDistances[static_cast<size_t>(pair % 6)],
                      axis = s.z > 16 ? pair / 6 % 3 : pair / 6 % 2;
        const Voxel first{z, y - 2 + random.Below(5), x - 2 + random.Below(5)};
        const Voxel second =
            first + Voxel{axis == 2 ? distance : 0, axis == 1 ? distance : 0, axis == 0 ? distance : 0};
        if (!Box3{{}, s}.Contains({first, {1, 1, 1}}) || !Box3{{}, s}.Contains({second, {1, 1, 1}})) continue;
        canvas.Dot(first, weight);
        canvas.Dot(second, weight);
      }
    }
  }
}

template <typename Draw>
void Repeat(int64_t count, Draw draw) {
  for (int64_t i = 0; i < count; ++i) draw();
}

// `share` 1 fills a volume with one kind; a mixture has less of each. Weights make the kinds about equally bright when
// blurred.
void Draw(Canvas& canvas, Random& random, v1::SpecimenKind kind, std::span<const v1::SpecimenKind> left_out,
          int64_t share) {
  switch (kind) {
    case v1::FILAMENTS:
      return Repeat(Count(canvas, 1600 * share, 64, 3), [&] { Filament(canvas, random, 1); });
    case v1::SHELLS:
      return Repeat(Count(canvas, 5000 * share, 48, 2), [&] { Shell(canvas, random, 1.5); });
    case v1::BEADS:
      return Repeat(Count(canvas, 1500 * share, 32, 4), [&] { Bead(canvas, random, 6); });
    case v1::POINTS:
      return Points(canvas, random, 20.0 / static_cast<double>(share), 24 * share);
    case v1::NUCLEI:
      return Repeat(Count(canvas, 16000 * share, 64, 1), [&] { Nucleus(canvas, random, 0.8); });
    default:
      for (const v1::SpecimenKind each : {v1::NUCLEI, v1::FILAMENTS, v1::SHELLS, v1::BEADS, v1::POINTS}) {
        if (std::find(left_out.begin(), left_out.end(), each) == left_out.end()) Draw(canvas, random, each, {}, 2);
      }
  }
}

}  // namespace

std::vector<float> DrawSpecimen(const SpecimenRequest& request) {
  const bool whole = request.window.empty();
  Canvas canvas(request.shape, whole ? Box3{{}, request.shape} : request.window, request.z_spacing, request.y_spacing);
  Random random = Random::OfVoxel(request.seed, 1, 0);
  Draw(canvas, random, request.kind, request.left_out, 1);
  const Voxel middle{request.shape.z / 2, request.shape.y / 2, request.shape.x / 2};
  std::vector<float> values = canvas.Take();
  // Nothing may have come to lie inside a very small volume.
  if (whole && std::none_of(values.begin(), values.end(), [](float v) { return v > 0; })) {
    values[static_cast<size_t>((middle.z * request.shape.y + middle.y) * request.shape.x + middle.x)] = 1;
  }
  return values;
}

}  // namespace deconvoy::worker
