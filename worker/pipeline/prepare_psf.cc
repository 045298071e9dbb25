#include "worker/pipeline/prepare_psf.h"

#include <span>
#include <utility>
#include <vector>

#include "proto/contract/prepared_psf.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"

namespace deconvoy::worker {
namespace {

// The PSF among the task's inputs, which suits the reports.
absl::StatusOr<const v1::VolumeAccess*> FindPsf(const v1::Task& task) {
  const v1::PreparePsfSpec& spec = task.prepare_psf().spec();
  RETURN_IF_ERROR(ValidatePreparePsf(spec));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  RETURN_IF_ERROR(ValidatePreparedPsf(spec, psf->spec()));
  return psf;
}

// One frame of the output, zeros around the box.
absl::StatusOr<std::vector<float>> MakeFrame(VolumeSource& source, const v1::VolumeAccess& volume,
                                             const v1::PsfReport& report, const Shape3& shape) {
  ASSIGN_OR_RETURN(const PreparedPsf psf, ReadPreparedPsf(source, volume, report));
  std::vector<float> frame(static_cast<size_t>(shape.voxels()));
  CopyBox(std::as_bytes(std::span(psf.values)).data(), PreparedPsfBox(report, shape),
          std::as_writable_bytes(std::span(frame)).data(), {{}, shape}, sizeof(float));
  return frame;
}

}  // namespace

absl::StatusOr<PreparedPsf> ReadPreparedPsf(VolumeSource& source, const v1::VolumeAccess& volume,
                                            const v1::PsfReport& report) {
  const Shape3 shape = FrameShape(volume.spec());
  const Box3 box = PsfBoxToRead(report, shape);
  ASSIGN_OR_RETURN(std::vector<float> read, ReadRegion(source, volume, {report.t(), report.c(), box}));
  return PreparePsf(std::move(read), shape, report);
}

absl::StatusOr<int64_t> PreparePsfBytes(const v1::Task& task) {
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindPsf(task));
  const Shape3 shape = FrameShape(psf->spec());
  return PlaneReadingBytes(psf->spec().type(), shape) + PreparedPsfBytes(task.prepare_psf().spec(), shape);
}

absl::StatusOr<v1::TaskResult> RunPreparePsf(const v1::Task& task, TaskContext& context) {
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindPsf(task));
  const v1::PreparePsfSpec& spec = task.prepare_psf().spec();
  const Shape3 shape = PreparedPsfShape(spec);
  PieceWriter writer(task, context.sink());
  for (int i = 0; i < spec.psfs_size(); ++i) {
    ASSIGN_OR_RETURN(const std::vector<float> frame, MakeFrame(context.source(), *psf, spec.psfs(i), shape));
    RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(frame))));
    RETURN_IF_ERROR(context.Progress(i + 1, spec.psfs_size()));
  }
  v1::TaskResult result;
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
