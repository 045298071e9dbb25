#include "worker/backends/cpu/convolver.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numeric>
#include <span>

#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/columns.h"
#include "worker/backends/cpu/pointwise.h"

namespace deconvoy::worker::cpu {
namespace {

constexpr int64_t kBundlesAtOnce = 16;  // taken by a thread together: neighbours share pages

int64_t AlignedFloats(int64_t floats) {
  return (floats + 15) / 16 * 16;
}

}  // namespace

void CpuOtf::Put(int64_t first, const Complex* values, float scale, int64_t n) {
  if (real_) {
    ScaleReal(values, scale, n, buffer_.data() + first);
  } else {
    ScaleComplex(values, scale, n, complex() + first);
  }
}

void CpuOtf::Apply(int64_t first, bool conjugate, int64_t n, Complex* values) const {
  if (real_) {
    MultiplyReal(buffer_.data() + first, n, values);
  } else {
    MultiplyComplex(complex() + first, conjugate, n, values);
  }
}

void CpuOtf::ReadMagnitude(int64_t first, float unit, int64_t n, float* out) const {
  if (real_) {
    MagnitudeReal(buffer_.data() + first, unit, n, out);
  } else {
    MagnitudeComplex(complex() + first, unit, n, out);
  }
}

void CpuOtf::PutFiltered(const CpuOtf& other, int64_t first, const float* gain, const SpectralFilter& filter,
                         int64_t n) {
  if (real_) {
    FilterReal(other.buffer_.data() + first, gain, filter, n, buffer_.data() + first);
  } else {
    FilterComplex(other.complex() + first, gain, filter, n, complex() + first);
  }
}

bool IsSymmetric(std::span<const float> psf, const Shape3& shape, const Voxel& centre) {
  constexpr double kTolerance = 1e-6;
  const Box3 box{{}, shape};
  double sum = 0, difference = 0;
  size_t i = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    for (int64_t y = 0; y < shape.y; ++y) {
      for (int64_t x = 0; x < shape.x; ++x, ++i) {
        const Voxel other = centre + centre - Voxel{z, y, x};
        const bool inside = box.Contains({other, {1, 1, 1}});
        const double reflected =
            inside ? psf[static_cast<size_t>((other.z * shape.y + other.y) * shape.x + other.x)] : 0;
        sum += psf[i];
        difference += std::abs(psf[i] - reflected);
      }
    }
  }
  return difference <= kTolerance * sum;
}

Convolver::Convolver(const SpectrumLayout& layout, ThreadPool* pool)
    : layout_(layout), pool_(pool), every_row_(static_cast<size_t>(layout.domain.y)) {
  std::iota(every_row_.begin(), every_row_.end(), int64_t{0});
}

absl::StatusOr<std::unique_ptr<Convolver>> Convolver::Make(const Shape3& domain,
                                                           const std::filesystem::path& wisdom_folder,
                                                           ThreadPool* pool) {
  std::unique_ptr<Convolver> convolver(new Convolver(SpectrumLayout(domain), pool));
  RETURN_IF_ERROR(convolver->Allocate());
  convolver->Plan(wisdom_folder);
  return convolver;
}

void Convolver::Plan(const std::filesystem::path& wisdom_folder) {
  along_x_ = &RowTransformFor(layout_.domain.x, wisdom_folder);
  along_y_ = &ColumnTransformFor(layout_.domain.y, layout_.strip_width, wisdom_folder);
  along_z_ = &ColumnTransformFor(layout_.domain.z, layout_.bundle_width, wisdom_folder);
}

absl::Status Convolver::Allocate() {
  ASSIGN_OR_RETURN(work_, Buffer::OfFloats(2 * layout_.total()));
  const int64_t row = AlignedFloats(layout_.domain.x), spectrum = AlignedFloats(2 * layout_.row);
  const int64_t columns = 2 * std::max(layout_.domain.y * layout_.strip_width, layout_.domain.z * layout_.bundle_width);
  for (int thread = 0; thread < pool_->threads(); ++thread) {
    ASSIGN_OR_RETURN(Buffer memory, Buffer::OfFloats(3 * row + spectrum + columns));
    float* start = memory.data();
    scratch_.push_back({.memory = std::move(memory),
                        .row = start,
                        .sink = start + row,
                        .spectrum = reinterpret_cast<Complex*>(start + 3 * row),
                        .columns = reinterpret_cast<Complex*>(start + 3 * row + spectrum)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CpuOtf>> Convolver::MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                           const Voxel& centre) {
  const bool real = IsSymmetric(psf, shape, centre);
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats((real ? 1 : 2) * layout_.otf()));
  auto otf = std::make_unique<CpuOtf>(shape, centre, real, std::move(buffer));
  const auto source = MakePsfSource(psf, shape, centre, layout_.domain);
  ForwardPlanes(*source);
  StoreOtf(source->extent().planes, *otf);
  return otf;
}

void Convolver::Convolve(const RowSource& source, const CpuOtf& otf, bool adjoint, RowSink& sink) {
  ForwardPlanes(source);
  ColumnPass(source.extent().planes, otf, adjoint, sink.extent().planes);
  InversePlanes(sink, /*onward=*/false);
}

void Convolver::ConvolveThen(const RowSource& source, const CpuOtf& first, bool first_adjoint, RowSink& middle,
                             const CpuOtf& second, bool second_adjoint, RowSink& sink) {
  ForwardPlanes(source);
  ColumnPass(source.extent().planes, first, first_adjoint, middle.extent().planes);
  InversePlanes(middle, /*onward=*/true);
  ColumnPass(middle.extent().planes, second, second_adjoint, sink.extent().planes);
  InversePlanes(sink, /*onward=*/false);
}

void Convolver::ForwardPlanes(const RowSource& source) {
  const Extent& extent = source.extent();
  pool_->ForEach(static_cast<int64_t>(extent.planes.size()), [&](int64_t i, int thread) {
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const int64_t z = extent.planes[static_cast<size_t>(i)];
    for (int64_t y = extent.row_begin; y < extent.row_end; ++y) {
      source.Read(z, y, scratch.row);
      RowToSpectrum(Plane(z), y, scratch);
    }
    ForwardStrips(Plane(z), extent, scratch);
  });
}

void Convolver::InversePlanes(RowSink& sink, bool onward) {
  const Extent& extent = sink.extent();
  pool_->ForEach(static_cast<int64_t>(extent.planes.size()), [&](int64_t i, int thread) {
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const int64_t z = extent.planes[static_cast<size_t>(i)];
    InverseStrips(Plane(z), extent, scratch);
    for (int64_t y = extent.row_begin; y < extent.row_end; ++y) {
      SpectrumToRow(Plane(z), y, scratch);
      sink.Write(z, y, scratch.row, scratch.sink);
      if (onward) RowToSpectrum(Plane(z), y, scratch);
    }
    if (onward) ForwardStrips(Plane(z), extent, scratch);
  });
  sink.Finish();
}

void Convolver::RowToSpectrum(Complex* plane, int64_t y, Scratch& scratch) const {
  along_x_->Forward(scratch.row, scratch.spectrum);
  std::memcpy(plane + y * layout_.row, scratch.spectrum, static_cast<size_t>(layout_.row) * sizeof(Complex));
}

void Convolver::SpectrumToRow(const Complex* plane, int64_t y, Scratch& scratch) const {
  std::memcpy(scratch.spectrum, plane + y * layout_.row, static_cast<size_t>(layout_.row) * sizeof(Complex));
  along_x_->Inverse(scratch.spectrum, scratch.row);
}

std::span<const int64_t> Convolver::RowsOf(const Extent& extent) const {
  return std::span(every_row_)
      .subspan(static_cast<size_t>(extent.row_begin), static_cast<size_t>(extent.row_end - extent.row_begin));
}

void Convolver::ForwardStrips(Complex* plane, const Extent& extent, Scratch& scratch) const {
  if (layout_.domain.y == 1) return;
  const int64_t width = layout_.strip_width;
  for (int64_t x = 0; x < layout_.row; x += width) {
    const int64_t columns = std::min(width, layout_.row - x);
    GatherColumns(plane + x, layout_.row, RowsOf(extent), layout_.domain.y, width, columns, scratch.columns);
    along_y_->Forward(scratch.columns);
    ScatterColumns(scratch.columns, width, columns, every_row_, layout_.row, plane + x);
  }
}

void Convolver::InverseStrips(Complex* plane, const Extent& extent, Scratch& scratch) const {
  if (layout_.domain.y == 1) return;
  const int64_t width = layout_.strip_width;
  for (int64_t x = 0; x < layout_.row; x += width) {
    const int64_t columns = std::min(width, layout_.row - x);
    GatherColumns(plane + x, layout_.row, every_row_, layout_.domain.y, width, columns, scratch.columns);
    along_y_->Inverse(scratch.columns);
    ScatterColumns(scratch.columns, width, columns, RowsOf(extent), layout_.row, plane + x);
  }
}

template <typename Work>
void Convolver::ForEachBundle(const Work& work) {
  const int64_t groups = (layout_.bundles + kBundlesAtOnce - 1) / kBundlesAtOnce;
  pool_->ForEach(groups, [&](int64_t group, int thread) {
    const int64_t end = std::min((group + 1) * kBundlesAtOnce, layout_.bundles);
    for (int64_t bundle = group * kBundlesAtOnce; bundle < end; ++bundle) {
      work(bundle, scratch_[static_cast<size_t>(thread)].columns);
    }
  });
}

void Convolver::ColumnPass(std::span<const int64_t> input, const CpuOtf& otf, bool adjoint,
                           std::span<const int64_t> output) {
  const int64_t width = layout_.bundle_width, planes = layout_.domain.z;
  ForEachBundle([&](int64_t bundle, Complex* columns) {
    Complex* place = Plane(0) + bundle * width;
    GatherColumns(place, layout_.plane, input, planes, width, width, columns);
    if (bundle + 1 < layout_.bundles) PrefetchColumns(place + width, layout_.plane, input, width);
    if (planes > 1) along_z_->Forward(columns);
    otf.Apply(bundle * width * planes, adjoint, width * planes, columns);
    if (planes > 1) along_z_->Inverse(columns);
    ScatterColumns(columns, width, width, output, layout_.plane, place);
  });
}

void Convolver::StoreOtf(std::span<const int64_t> input, CpuOtf& otf) {
  const int64_t width = layout_.bundle_width, planes = layout_.domain.z;
  const float scale = 1.0F / static_cast<float>(layout_.domain.voxels());
  ForEachBundle([&](int64_t bundle, Complex* columns) {
    GatherColumns(Plane(0) + bundle * width, layout_.plane, input, planes, width, width, columns);
    if (planes > 1) along_z_->Forward(columns);
    otf.Put(bundle * width * planes, columns, scale, width * planes);
  });
}

template <typename Work>
void Convolver::ForEachOtfRow(const Work& work) {
  const int64_t width = layout_.bundle_width, planes = layout_.domain.z, columns = layout_.domain.y * layout_.row;
  ForEachBundle([&](int64_t bundle, Complex*) {
    const int64_t first = bundle * width, n = std::min(width, columns - first);
    for (int64_t z = 0; z < planes; ++z) work((bundle * planes + z) * width, z * columns + first, n);
  });
}

void Convolver::ReadMagnitude(const CpuOtf& otf, std::span<float> magnitude) {
  const auto voxels = static_cast<float>(layout_.domain.voxels());
  ForEachOtfRow([&](int64_t i, int64_t j, int64_t n) { otf.ReadMagnitude(i, voxels, n, magnitude.data() + j); });
}

absl::StatusOr<std::unique_ptr<CpuOtf>> Convolver::FilterOtf(const CpuOtf& otf, std::span<const float> gain,
                                                             float alpha) {
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats((otf.real() ? 1 : 2) * layout_.otf()));
  auto filtered = std::make_unique<CpuOtf>(layout_.domain, Voxel{}, otf.real(), std::move(buffer));
  const auto voxels = static_cast<float>(layout_.domain.voxels());
  const float at_zero = voxels * otf.at_zero();
  const SpectralFilter filter{.unit = voxels,
                              .alpha = alpha,
                              .scale = (at_zero * at_zero + alpha) / (at_zero * (gain.empty() ? 1.0F : gain[0]))};
  ForEachOtfRow([&](int64_t i, int64_t j, int64_t n) {
    filtered->PutFiltered(otf, i, gain.empty() ? nullptr : gain.data() + j, filter, n);
  });
  return filtered;
}

}  // namespace deconvoy::worker::cpu
