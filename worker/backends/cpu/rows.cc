#include "worker/backends/cpu/rows.h"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "worker/backends/cpu/pointwise.h"
#include "worker/backends/cpu/splitting.h"
#include "worker/backends/cpu/weights.h"

namespace deconvoy::worker::cpu {
namespace {

const CpuArray* Cast(const Array* array) {
  return static_cast<const CpuArray*>(array);
}
CpuArray* Cast(Array* array) {
  return static_cast<CpuArray*>(array);
}

// Zeroes what lies outside [begin, end) of a row.
void ClearAround(int64_t begin, int64_t end, int64_t row_length, float* row) {
  std::fill_n(row, begin, 0.0F);
  std::fill(row + end, row + row_length, 0.0F);
}

class IdentitySource final : public RowSource {
 public:
  IdentitySource(const CpuArray& input, int64_t row_length)
      : RowSource(Extent::Of(input.box())), input_(input), row_length_(row_length) {}
  void Read(int64_t z, int64_t y, float* row) const override {
    const int64_t begin = input_.box().origin.x, n = input_.box().shape.x;
    std::memcpy(row + begin, input_.Row(z, y), static_cast<size_t>(n) * sizeof(float));
    ClearAround(begin, begin + n, row_length_, row);
  }

 private:
  const CpuArray& input_;
  int64_t row_length_;
};

class ExtrapolateSource final : public RowSource {
 public:
  ExtrapolateSource(const Extrapolate& p, int64_t row_length)
      : RowSource(Extent::Of(p.x->box())), p_(p), row_length_(row_length) {}
  void Read(int64_t z, int64_t y, float* row) const override {
    const Box3& box = p_.x->box();
    ExtrapolatedRow(p_, z, y, row + box.origin.x);
    ClearAround(box.origin.x, box.end().x, row_length_, row);
  }

 private:
  Extrapolate p_;
  int64_t row_length_;
};

class ProductSource final : public RowSource {
 public:
  ProductSource(const Product& p, int64_t row_length)
      : RowSource(Extent::Of(p.a->box())), p_(p), row_length_(row_length) {}
  void Read(int64_t z, int64_t y, float* row) const override {
    const Box3& box = p_.a->box();
    OffsetProductRow(Cast(p_.a)->Row(z, y), p_.a_offset, Cast(p_.b)->Row(z, y), p_.b_offset, p_.scale, box.shape.x,
                     row + box.origin.x);
    ClearAround(box.origin.x, box.end().x, row_length_, row);
  }

 private:
  Product p_;
  int64_t row_length_;
};

class BoxSource final : public RowSource {
 public:
  BoxSource(const Box3& box, const CpuArray* mask, int64_t row_length)
      : RowSource(Extent::Of(box)), box_(box), mask_(mask), row_length_(row_length) {}
  void Read(int64_t z, int64_t y, float* row) const override {
    const int64_t begin = box_.origin.x, n = box_.shape.x;
    if (mask_ == nullptr) {
      std::fill_n(row + begin, n, 1.0F);
    } else {
      std::memcpy(row + begin, mask_->Row(z, y) + (begin - mask_->box().origin.x),
                  static_cast<size_t>(n) * sizeof(float));
    }
    ClearAround(begin, begin + n, row_length_, row);
  }

 private:
  Box3 box_;
  const CpuArray* mask_;
  int64_t row_length_;
};

int64_t Wrapped(int64_t position, int64_t extent) {
  return (position % extent + extent) % extent;
}

// Planes of the domain on which a PSF's planes fall.
Extent PsfExtent(const Shape3& shape, const Voxel& centre, const Shape3& domain) {
  std::vector<bool> hit(static_cast<size_t>(domain.z), false);
  for (int64_t u = 0; u < shape.z; ++u) hit[static_cast<size_t>(Wrapped(u - centre.z, domain.z))] = true;
  Extent extent{.planes = {}, .rows = {0, domain.y}};
  for (int64_t z = 0; z < domain.z; ++z) {
    if (hit[static_cast<size_t>(z)]) extent.planes.push_back(z);
  }
  return extent;
}

class PsfSource final : public RowSource {
 public:
  PsfSource(std::span<const float> psf, const Shape3& shape, const Voxel& centre, const Shape3& domain)
      : RowSource(PsfExtent(shape, centre, domain)), psf_(psf), shape_(shape), centre_(centre), domain_(domain) {}
  void Read(int64_t z, int64_t y, float* row) const override {
    std::fill_n(row, domain_.x, 0.0F);
    for (int64_t u = Wrapped(z + centre_.z, domain_.z); u < shape_.z; u += domain_.z) {
      for (int64_t v = Wrapped(y + centre_.y, domain_.y); v < shape_.y; v += domain_.y) {
        const float* values = psf_.data() + (u * shape_.y + v) * shape_.x;
        for (int64_t w = 0; w < shape_.x; ++w) row[Wrapped(w - centre_.x, domain_.x)] += values[w];
      }
    }
  }

 private:
  std::span<const float> psf_;
  Shape3 shape_;
  Voxel centre_;
  Shape3 domain_;
};

class StoreSink final : public RowSink {
 public:
  explicit StoreSink(const Store& store) : RowSink(Extent::Of(store.where())), store_(store), box_(store.where()) {}
  void Write(int64_t z, int64_t y, float* row, float*) override {
    float* const output = Cast(store_.output)->Row(z, y) + (box_.origin.x - store_.output->box().origin.x);
    ShiftRow(row + box_.origin.x, store_.offset, store_.floor, box_.shape.x, output);
  }

 private:
  Store store_;
  Box3 box_;
};

// The mask's row on the columns of y's box, or null.
const float* MaskRow(const Array* mask, const Box3& box, int64_t z, int64_t y) {
  return mask != nullptr ? Cast(mask)->Row(z, y) + (box.origin.x - mask->box().origin.x) : nullptr;
}

// Sums over measured voxels, as far as they are wanted.
struct ComparisonSums {
  double i_divergence = 0;
  double squares = 0;
};

void Tell(const GuardedRatio& ratio, const ComparisonSums& sums) {
  if (ratio.i_divergence != nullptr) *ratio.i_divergence = sums.i_divergence;
  if (ratio.squares != nullptr) *ratio.squares = sums.squares;
}
void Tell(const Residual& residual, const ComparisonSums& sums) {
  if (residual.squares != nullptr) *residual.squares = sums.squares;
}

// Turns n values of a convolution into the quotient or the residual, without the mask; adds their part of the sums.
void Compare(const GuardedRatio& ratio, const float* y, const float* mask, int64_t n, float* values,
             ComparisonSums& sums) {
  if (ratio.i_divergence != nullptr) {
    sums.i_divergence += DivergenceOfRow(values, y, mask, ratio.background, ratio.floor, n);
  }
  if (ratio.squares != nullptr) sums.squares += MisfitOfRow(values, y, mask, ratio.background, n);
  RatioRow(y, ratio.background, ratio.raise, ratio.floor, n, values);
}
void Compare(const Residual& residual, const float* y, const float* mask, int64_t n, float* values,
             ComparisonSums& sums) {
  ResidualRow(y, residual.background, n, values);
  if (residual.squares != nullptr) sums.squares += SquaresOfRow(values, mask, n);
}

// Of a GuardedRatio or a Residual.
template <typename Comparison>
class ComparisonSink final : public RowSink {
 public:
  ComparisonSink(const Comparison& comparison, int64_t row_length)
      : RowSink(Extent::Of(comparison.y->box())),
        comparison_(comparison),
        row_length_(row_length),
        sums_(static_cast<size_t>(comparison.y->box().shape.z)) {}

  void Write(int64_t z, int64_t y, float* row, float*) override {
    const Box3& box = comparison_.y->box();
    const int64_t n = box.shape.x;
    const float* mask = MaskRow(comparison_.mask, box, z, y);
    float* values = row + box.origin.x;
    Compare(comparison_, Cast(comparison_.y)->Row(z, y), mask, n, values, sums_[static_cast<size_t>(z - box.origin.z)]);
    if (mask != nullptr) MultiplyRow(mask, n, values);
    if (comparison_.output != nullptr) {
      std::memcpy(Cast(comparison_.output)->Row(z, y), values, static_cast<size_t>(n) * sizeof(float));
    } else {
      ClearAround(box.origin.x, box.end().x, row_length_, row);
    }
  }

  void Finish() override {
    ComparisonSums total;
    for (const ComparisonSums& plane : sums_) {
      total.i_divergence += plane.i_divergence;
      total.squares += plane.squares;
    }
    Tell(comparison_, total);
  }

 private:
  Comparison comparison_;
  int64_t row_length_;
  std::vector<ComparisonSums> sums_;  // by plane of y's box
};

// p of an update on a whole row of the domain, zero outside x's box.
void UpdatedRow(const Extrapolate& p, int64_t row_length, int64_t z, int64_t y, float* out) {
  const Box3& from = p.x->box();
  if (!Cast(p.x)->HasRow(z, y)) {
    std::fill_n(out, row_length, 0.0F);
    return;
  }
  ExtrapolatedRow(p, z, y, out + from.origin.x);
  ClearAround(from.origin.x, from.end().x, row_length, out);
}

class AddSink final : public RowSink {
 public:
  AddSink(const AddUpdate& update, int64_t row_length)
      : RowSink(Extent::Of(update.output->box())),
        update_(update),
        row_length_(row_length),
        sums_(static_cast<size_t>(update.squares != nullptr ? update.output->box().shape.z : 0), 0.0) {}

  void Write(int64_t z, int64_t y, float* row, float* scratch) override {
    const Box3& box = update_.output->box();
    UpdatedRow(update_.p, row_length_, z, y, scratch);
    const float* addend = nullptr;
    if (update_.addend != nullptr) {
      addend = Cast(update_.addend)->Row(z, y) + (box.origin.x - update_.addend->box().origin.x);
    }
    const StepRow step{.step = update_.step,
                       .addend = addend,
                       .scale = update_.scale,
                       .offset = update_.offset,
                       .floor = update_.floor,
                       .ceiling = update_.ceiling};
    const float* const v = row + box.origin.x;
    if (update_.squares != nullptr) {
      sums_[static_cast<size_t>(z - box.origin.z)] += SquaresOfStep(v, step, box.shape.x);
    }
    AddStep(scratch + box.origin.x, v, step, box.shape.x, Cast(update_.output)->Row(z, y));
  }

  void Finish() override {
    if (update_.squares != nullptr) *update_.squares = std::accumulate(sums_.begin(), sums_.end(), 0.0);
  }

 private:
  AddUpdate update_;
  int64_t row_length_;
  std::vector<double> sums_;  // by plane of output's box
};

class UpdateSink final : public RowSink {
 public:
  UpdateSink(const MultiplyUpdate& update, int64_t row_length)
      : RowSink(Extent::Of(update.output->box())),
        update_(update),
        row_length_(row_length),
        products_(static_cast<size_t>(update.change != nullptr ? update.output->box().shape.z : 0)) {}

  void Write(int64_t z, int64_t y, float* row, float* scratch) override {
    const Box3& box = update_.output->box();
    float* p = scratch;
    float* weights = scratch + row_length_;
    UpdatedRow(update_.p, row_length_, z, y, p);
    const int64_t begin = box.origin.x, n = box.shape.x;
    float* out = Cast(update_.output)->Row(z, y);
    const float* w = nullptr;
    if (update_.weights != nullptr) {
      w = static_cast<const CpuWeights*>(update_.weights)->Row(z, y, weights);
    } else if (update_.penalty != nullptr) {
      std::fill_n(weights, row_length_, 1.0F);
      w = weights;
    }
    if (update_.penalty != nullptr) {
      const float* penalty = Cast(update_.penalty)->Row(z, y) + (begin - update_.penalty->box().origin.x);
      PenalisedUpdateRow(p + begin, row + begin, w + begin,
                         {.penalty = penalty, .strength = update_.strength, .least = update_.least_denominator},
                         update_.weight_floor, update_.floor, n, out);
    } else if (w != nullptr) {
      UpdateRow(p + begin, row + begin, w + begin, update_.weight_floor, update_.full_weight, update_.floor, n, out);
    } else {
      ProductRow(p + begin, row + begin, update_.floor, n, out);
    }
    if (update_.change == nullptr) return;
    const RowProducts sums = ChangeRow(out, p + begin, n, Cast(update_.change)->Row(z, y));
    ChangeProducts& plane = products_[static_cast<size_t>(z - box.origin.z)];
    plane.new_old += sums.new_old;
    plane.old_old += sums.old_old;
  }

  void Finish() override {
    if (update_.change == nullptr) return;
    *update_.products = {};
    for (const ChangeProducts& plane : products_) {
      update_.products->new_old += plane.new_old;
      update_.products->old_old += plane.old_old;
    }
  }

 private:
  MultiplyUpdate update_;
  int64_t row_length_;
  std::vector<ChangeProducts> products_;  // by plane of output's box
};

class DivideSink final : public RowSink {
 public:
  explicit DivideSink(const Divide& divide) : RowSink(Extent::Of(divide.output->box())), divide_(divide) {}

  void Write(int64_t z, int64_t y, float* row, float* scratch) override {
    const Box3& box = divide_.output->box();
    float* out = Cast(divide_.output)->Row(z, y);
    if (divide_.weights == nullptr) {
      std::memcpy(out, row + box.origin.x, static_cast<size_t>(box.shape.x) * sizeof(float));
      return;
    }
    const float* w = static_cast<const CpuWeights*>(divide_.weights)->Row(z, y, scratch);
    DivideRow(row + box.origin.x, w + box.origin.x, divide_.weight_floor, divide_.otherwise, box.shape.x, out);
  }

 private:
  Divide divide_;
};

class ConsensusSink final : public RowSink {
 public:
  explicit ConsensusSink(const ConsensusUpdate& update) : RowSink(Extent::Of(update.x->box())), update_(update) {}

  void Write(int64_t z, int64_t y, float* row, float*) override {
    const Box3& box = update_.x->box();
    const auto part = [&](const Array* array) {
      return Cast(array)->Row(z, y) + (box.origin.x - array->box().origin.x);
    };
    ConsensusRow(row + box.origin.x, part(update_.first), part(update_.second), box.shape.x,
                 Cast(update_.x)->Row(z, y));
  }

 private:
  ConsensusUpdate update_;
};

}  // namespace

void ExtrapolatedRow(const Extrapolate& p, int64_t z, int64_t y, float* out) {
  const float* x = Cast(p.x)->Row(z, y);
  const int64_t n = p.x->box().shape.x;
  if (p.alpha == 0) {
    std::memcpy(out, x, static_cast<size_t>(n) * sizeof(float));
  } else {
    ExtrapolateRow(x, Cast(p.x_previous)->Row(z, y), p.alpha, p.floor, n, out);
  }
}

Extent Extent::Of(const Box3& box) {
  Extent extent{.planes = std::vector<int64_t>(static_cast<size_t>(box.shape.z)), .rows = {box.origin.y, box.end().y}};
  std::iota(extent.planes.begin(), extent.planes.end(), box.origin.z);
  return extent;
}

std::unique_ptr<RowSource> MakeSource(const Prologue& prologue, int64_t row_length) {
  if (const auto* identity = std::get_if<Identity>(&prologue)) {
    return std::make_unique<IdentitySource>(*Cast(identity->input), row_length);
  }
  if (const auto* sum = std::get_if<SplitSum>(&prologue)) return MakeSplitSource(*sum);
  if (const auto* product = std::get_if<Product>(&prologue)) {
    return std::make_unique<ProductSource>(*product, row_length);
  }
  return std::make_unique<ExtrapolateSource>(std::get<Extrapolate>(prologue), row_length);
}

std::unique_ptr<RowSink> MakeSink(const Epilogue& epilogue, int64_t row_length) {
  if (const auto* store = std::get_if<Store>(&epilogue)) return std::make_unique<StoreSink>(*store);
  if (const auto* ratio = std::get_if<GuardedRatio>(&epilogue)) {
    return std::make_unique<ComparisonSink<GuardedRatio>>(*ratio, row_length);
  }
  if (const auto* residual = std::get_if<Residual>(&epilogue)) {
    return std::make_unique<ComparisonSink<Residual>>(*residual, row_length);
  }
  if (const auto* add = std::get_if<AddUpdate>(&epilogue)) return std::make_unique<AddSink>(*add, row_length);
  if (const auto* split = std::get_if<DataSplit>(&epilogue)) {
    return MakeDataSink(*split, split->output->box().shape);
  }
  if (const auto* divide = std::get_if<Divide>(&epilogue)) return std::make_unique<DivideSink>(*divide);
  if (const auto* update = std::get_if<ConsensusUpdate>(&epilogue)) return std::make_unique<ConsensusSink>(*update);
  return std::make_unique<UpdateSink>(std::get<MultiplyUpdate>(epilogue), row_length);
}

std::unique_ptr<RowSource> MakeBoxSource(const Box3& box, const Array* mask, int64_t row_length) {
  return std::make_unique<BoxSource>(box, Cast(mask), row_length);
}

std::unique_ptr<RowSource> MakePsfSource(std::span<const float> psf, const Shape3& shape, const Voxel& centre,
                                         const Shape3& domain) {
  return std::make_unique<PsfSource>(psf, shape, centre, domain);
}

}  // namespace deconvoy::worker::cpu
