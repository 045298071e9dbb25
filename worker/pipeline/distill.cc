#include "worker/pipeline/distill.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

constexpr size_t kShownBeads = 20;
constexpr double kStackBytes = 12;  // values, smoothed, and a copy that is sorted

std::string Text(const Voxel& v) {
  return fmt::format("{},{},{}", v.z, v.y, v.x);
}

void AddFinding(std::string message, v1::DistillResult& result) {
  v1::Finding& finding = *result.add_findings();
  finding.set_severity(v1::INFO);
  finding.set_message(std::move(message));
}

std::string WidthsText(const std::vector<float>& psf, const Shape3& shape, const v1::VoxelSize& voxel) {
  const PsfFacts facts = MeasurePsf(psf, shape, {shape.z / 2, shape.y / 2, shape.x / 2});
  const double z = facts.axes[0].fwhm, y = facts.axes[1].fwhm, x = facts.axes[2].fwhm;
  std::string text = fmt::format("{:.2f} x {:.2f} x {:.2f} voxels", z, y, x);
  if (voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0) {
    text += fmt::format(" ({:.3f} x {:.3f} x {:.3f} um)", z * voxel.z_um(), y * voxel.y_um(), x * voxel.x_um());
  }
  return text;
}

absl::Status NoBead(const FoundBeads& found) {
  std::string why = "nothing stands out of the background";
  if (!found.beads.empty()) {
    why = fmt::format("{} were found; the brightest, at {}, is {}", found.beads.size(), Text(found.beads[0].peak),
                      found.beads[0].rejected);
  }
  return MakeError({.reason = v1::BAD_PSF,
                    .field = "distill.input_volume",
                    .remedy = "Give a stack of single beads, a smaller `shape`, or a lower `least_snr`."},
                   fmt::format("no bead of the stack serves: {}", why));
}

void Tell(const FoundBeads& found, const DistilledPsf& psf, const std::string& widths, v1::DistillResult& result) {
  const auto used =
      std::count_if(found.beads.begin(), found.beads.end(), [](const Bead& bead) { return bead.rejected.empty(); });
  AddFinding(
      fmt::format("PSF of {} of {} beads: full width at half maximum {} (z,y,x)", used, found.beads.size(), widths),
      result);
  size_t said = 0;
  for (size_t i = 0; i < found.beads.size(); ++i) {
    const Bead& bead = found.beads[i];
    if (said++ == kShownBeads) return AddFinding("more beads were found, which are not listed", result);
    const std::string fate = bead.rejected.empty()
                                 ? fmt::format("used, correlation with the PSF {:.3f}", psf.correlations[i])
                                 : "not used, " + bead.rejected;
    AddFinding(fmt::format("bead at {} (z,y,x), {:.4g} above the background: {}", Text(bead.peak), bead.height, fate),
               result);
  }
}

}  // namespace

absl::StatusOr<int64_t> DistillBytes(const v1::Task& task) {
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, task.distill().spec().input_volume()));
  return PlaneReadingBytes(input->spec().type(), FrameShape(input->spec())) +
         TaskBytes(FrameShape(input->spec()), kStackBytes);
}

absl::StatusOr<v1::TaskResult> RunDistill(const v1::Task& task, TaskContext& context) {
  const v1::DistillSpec& spec = task.distill().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  const Shape3 shape = FrameShape(input->spec()), box = ToShape3(spec.shape());
  const FrameBox frame{0, spec.channel(), {{}, shape}};
  std::vector<float> values(static_cast<size_t>(shape.voxels()));
  const auto keep = [&](int64_t z, std::span<float> plane) {
    RETURN_IF_ERROR(CheckFinite(plane, frame, z));
    std::copy(plane.begin(), plane.end(), values.begin() + z * shape.y * shape.x);
    return context.Progress(z + 1, shape.z + 1);
  };
  RETURN_IF_ERROR(ForEachPlane(context.source(), *input, frame, keep));
  FoundBeads found = FindBeads(values, shape,
                               {.box = box,
                                .least_snr = spec.least_snr() > 0 ? spec.least_snr() : 10,
                                .saturation = static_cast<float>(spec.saturation_counts())});
  const DistilledPsf psf = AverageBeads(values, shape, box, found.beads);
  if (psf.values.empty()) return NoBead(found);
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(psf.values))));
  RETURN_IF_ERROR(context.Progress(shape.z + 1, shape.z + 1));
  v1::TaskResult result;
  Tell(found, psf, WidthsText(psf.values, box, input->spec().voxel_size()), *result.mutable_distill());
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
