#include "worker/backends/cpu/cpu_ops.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include <spdlog/spdlog.h>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/backends/cpu/pointwise.h"
#include "worker/backends/cpu/roughness.h"
#include "worker/backends/cpu/rows.h"
#include "worker/backends/cpu/split_rows.h"
#include "worker/backends/cpu/splitting.h"
#include "worker/backends/cpu/wavelets.h"
#include "worker/backends/cpu/weights.h"
#include "worker/ops/staging.h"

namespace deconvoy::worker::cpu {
namespace {

const CpuArray& Cast(const Array& array) {
  return static_cast<const CpuArray&>(array);
}
CpuArray& Cast(Array& array) {
  return static_cast<CpuArray&>(array);
}
const CpuOtf& Cast(const Otf* otf) {
  return static_cast<const CpuOtf&>(*otf);
}

// A wrong argument is a bug of the caller.
void Require(bool met, std::string_view requirement) {
  if (met) return;
  spdlog::critical("operation of the CPU backend: required that {}", requirement);
  std::abort();
}

size_t Bytes(int64_t floats) {
  return static_cast<size_t>(floats) * sizeof(float);
}

// Number of the row (z, y) in an array that holds `box`.
int64_t RowIndex(const Box3& box, int64_t z, int64_t y) {
  return (z - box.origin.z) * box.shape.y + (y - box.origin.y);
}

// First voxel of `box`'s columns in a row of the array.
float* Part(CpuArray& array, const Box3& box, int64_t z, int64_t y) {
  return array.Row(z, y) + (box.origin.x - array.box().origin.x);
}
const float* Part(const CpuArray& array, const Box3& box, int64_t z, int64_t y) {
  return array.Row(z, y) + (box.origin.x - array.box().origin.x);
}

constexpr Reduction kNothing{.sum = 0,
                             .minimum = std::numeric_limits<float>::infinity(),
                             .maximum = -std::numeric_limits<float>::infinity(),
                             .not_finite = 0};

void AddRow(const float* values, int64_t n, Reduction& total) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    if (!std::isfinite(values[i])) {
      ++total.not_finite;
      continue;
    }
    sum += values[i];
    total.minimum = std::min(total.minimum, values[i]);
    total.maximum = std::max(total.maximum, values[i]);
  }
  total.sum += sum;
}

Reduction Total(const std::vector<Reduction>& parts) {
  Reduction total = kNothing;
  for (const Reduction& part : parts) {
    total.sum += part.sum;
    total.minimum = std::min(total.minimum, part.minimum);
    total.maximum = std::max(total.maximum, part.maximum);
    total.not_finite += part.not_finite;
  }
  if (total.minimum > total.maximum) total.minimum = total.maximum = 0;
  return total;
}

size_t HalfSpectrum(const Shape3& domain) {
  return static_cast<size_t>(domain.z * domain.y * (domain.x / 2 + 1));
}

}  // namespace

template <typename Visit>
void CpuOps::ForEachRow(const Box3& box, const Visit& visit) {
  pool_->ForEach(box.shape.z, [&](int64_t plane, int) {
    for (int64_t y = box.origin.y; y < box.end().y; ++y) visit(box.origin.z + plane, y);
  });
}

absl::StatusOr<std::unique_ptr<Array>> CpuOps::Allocate(const Box3& box) {
  Require(!box.empty() && Box3{{}, domain()}.Contains(box), "an array lies inside the domain");
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats(box.shape.voxels()));
  return std::make_unique<CpuArray>(box, std::move(buffer));
}

absl::StatusOr<std::unique_ptr<Otf>> CpuOps::MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                     const Voxel& centre) {
  Require(!shape.empty() && static_cast<int64_t>(psf.size()) == shape.voxels(), "a PSF has the values of its shape");
  ASSIGN_OR_RETURN(std::unique_ptr<CpuOtf> otf, convolver_->MakeOtf(psf, shape, centre));
  ++transforms_;
  return std::unique_ptr<Otf>(std::move(otf));
}

absl::Status CpuOps::ReadMagnitude(const Otf& otf, std::span<float> magnitude) {
  Require(magnitude.size() == HalfSpectrum(domain()), "there is room for the half spectrum");
  convolver_->ReadMagnitude(Cast(&otf), magnitude);
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<Otf>> CpuOps::FilterOtf(const Otf& otf, const SpectralFilter& filter) {
  const auto covers = [&](std::span<const float> values) {
    return values.empty() || values.size() == HalfSpectrum(domain());
  };
  Require(covers(filter.gain) && covers(filter.penalty), "gain and penalty cover the half spectrum");
  ASSIGN_OR_RETURN(std::unique_ptr<CpuOtf> filtered, convolver_->FilterOtf(Cast(&otf), filter));
  return std::unique_ptr<Otf>(std::move(filtered));
}

absl::StatusOr<std::unique_ptr<Otf>> CpuOps::MakeRealOtf(std::span<const float> values) {
  Require(values.size() == HalfSpectrum(domain()), "the values cover the half spectrum");
  ASSIGN_OR_RETURN(std::unique_ptr<CpuOtf> otf, convolver_->MakeRealOtf(values));
  return std::unique_ptr<Otf>(std::move(otf));
}

absl::StatusOr<std::unique_ptr<Weights>> CpuOps::MakeWeights(const Otf& otf, const Box3& measured, const Array* mask) {
  const CpuOtf& h = Cast(&otf);
  const auto classes = [&](int64_t extent, int64_t begin, int64_t count, int64_t psf, int64_t centre) {
    return mask != nullptr ? EveryPosition(extent) : ClassesOf(extent, begin, count, psf, centre);
  };
  const Shape3& d = domain();
  AxisClasses z = classes(d.z, measured.origin.z, measured.shape.z, h.psf().z, h.centre().z);
  AxisClasses y = classes(d.y, measured.origin.y, measured.shape.y, h.psf().y, h.centre().y);
  AxisClasses x = classes(d.x, measured.origin.x, measured.shape.x, h.psf().x, h.centre().x);
  ASSIGN_OR_RETURN(Buffer table, Buffer::OfFloats(z.count() * y.count() * x.count()));
  auto weights = std::make_unique<CpuWeights>(std::move(z), std::move(y), std::move(x), std::move(table));
  convolver_->Convolve(*MakeBoxSource(measured, mask, d.x), h, /*adjoint=*/true, *weights->Filler());
  transforms_ += 2;
  return std::unique_ptr<Weights>(std::move(weights));
}

absl::Status CpuOps::Fill(Array& array, float value) {
  CpuArray& target = Cast(array);
  const int64_t n = target.box().shape.x;
  ForEachRow(target.box(), [&](int64_t z, int64_t y) { std::fill_n(target.Row(z, y), n, value); });
  return absl::OkStatus();
}

absl::Status CpuOps::Copy(const Array& source, const Box3& box, Array& target) {
  Require(source.box().Contains(box) && target.box().Contains(box), "both arrays cover the box");
  const CpuArray& from = Cast(source);
  CpuArray& to = Cast(target);
  ForEachRow(
      box, [&](int64_t z, int64_t y) { std::memcpy(Part(to, box, z, y), Part(from, box, z, y), Bytes(box.shape.x)); });
  return absl::OkStatus();
}

absl::Status CpuOps::Upload(std::span<const float> host, const Box3& box, Array& array) {
  Require(array.box().Contains(box), "the array covers the box");
  Require(static_cast<int64_t>(host.size()) == box.shape.voxels(), "the host memory holds the box");
  CpuArray& target = Cast(array);
  ForEachRow(box, [&](int64_t z, int64_t y) {
    std::memcpy(Part(target, box, z, y), host.data() + RowIndex(box, z, y) * box.shape.x, Bytes(box.shape.x));
  });
  return absl::OkStatus();
}

absl::Status CpuOps::Download(const Array& array, const Box3& box, std::span<float> host) {
  Require(array.box().Contains(box), "the array covers the box");
  Require(static_cast<int64_t>(host.size()) == box.shape.voxels(), "the host memory holds the box");
  const CpuArray& source = Cast(array);
  ForEachRow(box, [&](int64_t z, int64_t y) {
    std::memcpy(host.data() + RowIndex(box, z, y) * box.shape.x, Part(source, box, z, y), Bytes(box.shape.x));
  });
  return absl::OkStatus();
}

absl::Status CpuOps::Load(Staging& from, v1::VoxelType type, const CountRule& rule, const Box3& box, Array& array) {
  Require(array.box().Contains(box), "the array covers the box");
  ASSIGN_OR_RETURN(const std::span<const std::byte> counts, from.Bytes());
  const int64_t row_bytes = box.shape.x * BytesPerVoxel(type);
  Require(static_cast<int64_t>(counts.size()) >= row_bytes * box.shape.z * box.shape.y, "the staging holds the box");
  CpuArray& target = Cast(array);
  pool_->ForEach(box.shape.z * box.shape.y, [&](int64_t row, int) {
    const int64_t z = box.origin.z + row / box.shape.y, y = box.origin.y + row % box.shape.y;
    const auto at = static_cast<size_t>(row * row_bytes);
    ConvertCounts(rule, counts.subspan(at, static_cast<size_t>(row_bytes)), type,
                  {Part(target, box, z, y), static_cast<size_t>(box.shape.x)});
  });
  return absl::OkStatus();
}

absl::Status CpuOps::Convolve(const Convolution& step) {
  const auto source = MakeSource(step.prologue, domain().x);
  const auto sink = MakeSink(step.epilogue, domain().x);
  convolver_->Convolve(*source, Cast(step.otf), step.adjoint, *sink);
  transforms_ += 2;
  return absl::OkStatus();
}

absl::Status CpuOps::ConvolveThen(const Convolution& first, const Convolution& second) {
  const auto* ratio = std::get_if<GuardedRatio>(&first.epilogue);
  const auto* residual = std::get_if<Residual>(&first.epilogue);
  Require((ratio != nullptr && ratio->output == nullptr) || (residual != nullptr && residual->output == nullptr),
          "the first half ends in a quotient or a residual without output");
  const auto source = MakeSource(first.prologue, domain().x);
  const auto middle = MakeSink(first.epilogue, domain().x);
  const auto sink = MakeSink(second.epilogue, domain().x);
  convolver_->ConvolveThen(*source, Cast(first.otf), first.adjoint, *middle, Cast(second.otf), second.adjoint, *sink);
  transforms_ += 4;
  return absl::OkStatus();
}

absl::StatusOr<Reduction> CpuOps::Reduce(const Array& array, const Box3& box) {
  Require(array.box().Contains(box), "the array covers the box");
  const CpuArray& source = Cast(array);
  std::vector<Reduction> planes(static_cast<size_t>(box.shape.z), kNothing);
  ForEachRow(box, [&](int64_t z, int64_t y) {
    AddRow(Part(source, box, z, y), box.shape.x, planes[static_cast<size_t>(z - box.origin.z)]);
  });
  return Total(planes);
}

absl::Status CpuOps::DeriveRoughness(Roughness kind, const Extrapolate& p, const Differences& differences, float floor,
                                     Array& output) {
  Require(output.box() == p.x->box() && floor > 0, "the output covers p's box and the floor is positive");
  cpu::DeriveRoughness(kind, p, differences, floor, Cast(output), *pool_);
  return absl::OkStatus();
}

absl::StatusOr<double> CpuOps::ShrinkWavelets(const WaveletShrinkage& shrinkage, Array& array) {
  const Box3 inside{{}, array.box().shape};
  Require(shrinkage.scales >= 1 && inside.Contains({shrinkage.start, {1, 1, 1}}),
          "there is a scale, and the start is inside");
  return cpu::ShrinkWavelets(shrinkage, wisdom_folder_, Cast(array), *pool_);
}

absl::StatusOr<double> CpuOps::Dot(const Array& a, const Array& b, const Box3& box) {
  Require(a.box().Contains(box) && b.box().Contains(box), "both arrays cover the box");
  std::vector<double> planes(static_cast<size_t>(box.shape.z), 0.0);
  ForEachRow(box, [&](int64_t z, int64_t y) {
    planes[static_cast<size_t>(z - box.origin.z)] +=
        DotOfRow(Part(Cast(a), box, z, y), Part(Cast(b), box, z, y), box.shape.x);
  });
  return std::accumulate(planes.begin(), planes.end(), 0.0);
}

absl::StatusOr<double> CpuOps::SumSquares(const Array& y, const Array* mask, float background) {
  const Box3& box = y.box();
  Require(mask == nullptr || mask->box().Contains(box), "the mask covers the array");
  std::vector<double> planes(static_cast<size_t>(box.shape.z), 0.0);
  ForEachRow(box, [&](int64_t z, int64_t row) {
    planes[static_cast<size_t>(z - box.origin.z)] +=
        MisfitOfRow(nullptr, Cast(y).Row(z, row), mask != nullptr ? Part(Cast(*mask), box, z, row) : nullptr,
                    background, box.shape.x);
  });
  return std::accumulate(planes.begin(), planes.end(), 0.0);
}

absl::StatusOr<std::unique_ptr<Spectrum>> CpuOps::Transform(const Array& field) {
  ASSIGN_OR_RETURN(std::unique_ptr<CpuSpectrum> spectrum,
                   convolver_->MakeSpectrum(*MakeSource(Identity{&field}, domain().x)));
  ++transforms_;
  return std::unique_ptr<Spectrum>(std::move(spectrum));
}

absl::Status CpuOps::SolveSplit(const SplitSolve& step) {
  Require(step.x.output->box() == Box3{{}, domain()} && step.data.output == nullptr && Cast(step.inverse).real(),
          "x covers the domain, the data's splitting has no output, and the inverse is real");
  const auto source = MakeSource(step.r, domain().x);
  const auto x = MakeSink(step.x, domain().x);
  const auto data = MakeDataSink(step.data, domain());
  convolver_->SolveSplit(*source, step.weight, Cast(step.otf), Cast(step.inverse), static_cast<CpuSpectrum&>(*step.q),
                         *x, *data);
  transforms_ += 4;
  return absl::OkStatus();
}

absl::StatusOr<PriorUpdate> CpuOps::UpdateSplit(const Array& x, const PriorSplit& split, float scale) {
  const Box3 whole{{}, domain()};
  Require(x.box() == whole && (split.value == nullptr || split.value->box() == whole),
          "the splittings cover the domain");
  return cpu::UpdateSplit(Cast(x), split, scale, *pool_);
}

absl::Status CpuOps::SubtractDual(const Array& v, const PriorSplit& split, float factor, Array& output) {
  const Box3 whole{{}, domain()};
  Require(v.box() == whole && output.box() == whole && split.slopes != Slopes::kNone,
          "all arrays cover the domain, and there are slopes");
  cpu::SubtractDual(Cast(v), split, factor, Cast(output), *pool_);
  return absl::OkStatus();
}

absl::Status CpuOps::Combine(Array& a, float alpha, const Array& b, float beta) {
  const Box3& box = a.box();
  Require(b.box().Contains(box), "the second array covers the first");
  ForEachRow(box, [&](int64_t z, int64_t y) {
    CombineRows(alpha, Part(Cast(b), box, z, y), beta, box.shape.x, Cast(a).Row(z, y));
  });
  return absl::OkStatus();
}

absl::Status CpuOps::Clamp(Array& array, float floor, float ceiling) {
  CpuArray& target = Cast(array);
  const int64_t n = target.box().shape.x;
  ForEachRow(target.box(), [&](int64_t z, int64_t y) {
    float* row = target.Row(z, y);
    for (int64_t i = 0; i < n; ++i) row[i] = row[i] < floor ? floor : row[i] > ceiling ? ceiling : row[i];
  });
  return absl::OkStatus();
}

}  // namespace deconvoy::worker::cpu
