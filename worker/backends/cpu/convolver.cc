#include "worker/backends/cpu/convolver.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/columns.h"
#include "worker/backends/cpu/pointwise.h"
#include "worker/backends/cpu/split_rows.h"
#include "worker/ops/symmetry.h"

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

void CpuOtf::PutFiltered(const CpuOtf& other, int64_t first, const FilterRow& filter, int64_t n) {
  if (real_) {
    FilterReal(other.buffer_.data() + first, filter, n, buffer_.data() + first);
  } else {
    FilterComplex(other.complex() + first, filter, n, complex() + first);
  }
}

void CpuOtf::PutReal(int64_t first, const float* values, int64_t n) {
  std::copy_n(values, n, buffer_.data() + first);
}

void CpuOtf::Solve(const CpuOtf& inverse, int64_t first, float voxels, float weight, int64_t n, Complex* x,
                   Complex* q) const {
  const float* g = inverse.buffer_.data() + first;
  if (real_) {
    SolveReal(buffer_.data() + first, g, voxels, weight, n, x, q);
  } else {
    SolveComplex(complex() + first, g, voxels, weight, n, x, q);
  }
}

Convolver::Convolver(const SpectrumLayout& layout, ThreadPool* pool) : layout_(layout), pool_(pool) {}

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
  along_y_ = &LineTransformFor(layout_.domain.y, wisdom_folder);
  along_z_ = &LineTransformFor(layout_.domain.z, wisdom_folder);
}

absl::Status Convolver::Allocate() {
  ASSIGN_OR_RETURN(work_, Buffer::OfFloats(2 * layout_.total()));
  const int64_t row = AlignedFloats(layout_.domain.x), spectrum = AlignedFloats(2 * layout_.row);
  const int64_t lines = 2 * kColumnsAtOnce * LinePitch(std::max(layout_.domain.y, layout_.domain.z));
  for (int thread = 0; thread < pool_->threads(); ++thread) {
    const int64_t line = 2 * LinePitch(layout_.domain.z);
    ASSIGN_OR_RETURN(Buffer memory, Buffer::OfFloats(3 * row + spectrum + 2 * lines + line));
    float* start = memory.data();
    const auto at = [&](int64_t floats) { return reinterpret_cast<Complex*>(start + floats); };
    scratch_.push_back({.memory = std::move(memory),
                        .row = start,
                        .sink = start + row,
                        .spectrum = at(3 * row),
                        .lines = at(3 * row + spectrum),
                        .transformed = at(3 * row + spectrum + lines),
                        .line = at(3 * row + spectrum + 2 * lines)});
  }
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<CpuOtf>> Convolver::MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                           const Voxel& centre) {
  const bool real = IsSymmetric(psf, shape, centre);
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats((real ? 1 : 2) * layout_.otf()));
  auto otf = std::make_unique<CpuOtf>(shape, centre, real, std::move(buffer));
  const auto source = MakePsfSource(psf, shape, centre, layout_.domain);
  ForwardPlanes(*source, work());
  StoreOtf(source->extent().planes, *otf);
  return otf;
}

void Convolver::Convolve(const RowSource& source, const CpuOtf& otf, bool adjoint, RowSink& sink) {
  ForwardPlanes(source, work());
  ColumnPass(source.extent().planes, otf, adjoint, sink.extent().planes);
  InversePlanes(work(), sink, /*onward=*/false);
}

void Convolver::ConvolveThen(const RowSource& source, const CpuOtf& first, bool first_adjoint, RowSink& middle,
                             const CpuOtf& second, bool second_adjoint, RowSink& sink) {
  ForwardPlanes(source, work());
  ColumnPass(source.extent().planes, first, first_adjoint, middle.extent().planes);
  InversePlanes(work(), middle, /*onward=*/true);
  ColumnPass(middle.extent().planes, second, second_adjoint, sink.extent().planes);
  InversePlanes(work(), sink, /*onward=*/false);
}

absl::StatusOr<std::unique_ptr<CpuSpectrum>> Convolver::MakeSpectrum(const RowSource& source) {
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats(2 * layout_.total()));
  auto spectrum = std::make_unique<CpuSpectrum>(std::move(buffer));
  ForwardPlanes(source, spectrum->data());
  return spectrum;
}

void Convolver::SolveSplit(const RowSource& r, float weight, const CpuOtf& otf, const CpuOtf& inverse, CpuSpectrum& q,
                           RowSink& x, RowSink& data) {
  ForwardPlanes(r, work());
  SolvePass(weight, otf, inverse, q.data());
  InversePlanes(work(), x, /*onward=*/false);
  InversePlanes(q.data(), data, /*onward=*/true);
}

void Convolver::ForwardPlanes(const RowSource& source, Complex* spectrum) {
  const Extent& extent = source.extent();
  pool_->ForEach(static_cast<int64_t>(extent.planes.size()), [&](int64_t i, int thread) {
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const int64_t z = extent.planes[static_cast<size_t>(i)];
    Complex* plane = spectrum + z * layout_.plane;
    for (int64_t y = extent.rows.begin; y < extent.rows.end; ++y) {
      source.Read(z, y, scratch.row);
      RowToSpectrum(plane, y, scratch);
    }
    ForwardStrips(plane, extent, scratch);
  });
}

void Convolver::InversePlanes(Complex* spectrum, RowSink& sink, bool onward) {
  const Extent& extent = sink.extent();
  pool_->ForEach(static_cast<int64_t>(extent.planes.size()), [&](int64_t i, int thread) {
    Scratch& scratch = scratch_[static_cast<size_t>(thread)];
    const int64_t z = extent.planes[static_cast<size_t>(i)];
    Complex* plane = spectrum + z * layout_.plane;
    InverseStrips(plane, extent, scratch);
    for (int64_t y = extent.rows.begin; y < extent.rows.end; ++y) {
      SpectrumToRow(plane, y, scratch);
      sink.Write(z, y, scratch.row, scratch.sink);
      if (onward) RowToSpectrum(plane, y, scratch);
    }
    if (onward) ForwardStrips(plane, extent, scratch);
  });
  sink.Finish();
}

void Convolver::RowToSpectrum(Complex* plane, int64_t y, Scratch& scratch) const {
  along_x_->Forward(scratch.row, scratch.spectrum, plane + y * layout_.row);
}

void Convolver::SpectrumToRow(const Complex* plane, int64_t y, Scratch& scratch) const {
  along_x_->Inverse(plane + y * layout_.row, scratch.spectrum, scratch.row);
}

template <typename Transform>
void Convolver::Strips(Complex* plane, const Run& given, const Run& wanted, Scratch& scratch,
                       const Transform& transform) const {
  if (layout_.domain.y == 1) return;
  const int64_t pitch = LinePitch(layout_.domain.y);
  for (int64_t x = 0; x < layout_.row; x += kColumnsAtOnce) {
    const int64_t columns = std::min(kColumnsAtOnce, layout_.row - x);
    GatherColumns(plane + x, layout_.row, {&given, 1}, layout_.domain.y, columns, pitch, scratch.lines);
    for (int64_t j = 0; j < columns; ++j) transform(scratch.lines + j * pitch, scratch.transformed + j * pitch);
    ScatterColumns(scratch.transformed, pitch, {&wanted, 1}, columns, layout_.row, plane + x);
  }
}

void Convolver::ForwardStrips(Complex* plane, const Extent& extent, Scratch& scratch) const {
  Strips(plane, extent.rows, {0, layout_.domain.y}, scratch,
         [&](Complex* in, Complex* out) { along_y_->Forward(in, out); });
}

void Convolver::InverseStrips(Complex* plane, const Extent& extent, Scratch& scratch) const {
  Strips(plane, {0, layout_.domain.y}, extent.rows, scratch,
         [&](Complex* in, Complex* out) { along_y_->Inverse(in, out); });
}

template <typename Work>
void Convolver::ForEachBundle(const Work& work) {
  const int64_t groups = (layout_.bundles + kBundlesAtOnce - 1) / kBundlesAtOnce;
  pool_->ForEach(groups, [&](int64_t group, int thread) {
    const int64_t end = std::min((group + 1) * kBundlesAtOnce, layout_.bundles);
    for (int64_t bundle = group * kBundlesAtOnce; bundle < end; ++bundle) {
      work(bundle, scratch_[static_cast<size_t>(thread)]);
    }
  });
}

void Convolver::ColumnPass(std::span<const int64_t> input, const CpuOtf& otf, bool adjoint,
                           std::span<const int64_t> output) {
  const int64_t planes = layout_.domain.z, pitch = LinePitch(planes);
  const Runs given = RunsOf(input), wanted = RunsOf(output);
  ForEachBundle([&](int64_t bundle, Scratch& scratch) {
    Complex* place = work() + bundle * kColumnsAtOnce;
    GatherColumns(place, layout_.plane, given, planes, kColumnsAtOnce, pitch, scratch.lines);
    if (bundle + 1 < layout_.bundles) PrefetchColumns(place + kColumnsAtOnce, layout_.plane, given, kColumnsAtOnce);
    for (int64_t j = 0; j < kColumnsAtOnce; ++j) {
      Complex* line = scratch.lines + j * pitch;
      along_z_->Forward(line, scratch.transformed);
      otf.Apply((bundle * kColumnsAtOnce + j) * planes, adjoint, planes, scratch.transformed);
      along_z_->Inverse(scratch.transformed, line);
    }
    ScatterColumns(scratch.lines, pitch, wanted, kColumnsAtOnce, layout_.plane, place);
  });
}

void Convolver::SolvePass(float weight, const CpuOtf& otf, const CpuOtf& inverse, Complex* q) {
  const int64_t planes = layout_.domain.z, pitch = LinePitch(planes);
  const auto voxels = static_cast<float>(layout_.domain.voxels());
  const Run all{0, planes};
  ForEachBundle([&](int64_t bundle, Scratch& scratch) {
    Complex* of_q = q + bundle * kColumnsAtOnce;
    Complex* of_x = work() + bundle * kColumnsAtOnce;
    GatherColumns(of_q, layout_.plane, {&all, 1}, planes, kColumnsAtOnce, pitch, scratch.lines);
    for (int64_t j = 0; j < kColumnsAtOnce; ++j) {
      along_z_->Forward(scratch.lines + j * pitch, scratch.transformed + j * pitch);
    }
    GatherColumns(of_x, layout_.plane, {&all, 1}, planes, kColumnsAtOnce, pitch, scratch.lines);
    for (int64_t j = 0; j < kColumnsAtOnce; ++j) {
      Complex* line = scratch.lines + j * pitch;
      along_z_->Forward(line, scratch.line);
      otf.Solve(inverse, (bundle * kColumnsAtOnce + j) * planes, voxels, weight, planes, scratch.line,
                scratch.transformed + j * pitch);
      along_z_->Inverse(scratch.line, line);
    }
    ScatterColumns(scratch.lines, pitch, {&all, 1}, kColumnsAtOnce, layout_.plane, of_x);
    for (int64_t j = 0; j < kColumnsAtOnce; ++j) {
      along_z_->Inverse(scratch.transformed + j * pitch, scratch.lines + j * pitch);
    }
    ScatterColumns(scratch.lines, pitch, {&all, 1}, kColumnsAtOnce, layout_.plane, of_q);
  });
}

void Convolver::StoreOtf(std::span<const int64_t> input, CpuOtf& otf) {
  const int64_t planes = layout_.domain.z, pitch = LinePitch(planes);
  const float scale = 1.0F / static_cast<float>(layout_.domain.voxels());
  const Runs given = RunsOf(input);
  ForEachBundle([&](int64_t bundle, Scratch& scratch) {
    GatherColumns(work() + bundle * kColumnsAtOnce, layout_.plane, given, planes, kColumnsAtOnce, pitch, scratch.lines);
    for (int64_t j = 0; j < kColumnsAtOnce; ++j) {
      along_z_->Forward(scratch.lines + j * pitch, scratch.transformed);
      otf.Put((bundle * kColumnsAtOnce + j) * planes, scratch.transformed, scale, planes);
    }
  });
}

template <typename Work>
void Convolver::ForEachColumn(const Work& work) {
  const int64_t columns = layout_.domain.y * layout_.row;
  ForEachBundle([&](int64_t bundle, Scratch& scratch) {
    const int64_t begin = bundle * kColumnsAtOnce, end = std::min(begin + kColumnsAtOnce, columns);
    for (int64_t column = begin; column < end; ++column) work(column, reinterpret_cast<float*>(scratch.lines));
  });
}

void Convolver::ReadMagnitude(const CpuOtf& otf, std::span<float> magnitude) {
  const int64_t planes = layout_.domain.z, columns = layout_.domain.y * layout_.row;
  const auto voxels = static_cast<float>(layout_.domain.voxels());
  ForEachColumn([&](int64_t column, float* line) {
    otf.ReadMagnitude(column * planes, voxels, planes, line);
    for (int64_t z = 0; z < planes; ++z) magnitude[static_cast<size_t>(z * columns + column)] = line[z];
  });
}

absl::StatusOr<std::unique_ptr<CpuOtf>> Convolver::FilterOtf(const CpuOtf& otf, const SpectralFilter& filter) {
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats((otf.real() ? 1 : 2) * layout_.otf()));
  auto filtered = std::make_unique<CpuOtf>(layout_.domain, Voxel{}, otf.real(), std::move(buffer));
  const int64_t planes = layout_.domain.z, columns = layout_.domain.y * layout_.row;
  const auto voxels = static_cast<float>(layout_.domain.voxels());
  float scale = 1;
  if (filter.keeps_constants) {
    const float at_zero = voxels * otf.at_zero();
    const float penalty = filter.penalty.empty() ? 0.0F : filter.penalty[0];
    scale = (at_zero * at_zero + filter.alpha + penalty) / (at_zero * (filter.gain.empty() ? 1.0F : filter.gain[0]));
  }
  const auto read = [&](std::span<const float> values, int64_t column, float* line) -> const float* {
    if (values.empty()) return nullptr;
    for (int64_t z = 0; z < planes; ++z) line[z] = values[static_cast<size_t>(z * columns + column)];
    return line;
  };
  ForEachColumn([&](int64_t column, float* line) {
    filtered->PutFiltered(otf, column * planes,
                          {.gain = read(filter.gain, column, line),
                           .penalty = read(filter.penalty, column, line + planes),
                           .unit = voxels,
                           .alpha = filter.alpha,
                           .scale = scale},
                          planes);
  });
  return filtered;
}

absl::StatusOr<std::unique_ptr<CpuOtf>> Convolver::MakeRealOtf(std::span<const float> values) {
  ASSIGN_OR_RETURN(Buffer buffer, Buffer::OfFloats(layout_.otf()));
  auto otf = std::make_unique<CpuOtf>(layout_.domain, Voxel{}, /*real=*/true, std::move(buffer));
  const int64_t planes = layout_.domain.z, columns = layout_.domain.y * layout_.row;
  const float scale = 1.0F / static_cast<float>(layout_.domain.voxels());
  ForEachColumn([&](int64_t column, float* line) {
    for (int64_t z = 0; z < planes; ++z) line[z] = scale * values[static_cast<size_t>(z * columns + column)];
    otf->PutReal(column * planes, line, planes);
  });
  return otf;
}

}  // namespace deconvoy::worker::cpu
