#include "worker/pipeline/simulate.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/simulation.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/camera.h"
#include "worker/imaging/gaussian.h"
#include "worker/imaging/parallel.h"
#include "worker/imaging/specimen.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

// A specimen's image and the PSF's values that made it.
struct Blurred {
  std::vector<float> image;
  std::vector<float> psf;
};

SpecimenRequest RequestOf(const v1::SimulateSpec& spec) {
  SpecimenRequest request{ToShape3(spec.shape()), spec.kind(), spec.seed()};
  const v1::VoxelSize& size = spec.voxel_size();
  if (size.x_um() > 0 && size.z_um() > 0) request.z_spacing = size.z_um() / size.x_um();
  if (size.x_um() > 0 && size.y_um() > 0) request.y_spacing = size.y_um() / size.x_um();
  return request;
}

absl::StatusOr<Blurred> BlurByGaussian(const v1::SimulateSpec& spec, int threads, std::vector<float> truth) {
  ASSIGN_OR_RETURN(const Shape3 extent, GaussianPsfShape(spec.psf_fwhm(), spec.voxel_size()));
  const GaussianPsf psf = MakeGaussianPsf(spec.psf_fwhm(), spec.voxel_size(), extent);
  Blur(psf, ToShape3(spec.shape()), spec.periodic(), threads, truth);
  return Blurred{std::move(truth), psf.Values()};
}

Shape3 DomainOf(const Shape3& shape, const Shape3& psf, bool periodic) {
  const v1::Boundary boundary = periodic ? v1::PERIODIC : v1::EXTEND;
  return PaddedShape(shape, psf, boundary);
}

absl::StatusOr<PreparedPsf> ReadPsf(const v1::VolumeAccess& access, TaskContext& context) {
  const Shape3 shape = FrameShape(access.spec());
  ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(context.source(), access, {0, 0, {{}, shape}}));
  PsfOptions options;
  options.periodic = true;  // as a whole, so that the psf written is the one that was used
  ASSIGN_OR_RETURN(const PsfAnalysis analysis, AnalysePsf(values, shape, 0, options));
  return PreparePsf(std::move(values), shape, analysis.report);
}

absl::StatusOr<Blurred> BlurByBackend(const v1::Task& task, Backend& backend, TaskContext& context,
                                      std::vector<float> truth) {
  const v1::SimulateSpec& spec = task.simulate().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* access, FindInput(task, spec.psf_volume()));
  ASSIGN_OR_RETURN(PreparedPsf psf, ReadPsf(*access, context));
  const Box3 measured{{}, ToShape3(spec.shape())};
  ASSIGN_OR_RETURN(const std::unique_ptr<Ops> ops, backend.Open(DomainOf(measured.shape, psf.shape, spec.periodic())));
  ASSIGN_OR_RETURN(const std::unique_ptr<Otf> otf, ops->MakeOtf(psf.values, psf.shape, psf.centre));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> input, ops->Allocate(measured));
  ASSIGN_OR_RETURN(const std::unique_ptr<Array> output, ops->Allocate(measured));
  RETURN_IF_ERROR(ops->Upload(truth, measured, *input));
  RETURN_IF_ERROR(ops->Convolve({otf.get(), false, Identity{input.get()}, Store{output.get()}}));
  RETURN_IF_ERROR(ops->Download(*output, measured, truth));
  return Blurred{std::move(truth), std::move(psf.values)};
}

// Appends f32 values times `scale`.
absl::Status AppendScaled(std::span<const float> values, double scale, PieceWriter& writer) {
  constexpr size_t kAtOnce = 1 << 18;
  std::vector<float> part;
  for (size_t first = 0; first < values.size(); first += kAtOnce) {
    const auto some = values.subspan(first, std::min(kAtOnce, values.size() - first));
    part.resize(some.size());
    std::transform(some.begin(), some.end(), part.begin(), [scale](float v) { return static_cast<float>(v * scale); });
    RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(part))));
  }
  return absl::OkStatus();
}

// Exposes the image plane by plane, a few planes at once. Returns how many voxels were clipped.
absl::StatusOr<uint64_t> AppendRaw(const v1::SimulateSpec& spec, const Blurred& blurred, double scale, int threads,
                                   TaskContext& context, PieceWriter& writer) {
  const Shape3 shape = ToShape3(spec.shape());
  const int64_t plane = shape.y * shape.x;
  const Camera camera{ScaleOf(spec), spec.background_photons(),
                      spec.raw_type() == v1::VOXEL_TYPE_UNSPECIFIED ? v1::U16 : spec.raw_type(), spec.seed()};
  std::vector<float> photons(static_cast<size_t>(plane));
  std::vector<std::byte> raw(static_cast<size_t>(plane * BytesPerVoxel(camera.type)));
  std::vector<uint64_t> clipped(static_cast<size_t>(shape.y));
  uint64_t total_clipped = 0;
  for (int64_t z = 0; z < shape.z; ++z) {
    const float* source = blurred.image.data() + z * plane;
    std::transform(source, source + plane, photons.begin(), [scale](float v) { return static_cast<float>(v * scale); });
    ParallelFor(threads, shape.y, [&](int64_t y) {
      const auto row =
          std::span<const float>(photons).subspan(static_cast<size_t>(y * shape.x), static_cast<size_t>(shape.x));
      const auto bytes = static_cast<size_t>(shape.x * BytesPerVoxel(camera.type));
      clipped[static_cast<size_t>(y)] =
          Expose(camera, row, z * plane + y * shape.x, std::span(raw).subspan(static_cast<size_t>(y) * bytes, bytes));
    });
    for (uint64_t n : clipped) total_clipped += n;
    RETURN_IF_ERROR(writer.Append(raw));
    RETURN_IF_ERROR(context.Progress(z + 3, shape.z + 2));
  }
  return total_clipped;
}

absl::Status NoLight() {
  return MakeError(
      {.reason = v1::BAD_PSF, .field = "simulate.psf_volume", .remedy = "Give a PSF with its light around its centre."},
      "the PSF moves all light of the specimen out of the volume");
}

}  // namespace

absl::StatusOr<int64_t> SimulationBytes(const v1::Task& task) {
  const v1::SimulateSpec& spec = task.simulate().spec();
  const Shape3 shape = ToShape3(spec.shape());
  constexpr double kImageBytes = 8;    // specimen and image
  constexpr double kDomainBytes = 24;  // OTF, spectrum and two arrays are 16; the rest is for padding and threads
  if (spec.psf_volume().empty()) return TaskBytes(shape, kImageBytes);
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  return TaskBytes(shape, kImageBytes) +
         TaskBytes(DomainOf(shape, FrameShape(psf->spec()), spec.periodic()), kDomainBytes) +
         TaskBytes(FrameShape(psf->spec()), kAnalysisBytesPerPsfVoxel);
}

absl::StatusOr<v1::TaskResult> RunSimulate(const v1::Task& task, Backend& backend, TaskContext& context) {
  const v1::SimulateSpec& spec = task.simulate().spec();
  const int64_t steps = ToShape3(spec.shape()).z + 2;
  const std::vector<float> specimen = DrawSpecimen(RequestOf(spec));
  RETURN_IF_ERROR(context.Progress(1, steps));
  ASSIGN_OR_RETURN(const Blurred blurred, spec.psf_volume().empty() ? BlurByGaussian(spec, backend.threads(), specimen)
                                                                    : BlurByBackend(task, backend, context, specimen));
  RETURN_IF_ERROR(context.Progress(2, steps));
  const float brightest = *std::max_element(blurred.image.begin(), blurred.image.end());
  if (!(brightest > 0)) return NoLight();
  const double scale = spec.peak_photons() / static_cast<double>(brightest);
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(AppendScaled(specimen, scale, writer));
  RETURN_IF_ERROR(AppendScaled(blurred.psf, 1, writer));
  v1::TaskResult result;
  ASSIGN_OR_RETURN(const uint64_t clipped, AppendRaw(spec, blurred, scale, backend.threads(), context, writer));
  result.mutable_simulate()->set_clipped_voxels(clipped);
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
