// The examination of jobs about PSFs, and what all jobs with a PSF share.
#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "proto/contract/error.h"
#include "proto/contract/optics.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/examiner.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {

template <class Spec>
absl::Status Examiner::CheckCentre(const Spec& spec, const v1::VolumeSpec& psf, std::string_view work) {
  if (spec.psf_centre() != v1::GIVEN) return absl::OkStatus();
  const Voxel centre = ToVoxel(spec.psf_centre_voxel());
  const Shape3 shape = FrameOf(psf);
  if (Box3{{}, shape}.Contains({centre, {1, 1, 1}})) return absl::OkStatus();
  const std::string field = fmt::format("{}.psf_centre_voxel", work);
  return Refuse(MakeError({.reason = v1::INVALID_FIELD,
                           .field = field,
                           .remedy = fmt::format("Give a voxel of the PSF, from 0,0,0 to {},{},{}.", shape.z - 1,
                                                 shape.y - 1, shape.x - 1)},
                          fmt::format("`{}` is {},{},{}, outside the PSF of {} voxels", field, centre.z, centre.y,
                                      centre.x, fmt::format("{} x {} x {}", shape.z, shape.y, shape.x))));
}

template absl::Status Examiner::CheckCentre(const v1::DeconvolveSpec&, const v1::VolumeSpec&, std::string_view);
template absl::Status Examiner::CheckCentre(const v1::CheckPsfSpec&, const v1::VolumeSpec&, std::string_view);

absl::Status Examiner::CheckAmount(int64_t amount, int64_t limit, const char* field, const char* remedy,
                                   const char* what) {
  if (amount <= limit) return absl::OkStatus();
  return Refuse(MakeError(
      {.reason = v1::LIMIT_EXCEEDED, .field = field, .remedy = remedy, .metadata = {{"limit", fmt::to_string(limit)}}},
      fmt::format("the job has {} {}, more than {}", amount, what, limit)));
}

// Stacks of beads; that the first one suits the PSF is found with the outputs.
absl::Status Examiner::CheckDistill(const v1::DistillSpec& spec) {
  RETURN_IF_ERROR(FindVolume(spec.input_volume(), "distill.input_volume", input_));
  for (const std::string& name : spec.more_volumes()) {
    std::optional<v1::VolumeSpec> more;
    RETURN_IF_ERROR(FindVolume(name, "distill.more_volumes", more));
    if (!input_ || !more) continue;
    const absl::Status suits = ValidateBeads(spec, *input_, *more);
    if (!suits.ok()) RETURN_IF_ERROR(Refuse(suits));
  }
  return absl::OkStatus();
}

absl::Status Examiner::CheckGivenPsf(const v1::CheckPsfSpec& given) {
  v1::CheckPsfSpec& spec = *result.spec.mutable_check_psf();
  if (spec.psf_centre() == v1::PSF_CENTRE_UNSPECIFIED) spec.set_psf_centre(v1::AUTO_CENTRE);
  if (spec.psf_energy() == 0) spec.set_psf_energy(0.999);
  RETURN_IF_ERROR(FindVolume(given.psf_volume(), "check_psf.psf_volume", psf_));
  if (!psf_) return absl::OkStatus();
  NoteVoxelSize(psf_->voxel_size(), "PSF", "check_psf.psf_volume");
  NoteVoxelSize(given.image_voxel_size(), "image", "check_psf.image_voxel_size");
  RETURN_IF_ERROR(CheckCentre(spec, *psf_, "check_psf"));
  const v1::Shape5& stacks = psf_->shape();
  const int64_t channels = std::max<int64_t>(stacks.c(), spec.optics_size());
  RETURN_IF_ERROR(CheckAmount(int64_t{stacks.t()} * channels, kAnalysedPsfs, "check_psf.psf_volume",
                              "Cut the volume along time or channels.", "PSFs (channels times time points)"));
  if (stacks.c() == 1) return absl::OkStatus();  // it serves channels of any number
  const absl::Status optics = ValidateOpticsCount(spec.optics(), stacks.c(), "PSF", "check_psf");
  return optics.ok() ? optics : Refuse(optics);
}

// That the reports suit it is found with the outputs.
absl::Status Examiner::CheckPreparedPsf(const v1::PreparePsfSpec& spec) {
  RETURN_IF_ERROR(FindVolume(spec.psf_volume(), "prepare_psf.psf_volume", psf_));
  if (!psf_) return absl::OkStatus();
  return CheckAmount(int64_t{psf_->shape().t()} * psf_->shape().c(), kAnalysedPsfs, "prepare_psf.psf_volume",
                     "Cut the volume along time or channels.", "PSFs (channels times time points)");
}

}  // namespace deconvoy::server
