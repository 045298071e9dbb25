#include "worker/backends/cuda/convolver.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/ops/symmetry.h"

namespace deconvoy::worker::cuda {
namespace {

constexpr int64_t kFloat = sizeof(float);

Planes PlanesOf(const Box3& box) {
  return {.first = box.origin.z, .count = box.shape.z};
}

}  // namespace

absl::StatusOr<std::unique_ptr<Convolver>> Convolver::Make(const Shape3& domain, int64_t chunk_bytes, Runtime* runtime,
                                                           FftPool* ffts, ArenaPart part) {
  constexpr int64_t kLongest = std::numeric_limits<int32_t>::max();
  if (std::max({domain.z, domain.y, domain.x}) > kLongest) {
    return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "use smaller tiles"},
                     fmt::format("a domain of {} x {} x {} voxels is too long for {}", domain.z, domain.y, domain.x,
                                 runtime->device()));
  }
  ASSIGN_OR_RETURN(std::shared_ptr<Stream> stream, runtime->MakeStream());
  std::unique_ptr<Convolver> convolver(
      new Convolver(Chunks(domain, chunk_bytes), runtime, ffts, part, std::move(stream)));
  ASSIGN_OR_RETURN(convolver->work_, convolver->AllocateFloats(2 * convolver->spectrum()));
  return convolver;
}

absl::StatusOr<StreamBlock> Convolver::Allocate(int64_t bytes) const {
  ASSIGN_OR_RETURN(Block block, runtime_.arena().Allocate(bytes, part_));
  return StreamBlock(stream_, std::move(block));
}

absl::StatusOr<StreamBlock> Convolver::AllocateFloats(int64_t count) const {
  ASSIGN_OR_RETURN(Block block, runtime_.arena().AllocateFloats(count, part_));
  return StreamBlock(stream_, std::move(block));
}

absl::Status Convolver::Upload(const void* host, int64_t numbers, void* device) const {
  const Shape3 line{1, 1, numbers};
  return stream_->Upload({const_cast<void*>(host), line, {}}, {device, line, {}}, line);
}

absl::Status Convolver::Download(const void* device, int64_t numbers, void* host) const {
  const Shape3 line{1, 1, numbers};
  return stream_->Download({const_cast<void*>(device), line, {}}, {host, line, {}}, line);
}

// --- Steps ---

absl::Status Convolver::Transform(const FftShape& shape, float* data, bool forward) {
  auto plan = plans_.find(shape);
  if (plan == plans_.end()) {
    ASSIGN_OR_RETURN(FftPool::Lent lent, ffts_.Take(shape));
    plan = plans_.emplace(shape, std::move(lent)).first;
  }
  Fft& fft = *plan->second;
  if (fft.workspace_bytes() > workspace_.bytes()) {
    workspace_ = StreamBlock();
    ASSIGN_OR_RETURN(workspace_, Allocate(fft.workspace_bytes()));
  }
  return forward ? fft.Forward(stream_->place(), data, workspace_.floats())
                 : fft.Inverse(stream_->place(), data, workspace_.floats());
}

absl::Status Convolver::TransformPlanes(const Grid& grid, const Planes& planes, bool forward) {
  const auto shape = chunks_.PlaneFft(planes.count);
  return shape ? Transform(*shape, grid.data + 2 * planes.first * chunks_.plane(), forward) : absl::OkStatus();
}

absl::Status Convolver::TransformColumns(const Grid& grid, const Columns& columns, bool forward) {
  const auto shape = chunks_.ColumnFft(columns.count);
  return shape ? Transform(*shape, grid.data + 2 * columns.first, forward) : absl::OkStatus();
}

absl::Status Convolver::ClearAround(const Grid& grid, const Planes& planes) const {
  const int64_t plane = 2 * chunks_.plane(), end = planes.first + planes.count;
  if (planes.first > 0) RETURN_IF_ERROR(stream_->Clear(grid.data, planes.first * plane * kFloat));
  if (end == domain().z) return absl::OkStatus();
  return stream_->Clear(grid.data + end * plane, (domain().z - end) * plane * kFloat);
}

absl::Status Convolver::Begin(const Start& start, const Box3& from, const Grid& grid) {
  const Planes planes = PlanesOf(from);
  RETURN_IF_ERROR(ClearAround(grid, planes));
  for (const Planes& chunk : chunks_.OfPlanes(planes)) {
    RETURN_IF_ERROR(Check(RunStart(stream_->place(), start, grid, chunk), "starting a convolution"));
    RETURN_IF_ERROR(TransformPlanes(grid, chunk, /*forward=*/true));
  }
  return absl::OkStatus();
}

absl::Status Convolver::MultiplyColumns(const CudaOtf& otf, bool adjoint, const Grid& grid) {
  for (const Columns& chunk : chunks_.OfColumns()) {
    RETURN_IF_ERROR(TransformColumns(grid, chunk, /*forward=*/true));
    RETURN_IF_ERROR(Check(RunMultiply(stream_->place(), otf.field(), adjoint, grid, chunk), "multiplying by an OTF"));
    RETURN_IF_ERROR(TransformColumns(grid, chunk, /*forward=*/false));
  }
  return absl::OkStatus();
}

absl::Status Convolver::Finish(const Grid& grid, const Planes& planes, bool onward, const PlaneWork& work) {
  if (onward) RETURN_IF_ERROR(ClearAround(grid, planes));
  for (const Planes& chunk : chunks_.OfPlanes(planes)) {
    RETURN_IF_ERROR(TransformPlanes(grid, chunk, /*forward=*/false));
    RETURN_IF_ERROR(work(chunk));
    if (onward) RETURN_IF_ERROR(TransformPlanes(grid, chunk, /*forward=*/true));
  }
  return absl::OkStatus();
}

absl::Status Convolver::Finish(const Grid& grid, const Sink& sink) {
  const bool onward = sink.output.data == nullptr;
  return Finish(grid, PlanesOf(sink.box), onward, [&](const Planes& chunk) {
    const LaunchPlace place = stream_->place();
    if (onward) return Check(RunOnward(place, sink.end, grid, chunk, sink.sums), "going on with a convolution");
    Box3 box = sink.box;
    box.origin.z = chunk.first;
    box.shape.z = chunk.count;
    return Check(RunEnd(place, sink.end, grid, box, sink.output, sink.sums), "ending a convolution");
  });
}

// --- Convolutions ---

absl::Status Convolver::Convolve(const Start& start, const Box3& from, const CudaOtf& otf, bool adjoint,
                                 const Sink& sink) {
  const Grid grid = GridOf(work_.floats());
  RETURN_IF_ERROR(Begin(start, from, grid));
  RETURN_IF_ERROR(MultiplyColumns(otf, adjoint, grid));
  return Finish(grid, sink);
}

absl::Status Convolver::ConvolveThen(const Start& start, const Box3& from, const CudaOtf& first, bool first_adjoint,
                                     const Sink& middle, const CudaOtf& second, bool second_adjoint, const Sink& sink) {
  RETURN_IF_ERROR(Convolve(start, from, first, first_adjoint, middle));
  const Grid grid = GridOf(work_.floats());
  RETURN_IF_ERROR(MultiplyColumns(second, second_adjoint, grid));
  return Finish(grid, sink);
}

absl::Status Convolver::KeepWeights(const Start& start, const Box3& from, const CudaOtf& otf, const TableEnd& end) {
  const Grid grid = GridOf(work_.floats());
  RETURN_IF_ERROR(Begin(start, from, grid));
  RETURN_IF_ERROR(MultiplyColumns(otf, /*adjoint=*/true, grid));
  return Finish(grid, {.first = 0, .count = domain().z}, /*onward=*/false, [&](const Planes& chunk) {
    return Check(RunKeepWeights(stream_->place(), end, grid, chunk), "keeping weights");
  });
}

absl::Status Convolver::SolveSplit(const Start& r, float weight, const CudaOtf& otf, const CudaOtf& inverse,
                                   CudaSpectrum& q, const Sink& x, const Sink& data) {
  const Grid of_x = GridOf(work_.floats()), of_q = GridOf(q.data());
  RETURN_IF_ERROR(Begin(r, {{}, domain()}, of_x));
  for (const Columns& chunk : chunks_.OfColumns()) {
    RETURN_IF_ERROR(TransformColumns(of_x, chunk, /*forward=*/true));
    RETURN_IF_ERROR(TransformColumns(of_q, chunk, /*forward=*/true));
    RETURN_IF_ERROR(
        Check(RunSolve(stream_->place(), otf.field(), inverse.field().real, weight, of_x, of_q, chunk), "solving"));
    RETURN_IF_ERROR(TransformColumns(of_x, chunk, /*forward=*/false));
    RETURN_IF_ERROR(TransformColumns(of_q, chunk, /*forward=*/false));
  }
  RETURN_IF_ERROR(Finish(of_x, x));
  return Finish(of_q, data);
}

// --- Spectra ---

absl::StatusOr<std::unique_ptr<CudaSpectrum>> Convolver::MakeSpectrum(const Start& start, const Box3& box) {
  ASSIGN_OR_RETURN(StreamBlock numbers, AllocateFloats(2 * spectrum()));
  auto made = std::make_unique<CudaSpectrum>(std::move(numbers));
  RETURN_IF_ERROR(Begin(start, box, GridOf(made->data())));
  return made;
}

absl::StatusOr<std::unique_ptr<CudaOtf>> Convolver::MakeOtf(std::span<const float> psf, const Shape3& shape,
                                                            const Voxel& centre) {
  const bool real = IsSymmetric(psf, shape, centre);
  ASSIGN_OR_RETURN(StreamBlock numbers, AllocateFloats((real ? 1 : 2) * spectrum()));
  auto otf = std::make_unique<CudaOtf>(shape, centre, real, std::move(numbers));
  const Grid grid = GridOf(work_.floats());
  const Box3 whole{{}, domain()};
  ASSIGN_OR_RETURN(const StreamBlock values, AllocateFloats(shape.voxels()));
  RETURN_IF_ERROR(Upload(psf.data(), shape.voxels(), values.floats()));
  const Voxel wrapped{centre.z % domain().z, centre.y % domain().y, centre.x % domain().x};
  RETURN_IF_ERROR(Begin(PsfStart{values.floats(), shape, wrapped, domain()}, whole, grid));
  const float scale = 1.0F / static_cast<float>(domain().voxels());
  for (const Columns& chunk : chunks_.OfColumns()) {
    RETURN_IF_ERROR(TransformColumns(grid, chunk, /*forward=*/true));
    RETURN_IF_ERROR(Check(RunKeepOtf(stream_->place(), scale, grid, chunk, otf->field()), "keeping an OTF"));
  }
  return otf;
}

absl::Status Convolver::ReadMagnitude(const CudaOtf& otf, std::span<float> magnitude) {
  const auto voxels = static_cast<float>(domain().voxels());
  RETURN_IF_ERROR(Check(RunMagnitude(stream_->place(), otf.field(), voxels, spectrum(), room()), "taking magnitudes"));
  return Download(room(), spectrum(), magnitude.data());
}

absl::StatusOr<std::unique_ptr<CudaOtf>> Convolver::FilterOtf(const CudaOtf& otf, const SpectralFilter& filter) {
  ASSIGN_OR_RETURN(StreamBlock numbers, AllocateFloats((otf.real() ? 1 : 2) * spectrum()));
  auto filtered = std::make_unique<CudaOtf>(domain(), Voxel{}, otf.real(), std::move(numbers));
  const auto voxels = static_cast<float>(domain().voxels());
  float scale = 1;
  if (filter.keeps_constants) {
    float at_zero = 0;
    RETURN_IF_ERROR(Download(otf.real() ? otf.field().real : &otf.field().complex->re, 1, &at_zero));
    at_zero *= voxels;
    const float penalty = filter.penalty.empty() ? 0.0F : filter.penalty[0];
    scale = (at_zero * at_zero + filter.alpha + penalty) / (at_zero * (filter.gain.empty() ? 1.0F : filter.gain[0]));
  }
  FilterNumbers given{.gain = nullptr, .penalty = nullptr, .unit = voxels, .alpha = filter.alpha, .scale = scale};
  if (!filter.gain.empty()) {
    RETURN_IF_ERROR(Upload(filter.gain.data(), spectrum(), room()));
    given.gain = room();
  }
  if (!filter.penalty.empty()) {
    RETURN_IF_ERROR(Upload(filter.penalty.data(), spectrum(), room() + spectrum()));
    given.penalty = room() + spectrum();
  }
  RETURN_IF_ERROR(
      Check(RunFilter(stream_->place(), otf.field(), given, spectrum(), filtered->field()), "filtering an OTF"));
  return filtered;
}

absl::StatusOr<std::unique_ptr<CudaOtf>> Convolver::MakeRealOtf(std::span<const float> values) {
  ASSIGN_OR_RETURN(StreamBlock numbers, AllocateFloats(spectrum()));
  auto otf = std::make_unique<CudaOtf>(domain(), Voxel{}, /*real=*/true, std::move(numbers));
  RETURN_IF_ERROR(Upload(values.data(), spectrum(), otf->field().real));
  const float scale = 1.0F / static_cast<float>(domain().voxels());
  RETURN_IF_ERROR(Check(RunScale(stream_->place(), scale, spectrum(), otf->field().real), "scaling an OTF"));
  return otf;
}

}  // namespace deconvoy::worker::cuda
