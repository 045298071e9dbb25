#include "worker/pipeline/check_psf.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/optics.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/psf_findings.h"
#include "worker/pipeline/psf_use.h"
#include "worker/psf/check.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

constexpr double kSameVoxelSize = 0.03;  // that much apart counts as equal, as in a deconvolution

// The axis along which the sizes differ most, where they differ.
std::optional<PsfDefect> VoxelDefect(const v1::VoxelSize& psf, const v1::VoxelSize& image) {
  double most = 1 + kSameVoxelSize;
  const char* axis = nullptr;
  double of_psf = 0, of_image = 0;
  const auto compare = [&](const char* name, double p, double i) {
    if (!(p > 0 && i > 0) || std::max(p, i) / std::min(p, i) <= most) return;
    most = std::max(p, i) / std::min(p, i);
    axis = name, of_psf = p, of_image = i;
  };
  compare("z", psf.z_um(), image.z_um());
  compare("y", psf.y_um(), image.y_um());
  compare("x", psf.x_um(), image.x_um());
  if (axis == nullptr) return std::nullopt;
  return PsfDefect{
      .name = "voxel_size",
      .number = of_psf / of_image,
      .message = fmt::format("along {} its voxels are {:.4g} um, {:.3g} times those of the image, {:.4g} um: "
                             "voxel by voxel it would be as much too {}",
                             axis, of_psf, of_psf / of_image, of_image, of_psf < of_image ? "broad" : "narrow"),
      .remedy = "Give a PSF with the image's voxels, or correct the size that is wrong."};
}

class PsfChecking {
 public:
  PsfChecking(const v1::CheckPsfSpec& spec, const v1::VolumeAccess& psf, TaskContext& context)
      : spec_(spec), psf_(psf), context_(context) {}

  absl::StatusOr<v1::CheckPsfResult> Run() {
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(psf_.spec().shape(), psf_.spec().type(), "psf.shape"));
    if (shape.c > 1) RETURN_IF_ERROR(ValidateOpticsCount(spec_.optics(), shape.c, "PSF", "check_psf"));
    if (const auto defect = VoxelDefect(psf_.spec().voxel_size(), spec_.image_voxel_size())) {
      Add(PsfFinding(0, *defect));
    }
    for (int64_t t = 0; t < shape.t; ++t) {
      for (int64_t c = 0; c < shape.c; ++c) {
        RETURN_IF_ERROR(CheckOne({t, c, {{}, shape.frame()}}));
        RETURN_IF_ERROR(context_.Progress(t * shape.c + c + 1, shape.frames()));
      }
    }
    return std::move(result_);
  }

 private:
  PsfOptions Options(const Shape3& shape) const {
    PsfOptions options = PsfOptionsOf(spec_);
    options.image = spec_.image_shape().z() > 0 ? ToShape3(spec_.image_shape()) : shape;  // the latter limits nothing
    options.voxel = psf_.spec().voxel_size();
    return options;
  }

  absl::Status CheckOne(const FrameBox& stack) {
    Shape3 shape = stack.box.shape;  // stays: the PSF keeps its voxels
    const auto c = static_cast<uint32_t>(stack.c);
    ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(context_.source(), psf_, stack));
    ASSIGN_OR_RETURN(PsfAnalysis found, AnalysePsf(values, shape, c, Options(shape)));
    found.report.set_t(static_cast<uint32_t>(stack.t));
    *result_.add_psfs() = std::move(found.report);
    for (v1::Finding& finding : found.findings) Add(std::move(finding));
    CompareWithOptics(values, shape, c);
    return absl::OkStatus();
  }

  // A PSF of one channel serves all channels of an image, and is held against the optics of each.
  void CompareWithOptics(std::span<const float> values, const Shape3& shape, uint32_t c) {
    const int all = spec_.optics_size();
    const bool serves_all = psf_.spec().shape().c() == 1;
    const v1::VoxelSize voxel = PsfVoxelSize(spec_.image_voxel_size(), psf_.spec().voxel_size());
    for (int of = 0; of < all; ++of) {
      if (all > 1 && !serves_all && of != static_cast<int>(c)) continue;
      for (v1::Finding& finding : OpticsFindings(values, shape, c, voxel, spec_.optics(of), spec_.microscopy())) {
        if (all > 1 && serves_all) finding.set_message(fmt::format("{} (for channel {})", finding.message(), of));
        Add(std::move(finding));
      }
    }
  }

  // A deconvolution's fields are this work's here.
  void Add(v1::Finding finding) {
    constexpr std::string_view kDeconvolve = "deconvolve.";
    if (finding.info().field().starts_with(kDeconvolve)) {
      finding.mutable_info()->set_field("check_psf." + finding.info().field().substr(kDeconvolve.size()));
    }
    *result_.add_findings() = std::move(finding);
  }

  const v1::CheckPsfSpec& spec_;
  const v1::VolumeAccess& psf_;
  TaskContext& context_;
  v1::CheckPsfResult result_;
};

}  // namespace

absl::StatusOr<int64_t> CheckPsfBytes(const v1::Task& task) {
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, task.check_psf().spec().psf_volume()));
  const Shape3 shape = FrameShape(psf->spec());
  return PlaneReadingBytes(psf->spec().type(), shape) + TaskBytes(shape, kAnalysisBytesPerPsfVoxel);
}

absl::StatusOr<v1::TaskResult> RunCheckPsf(const v1::Task& task, TaskContext& context) {
  const v1::CheckPsfSpec& spec = task.check_psf().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  v1::TaskResult result;
  ASSIGN_OR_RETURN(*result.mutable_check_psf(), PsfChecking(spec, *psf, context).Run());
  return result;
}

}  // namespace deconvoy::worker
