#include "worker/backends/cpu/splitting.h"

#include <algorithm>
#include <cstring>
#include <utility>
#include <vector>

#include "worker/backends/cpu/pointwise.h"
#include "worker/backends/cpu/split_rows.h"
#include "worker/ops/slope_taps.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr size_t kMostParts = 6;

const CpuArray& Cast(const Array* array) {
  return static_cast<const CpuArray&>(*array);
}
CpuArray& Cast(Array* array) {
  return static_cast<CpuArray&>(*array);
}

// K, or K*, as the rows around a row and what of each belongs to which part.
class Stencil {
 public:
  struct Tap {
    size_t part;
    int64_t x;  // -1, 0 or 1
    float factor;
  };
  struct Neighbour {
    int64_t z, y;
    std::vector<Tap> taps;
  };

  // `direction` 1: from x to its parts; -1: from the parts back.
  Stencil(Slopes slopes, const std::array<float, 3>& factors, int64_t direction) {
    for (const SlopeTap& tap : SlopeTaps(slopes, factors)) {
      const int64_t z = direction * tap.offset.z, y = direction * tap.offset.y;
      auto place = std::find_if(neighbours_.begin(), neighbours_.end(),
                                [&](const Neighbour& n) { return n.z == z && n.y == y; });
      if (place == neighbours_.end()) place = neighbours_.insert(place, {.z = z, .y = y, .taps = {}});
      place->taps.push_back({tap.part, direction * tap.offset.x, tap.factor});
    }
  }

  const std::vector<Neighbour>& neighbours() const { return neighbours_; }

 private:
  std::vector<Neighbour> neighbours_;
};

int64_t Around(int64_t i, int64_t extent) {
  return (i + extent) % extent;
}

// Rows in one piece of memory, each with room for a neighbour at both ends.
class Room {
 public:
  Room(size_t rows, int64_t n) : pitch_(n + 2), values_(new float[rows * static_cast<size_t>(n + 2)]) {}
  float* row(size_t i) { return values_.get() + static_cast<int64_t>(i) * pitch_ + 1; }
  // What follows the end is the beginning.
  void Close(size_t i) {
    float* values = row(i);
    const int64_t n = pitch_ - 2;
    values[-1] = values[n - 1];
    values[n] = values[0];
  }

 private:
  const int64_t pitch_;
  const std::unique_ptr<float[]> values_;
};

// What becomes of t before it is taken back.
using GroupRow = void (*)(size_t parts, const float* const* t, float threshold, int64_t n, float* const* out);

// K* of what `group` makes of t, a row at a time.
class TakenBack {
 public:
  TakenBack(const PriorSplit& split, GroupRow group)
      : split_(split), parts_(PartsOf(split.slopes)), group_(group), back_(split.slopes, split.factors, -1) {}

  // row += factor times that. REQUIRES: parts, which cover `domain`.
  void Add(const Shape3& domain, int64_t z, int64_t y, float factor, float* row) const {
    const int64_t n = domain.x;
    Room made(parts_, n);
    const float* of_t[kMostParts];
    float* of_made[kMostParts];
    for (size_t part = 0; part < parts_; ++part) of_made[part] = made.row(part);
    for (const Stencil::Neighbour& neighbour : back_.neighbours()) {
      const int64_t plane = Around(z + neighbour.z, domain.z), line = Around(y + neighbour.y, domain.y);
      for (size_t part = 0; part < parts_; ++part) of_t[part] = Cast(split_.parts[part]).Row(plane, line);
      group_(parts_, of_t, split_.threshold, n, of_made);
      for (size_t part = 0; part < parts_; ++part) made.Close(part);
      for (const Stencil::Tap& tap : neighbour.taps) {
        AddScaledRow(of_made[tap.part] + tap.x, factor * tap.factor, n, row);
      }
    }
  }

 private:
  const PriorSplit split_;
  const size_t parts_;
  const GroupRow group_;
  const Stencil back_;
};

class SplitSource final : public RowSource {
 public:
  explicit SplitSource(const PriorSplit& split)
      : RowSource(Extent::Of(split.value->box())), split_(split), slopes_(split, GroupDualRow) {}

  void Read(int64_t z, int64_t y, float* row) const override {
    const Shape3& domain = split_.value->box().shape;
    PositiveDualRow(Cast(split_.value).Row(z, y), domain.x, row);
    if (split_.slopes != Slopes::kNone) slopes_.Add(domain, z, y, 1, row);
  }

 private:
  const PriorSplit split_;
  const TakenBack slopes_;
};

void Add(const SplitNorms& part, SplitNorms& total) {
  total.primal += part.primal;
  total.dual += part.dual;
  total.size += part.size;
}

class DataSink final : public RowSink {
 public:
  DataSink(const DataSplit& split, const Shape3& domain)
      : RowSink(Extent::Of({{}, domain})), split_(split), planes_(static_cast<size_t>(domain.z)) {}

  void Write(int64_t z, int64_t y, float* row, float* scratch) override {
    if (Cast(split_.y).HasRow(z, y)) Update(z, y, row + split_.y->box().origin.x, scratch);
    if (split_.output == nullptr) return;
    std::memcpy(Cast(split_.output).Row(z, y), row, static_cast<size_t>(split_.output->box().shape.x) * sizeof(float));
  }

  void Finish() override {
    PlaneSums total;
    for (const PlaneSums& plane : planes_) {
      Add(plane.norms, total.norms);
      total.objective += plane.objective;
      total.squares += plane.squares;
    }
    if (split_.norms != nullptr) *split_.norms = total.norms;
    if (split_.objective != nullptr) *split_.objective = total.objective;
    if (split_.squares != nullptr) *split_.squares = total.squares;
  }

 private:
  struct PlaneSums {
    SplitNorms norms;
    double objective = 0;
    double squares = 0;
  };

  void Update(int64_t z, int64_t y, float* v, float* scratch) {
    const Box3& box = split_.y->box();
    const int64_t n = box.shape.x;
    const float* measured = Cast(split_.y).Row(z, y);
    const float* mask = nullptr;
    if (split_.mask != nullptr) mask = Cast(split_.mask).Row(z, y) + (box.origin.x - split_.mask->box().origin.x);
    PlaneSums& sums = planes_[static_cast<size_t>(z)];
    if (split_.objective != nullptr) sums.objective += Objective(measured, mask, v, n, scratch);
    if (split_.squares != nullptr) sums.squares += MisfitOfRow(v, measured, mask, split_.background, n);
    const DataRow row{.y = measured,
                      .mask = mask,
                      .background = split_.background,
                      .noise = split_.noise,
                      .variance = split_.variance,
                      .rho = split_.rho,
                      .scale = split_.scale,
                      .relaxation = split_.relaxation,
                      .fresh = split_.fresh};
    Add(DataSplitRow(row, n, Cast(split_.t).Row(z, y) + (box.origin.x - split_.t->box().origin.x), v), sums.norms);
  }

  double Objective(const float* y, const float* mask, const float* v, int64_t n, float* scratch) const {
    if (split_.noise == Noise::kPoisson) {
      if (mask != nullptr) std::transform(mask, mask + n, scratch, [](float m) { return m != 0 ? 1.0F : 0.0F; });
      const float* const counted = mask != nullptr ? scratch : nullptr;
      return DivergenceOfRow(v, y, counted, split_.background, split_.floor, n);
    }
    std::memcpy(scratch, v, static_cast<size_t>(n) * sizeof(float));
    ResidualRow(y, split_.background, n, scratch);
    for (int64_t i = 0; mask != nullptr && i < n; ++i) scratch[i] = mask[i] != 0 ? scratch[i] : 0.0F;
    return SquaresOfRow(scratch, nullptr, n) / (2 * static_cast<double>(split_.variance));
  }

  const DataSplit split_;
  std::vector<PlaneSums> planes_;
};

// One plane of x into the splittings.
PriorUpdate UpdatePlane(const CpuArray& x, const PriorSplit& split, const Stencil& stencil, float scale, int64_t z) {
  const Shape3& domain = x.box().shape;
  const int64_t n = domain.x;
  const size_t parts = PartsOf(split.slopes), around = parts;  // the last row: one of x with its neighbours
  Room room(parts + 1, n);
  float* of_v[kMostParts];
  float* of_t[kMostParts];
  PriorUpdate total;
  for (int64_t y = 0; y < domain.y; ++y) {
    if (split.value != nullptr) {
      Add(PositiveSplitRow(x.Row(z, y), split.relaxation, scale, n, Cast(split.value).Row(z, y)), total.norms);
    }
    if (parts == 0) continue;
    for (size_t part = 0; part < parts; ++part) {
      of_v[part] = room.row(part);
      of_t[part] = Cast(split.parts[part]).Row(z, y);
      std::fill_n(of_v[part], n, 0.0F);
    }
    for (const Stencil::Neighbour& neighbour : stencil.neighbours()) {
      std::memcpy(room.row(around), x.Row(Around(z + neighbour.z, domain.z), Around(y + neighbour.y, domain.y)),
                  static_cast<size_t>(n) * sizeof(float));
      room.Close(around);
      for (const Stencil::Tap& tap : neighbour.taps) {
        AddScaledRow(room.row(around) + tap.x, tap.factor, n, of_v[tap.part]);
      }
    }
    const PriorUpdate row = GroupSplitRow(parts, of_v, split.threshold, split.relaxation, scale, n, of_t);
    Add(row.norms, total.norms);
    total.roughness += row.roughness;
  }
  return total;
}

}  // namespace

std::unique_ptr<RowSource> MakeSplitSource(const SplitSum& sum) {
  return std::make_unique<SplitSource>(*sum.split);
}

std::unique_ptr<RowSink> MakeDataSink(const DataSplit& split, const Shape3& domain) {
  return std::make_unique<DataSink>(split, domain);
}

PriorUpdate UpdateSplit(const CpuArray& x, const PriorSplit& split, float scale, ThreadPool& pool) {
  const Stencil stencil(split.slopes, split.factors, 1);
  std::vector<PriorUpdate> planes(static_cast<size_t>(x.box().shape.z));
  pool.ForEach(x.box().shape.z,
               [&](int64_t z, int) { planes[static_cast<size_t>(z)] = UpdatePlane(x, split, stencil, scale, z); });
  PriorUpdate total;
  for (const PriorUpdate& plane : planes) {
    Add(plane.norms, total.norms);
    total.roughness += plane.roughness;
  }
  return total;
}

void SubtractDual(const CpuArray& v, const PriorSplit& split, float factor, CpuArray& output, ThreadPool& pool) {
  const TakenBack dual(split, GroupProjectRow);
  const Shape3& domain = v.box().shape;
  pool.ForEach(domain.z, [&](int64_t z, int) {
    for (int64_t y = 0; y < domain.y; ++y) {
      std::memcpy(output.Row(z, y), v.Row(z, y), static_cast<size_t>(domain.x) * sizeof(float));
      dual.Add(domain, z, y, -factor, output.Row(z, y));
    }
  });
}

}  // namespace deconvoy::worker::cpu
