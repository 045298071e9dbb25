#include "worker/backends/cpu/roughness.h"

#include <utility>
#include <vector>

#include "worker/backends/cpu/pointwise.h"

namespace deconvoy::worker::cpu {
namespace {

using Row = std::vector<float>;

// Where a neighbour lies: at the end of the box it is the voxel itself, so that the difference is 0, or the other end.
class Neighbours {
 public:
  Neighbours(int64_t begin, int64_t end, bool periodic) : begin_(begin), end_(end), periodic_(periodic) {}
  int64_t next(int64_t i) const { return i + 1 < end_ ? i + 1 : periodic_ ? begin_ : i; }
  int64_t before(int64_t i) const { return i > begin_ ? i - 1 : periodic_ ? end_ - 1 : i; }
  bool has_before(int64_t i) const { return i > begin_ || periodic_; }

 private:
  int64_t begin_, end_;
  bool periodic_;
};

// What the passes over one plane share.
class Field {
 public:
  Field(const Extrapolate& p, const Differences& differences, float least)
      : z(p.x->box().origin.z, p.x->box().end().z, differences.periodic),
        y(p.x->box().origin.y, p.x->box().end().y, differences.periodic),
        n(p.x->box().shape.x),
        factors{differences.factors[0], differences.factors[1], differences.factors[2]},
        floor(least),
        periodic(differences.periodic),
        p_(p) {}

  // A row of p from row[1] on, with its neighbours at row[0] and row[n + 1].
  void Read(int64_t plane, int64_t line, Row& row) const {
    ExtrapolatedRow(p_, plane, line, row.data() + 1);
    Surround(row);
  }
  void Surround(Row& row) const {
    const auto last = static_cast<size_t>(n);
    row[0] = periodic ? row[last] : row[1];
    row[last + 1] = periodic ? row[1] : row[last];
  }
  Row Room() const { return Row(static_cast<size_t>(n) + 2); }

  const Neighbours z, y;
  const int64_t n;
  const DifferenceRow factors;
  const float floor;
  const bool periodic;

 private:
  const Extrapolate& p_;
};

// Dx / max(|Dx|, floor) on one row at a time.
class Directions {
 public:
  explicit Directions(const Field& field)
      : gz(field.Room()), gy(field.Room()), gx(field.Room()), field_(field), p_(gz), plane_(gz), row_(gz) {}
  void Compute(int64_t z, int64_t y) {
    field_.Read(z, y, p_);
    field_.Read(field_.z.next(z), y, plane_);
    field_.Read(z, field_.y.next(y), row_);
    DirectionRow(p_.data() + 1, plane_.data() + 1, row_.data() + 1, field_.factors, field_.floor, field_.n,
                 gz.data() + 1, gy.data() + 1, gx.data() + 1);
  }

  Row gz, gy, gx;  // from [1] on

 private:
  const Field& field_;
  Row p_, plane_, row_;
};

void DeriveTotalVariation(const Field& field, int64_t z, const Box3& box, CpuArray& output) {
  Directions here(field), plane_before(field), row_before(field);
  const Row none(static_cast<size_t>(field.n) + 2, 0.0F);
  for (int64_t y = box.origin.y; y < box.end().y; ++y) {
    here.Compute(z, y);
    const bool has_plane = field.z.has_before(z), has_row = field.y.has_before(y);
    if (has_plane) plane_before.Compute(field.z.before(z), y);
    if (y == box.origin.y && has_row) row_before.Compute(z, field.y.before(y));
    field.Surround(here.gx);
    if (!field.periodic) here.gx[0] = 0;
    DivergenceRow((has_plane ? plane_before.gz : none).data() + 1, here.gz.data() + 1,
                  (has_row ? row_before.gy : none).data() + 1, here.gy.data() + 1, here.gx.data(), here.gx.data() + 1,
                  field.factors, field.n, output.Row(z, y));
    std::swap(row_before.gy, here.gy);
  }
}

void DeriveGood(const Field& field, int64_t z, const Box3& box, CpuArray& output) {
  Row u = field.Room(), plane_before = u, plane_next = u, row_before = u, row_next = u;
  const auto root = [&](int64_t plane, int64_t line, Row& row) {
    field.Read(plane, line, row);
    RootRow(row.data(), field.floor, field.n + 2, row.data());
  };
  for (int64_t y = box.origin.y; y < box.end().y; ++y) {
    root(z, y, u);
    root(field.z.before(z), y, plane_before);
    root(field.z.next(z), y, plane_next);
    root(z, field.y.before(y), row_before);
    root(z, field.y.next(y), row_next);
    RoughnessRow(u.data() + 1, plane_before.data() + 1, plane_next.data() + 1, row_before.data() + 1,
                 row_next.data() + 1, field.factors, field.n, output.Row(z, y));
  }
}

}  // namespace

void DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                     CpuArray& output, ThreadPool& pool) {
  const Field field(p, differences, floor);
  const Box3& box = p.x->box();
  pool.ForEach(box.shape.z, [&](int64_t plane, int) {
    const int64_t z = box.origin.z + plane;
    if (kind == Roughness::kTotalVariation) {
      DeriveTotalVariation(field, z, box, output);
    } else {
      DeriveGood(field, z, box, output);
    }
  });
}

}  // namespace deconvoy::worker::cpu
