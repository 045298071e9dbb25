// Memory of an analysis.
#include <algorithm>

#include "proto/contract/deconvolution.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/frame_statistics.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/analyse.h"
#include "worker/pipeline/background_survey.h"
#include "worker/pipeline/camera_survey.h"
#include "worker/pipeline/first_planes.h"
#include "worker/pipeline/motion_survey.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {

absl::StatusOr<int64_t> AnalysisBytes(const v1::Task& task) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  const Shape3 psf_shape = FrameShape(psf->spec());
  const PsfSteps steps = StepsOf(OnResultGrid(spec, input->spec()).voxel_size(), psf->spec().voxel_size());
  const int64_t for_psf = PlaneReadingBytes(psf->spec().type(), psf_shape) +
                          TaskBytes(PsfRoom(psf_shape, steps), kAnalysisBytesPerPsfVoxel);
  const v1::VolumeSpec seen = SeenOf(task.analyse(), input->spec());
  const Shape3 frame = FrameShape(seen);
  int64_t for_image = PlaneReadingBytes(input->spec().type(), frame) + FrameStatistics::kHistogramBytes;
  for_image += BackgroundSurvey::Bytes(spec);
  if (!spec.mask_volume().empty()) for_image += PlaneReadingBytes(v1::U8, frame);
  const int64_t plane = frame.y * frame.x * static_cast<int64_t>(sizeof(float));
  if (HasWeights(spec, LooksForBadPixels(spec, seen))) for_image += plane;
  if (!spec.flat_field_volume().empty()) for_image += plane;
  const v1::Shape5& extents = seen.shape();
  for_image += int64_t{extents.c()} * MotionSurvey::Bytes(extents.t(), frame, spec.correct_motion());
  return std::max({for_psf, for_image, CameraSurveyBytes(spec, seen)});
}

}  // namespace deconvoy::worker
