#include "worker/pipeline/distill.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/distillation.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/memory/budget.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/psf/distill/average.h"
#include "worker/psf/distill/beads.h"
#include "worker/psf/distill/filter.h"
#include "worker/psf/distill/profile.h"
#include "worker/psf/facts.h"

namespace deconvoy::worker {
namespace {

constexpr size_t kShownBeads = 40;
constexpr double kStackBytes = 16;  // values, smoothed, sharpened, and a copy that is sorted

std::string Text(const Voxel& v) {
  return fmt::format("{},{},{}", v.z, v.y, v.x);
}

void AddFinding(std::string message, v1::DistillResult& result) {
  v1::Finding& finding = *result.add_findings();
  finding.set_severity(v1::INFO);
  finding.set_message(std::move(message));
}

bool IsKnown(const v1::VoxelSize& voxel) {
  return voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0;
}

// Three widths in voxels, and in um where that is known.
std::string WidthsText(const std::array<double, 3>& widths, const v1::VoxelSize& voxel) {
  std::string text = fmt::format("{:.2f} x {:.2f} x {:.2f} voxels", widths[0], widths[1], widths[2]);
  if (IsKnown(voxel)) {
    text += fmt::format(" ({:.3f} x {:.3f} x {:.3f} um)", widths[0] * voxel.z_um(), widths[1] * voxel.y_um(),
                        widths[2] * voxel.x_um());
  }
  return text;
}

BeadMean MeanOf(v1::DistillSpec::Average average) {
  switch (average) {
    case v1::DistillSpec::MEDIAN:
      return BeadMean::kMedian;
    case v1::DistillSpec::MEAN:
      return BeadMean::kPlain;
    default:
      return BeadMean::kTrimmed;
  }
}

const char* MeanText(BeadMean mean) {
  switch (mean) {
    case BeadMean::kMedian:
      return "median";
    case BeadMean::kPlain:
      return "mean";
    case BeadMean::kTrimmed:
      break;
  }
  return "trimmed mean";
}

absl::StatusOr<std::vector<const v1::VolumeAccess*>> BeadVolumes(const v1::Task& task) {
  const v1::DistillSpec& spec = task.distill().spec();
  std::vector<std::string> names = {spec.input_volume()};
  names.insert(names.end(), spec.more_volumes().begin(), spec.more_volumes().end());
  std::vector<const v1::VolumeAccess*> volumes;
  for (const std::string& name : names) {
    ASSIGN_OR_RETURN(volumes.emplace_back(), FindInput(task, name));
  }
  return volumes;
}

// Beads of several stacks, and what surrounds those that serve.
class Harvest {
 public:
  Harvest(const v1::DistillSpec& spec, TaskContext& context)
      : box_(ToShape3(spec.shape())),
        rules_{.box = box_,
               .least_snr = spec.least_snr() > 0 ? spec.least_snr() : 10,
               .saturation = static_cast<float>(spec.saturation_counts()),
               .search_fwhm = spec.search_fwhm_voxels()},
        context_(context) {}

  // One stack; `planes` are those of all stacks together.
  absl::Status Add(const v1::VolumeAccess& volume, const FrameBox& frame, int64_t stack, int64_t planes) {
    const Shape3& shape = frame.box.shape;
    std::vector<float> values(static_cast<size_t>(shape.voxels()));
    const auto keep = [&](int64_t z, std::span<float> plane) {
      RETURN_IF_ERROR(CheckFinite(plane, frame, z));
      std::copy(plane.begin(), plane.end(), values.begin() + z * shape.y * shape.x);
      return context_.Progress(++done_, planes + 1);
    };
    RETURN_IF_ERROR(ForEachPlane(context_.source(), volume, frame, keep));
    FoundBeads found = FindBeads(values, shape, rules_);
    const auto most = static_cast<size_t>(MostBeads(box_));
    size_t cut = 0;
    for (Bead& bead : found.beads) {
      bead.stack = stack;
      if (bead.rejected.empty() && ++cut > most) bead.rejected = kNotNeeded;
      if (bead.rejected.empty()) {
        BeadPatch& patch = patches_.emplace_back(CutPatch(values, shape, box_, bead.peak));
        patch.bead = beads_.size();
        patch.background = found.background;
      }
      beads_.push_back(std::move(bead));
    }
    KeepBest(most);
    return absl::OkStatus();
  }

  const Shape3& box() const { return box_; }
  std::vector<Bead>& beads() { return beads_; }
  const std::vector<Bead>& beads() const { return beads_; }
  const std::vector<BeadPatch>& patches() const { return patches_; }

 private:
  static constexpr char kNotNeeded[] = "not needed: enough others stand out of the noise more clearly";

  void KeepBest(size_t most) {
    std::stable_sort(patches_.begin(), patches_.end(),
                     [&](const BeadPatch& a, const BeadPatch& b) { return beads_[a.bead].snr > beads_[b.bead].snr; });
    while (patches_.size() > most) {
      beads_[patches_.back().bead].rejected = kNotNeeded;
      patches_.pop_back();
    }
  }

  const Shape3 box_;
  const BeadRules rules_;
  TaskContext& context_;
  int64_t done_ = 0;  // planes
  std::vector<Bead> beads_;
  std::vector<BeadPatch> patches_;
};

absl::Status NoBead(const std::vector<Bead>& beads) {
  std::string why = "nothing stands out of the background";
  if (!beads.empty()) {
    const Bead& best =
        *std::max_element(beads.begin(), beads.end(), [](const Bead& a, const Bead& b) { return a.height < b.height; });
    why = fmt::format("{} were found; the brightest, at {}, is {}", beads.size(), Text(best.peak), best.rejected);
  }
  return MakeError({.reason = v1::BAD_PSF,
                    .field = "distill.input_volume",
                    .remedy = "Give a stack of single beads, a smaller `shape`, or a lower `least_snr`."},
                   fmt::format("no bead of the stack serves: {}", why));
}

absl::StatusOr<PsfFilter> FilterOf(const v1::DistillSpec& spec, const v1::VoxelSize& voxel) {
  if (spec.bead_um() > 0 && !IsKnown(voxel)) {
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "distill.bead_um",
                      .remedy = "Say the stack's voxel size, or leave the beads' diameter out."},
                     "the beads' diameter is given in um, but the stack does not say its voxel size");
  }
  return PsfFilter{.bead_um = spec.bead_um(),
                   .floor = spec.bead_floor() > 0 ? spec.bead_floor() : 0.01,
                   .z_um = voxel.z_um(),
                   .y_um = voxel.y_um(),
                   .x_um = voxel.x_um(),
                   .smoothing = spec.smoothing_voxels()};
}

// Negative values become 0, and the sum 1.
void Finish(std::vector<float>& psf) {
  double sum = 0;
  for (float& v : psf) sum += static_cast<double>(v = std::max(v, 0.0F));
  for (float& v : psf) v = static_cast<float>(static_cast<double>(v) / sum);
}

void TellPsf(const std::vector<float>& psf, const Shape3& box, const v1::VoxelSize& voxel, double snr,
             v1::DistillResult& result) {
  const std::array<double, 3> widths = WidthsAtHalf(psf, box);
  const std::array<GaussianFit, 3> fits = FitProfiles(psf, box, widths);
  const std::array<double, 3> mirrored = MirrorCorrelations(psf, box);
  AddFinding(fmt::format("Gaussians fitted to the PSF's profiles: {} (z,y,x), off by {:.1f}, {:.1f} and {:.1f} % of "
                         "their heights",
                         WidthsText({fits[0].fwhm(), fits[1].fwhm(), fits[2].fwhm()}, voxel), 100 * fits[0].residual,
                         100 * fits[1].residual, 100 * fits[2].residual),
             result);
  AddFinding(
      fmt::format("the PSF's signal over noise is {:.0f}; its symmetry, as the correlation with its mirror image, "
                  "is {:.3f} along z, {:.3f} along y, {:.3f} along x",
                  std::min(snr, 1e6), mirrored[0], mirrored[1], mirrored[2]),
      result);
}

void TellBeads(const std::vector<Bead>& beads, const DistilledPsf& psf, const std::vector<std::string>& stacks,
               v1::DistillResult& result) {
  for (size_t i = 0; i < beads.size(); ++i) {
    if (i == kShownBeads) return AddFinding("more beads were found, which are not listed", result);
    const Bead& bead = beads[i];
    const std::string fate = bead.rejected.empty()
                                 ? fmt::format("used, correlation with the PSF {:.3f}, residual {:.1f} %",
                                               psf.fits[i].correlation, 100 * psf.fits[i].residual)
                                 : "not used, " + bead.rejected;
    AddFinding(
        fmt::format("bead at {} (z,y,x){}, {:.4g} above the background, {:.0f} times the noise: {}", Text(bead.peak),
                    stacks[static_cast<size_t>(bead.stack)], bead.height, std::min(bead.snr, 1e6), fate),
        result);
  }
}

int64_t PlanesOf(const std::vector<const v1::VolumeAccess*>& volumes) {
  int64_t planes = 0;
  for (const v1::VolumeAccess* volume : volumes) {
    planes += int64_t{volume->spec().shape().t()} * FrameShape(volume->spec()).z;
  }
  return planes;
}

// All stacks of all volumes; afterwards `stacks` says of each where it is from, where there are several.
absl::Status Gather(const std::vector<const v1::VolumeAccess*>& volumes, int64_t channel, Harvest& harvest,
                    std::vector<std::string>& stacks) {
  for (size_t v = 0; v < volumes.size(); ++v) {
    const v1::VolumeSpec& volume = volumes[v]->spec();
    for (int64_t t = 0; t < int64_t{volume.shape().t()}; ++t) {
      const FrameBox frame{t, channel, {{}, FrameShape(volume)}};
      RETURN_IF_ERROR(harvest.Add(*volumes[v], frame, static_cast<int64_t>(stacks.size()), PlanesOf(volumes)));
      stacks.push_back((volumes.size() > 1 ? fmt::format(" of volume {}", v) : std::string()) +
                       (volume.shape().t() > 1 ? fmt::format(" at time point {}", t) : std::string()));
    }
  }
  return absl::OkStatus();
}

std::string FilterText(const PsfFilter& filter) {
  if (!(filter.bead_um > 0)) return "it was smoothed";
  return fmt::format("the size of the beads, {:g} um, was taken out{}", filter.bead_um,
                     filter.smoothing > 0 ? " and it was smoothed" : "");
}

// Filters the average and makes it a PSF; tells its widths.
void Complete(const PsfFilter& filter, const v1::VoxelSize& voxel, BeadMean mean, const Harvest& harvest,
              std::vector<float>& psf, v1::DistillResult& told) {
  const Shape3& box = harvest.box();
  const auto used = std::count_if(harvest.beads().begin(), harvest.beads().end(),
                                  [](const Bead& bead) { return bead.rejected.empty(); });
  const std::array<double, 3> recorded = WidthsAtHalf(psf, box);
  if (filter.changes()) FilterPsf(filter, box, psf);
  Finish(psf);
  AddFinding(fmt::format("PSF of {} of {} beads, {}: full width at half maximum {} (z,y,x)", used,
                         harvest.beads().size(), MeanText(mean), WidthsText(WidthsAtHalf(psf, box), voxel)),
             told);
  if (!filter.changes()) return;
  AddFinding(fmt::format("before {} it was {}", FilterText(filter), WidthsText(recorded, voxel)), told);
}

}  // namespace

absl::StatusOr<int64_t> DistillBytes(const v1::Task& task) {
  ASSIGN_OR_RETURN(const auto volumes, BeadVolumes(task));
  const Shape3 box = ToShape3(task.distill().spec().shape());
  int64_t largest = 0;
  for (const v1::VolumeAccess* volume : volumes) {
    const Shape3 shape = FrameShape(volume->spec());
    largest = std::max(largest, PlaneReadingBytes(volume->spec().type(), shape) + TaskBytes(shape, kStackBytes));
  }
  return largest + BeadBytes(box);
}

absl::StatusOr<v1::TaskResult> RunDistill(const v1::Task& task, TaskContext& context) {
  const v1::DistillSpec& spec = task.distill().spec();
  ASSIGN_OR_RETURN(const auto volumes, BeadVolumes(task));
  const v1::VoxelSize& voxel = volumes.front()->spec().voxel_size();
  ASSIGN_OR_RETURN(const PsfFilter filter, FilterOf(spec, voxel));
  Harvest harvest(spec, context);
  std::vector<std::string> stacks;
  RETURN_IF_ERROR(Gather(volumes, spec.channel(), harvest, stacks));
  const BeadMean mean = MeanOf(spec.average());
  DistilledPsf psf = AverageBeads(harvest.patches(), harvest.box(), mean, harvest.beads());
  if (psf.values.empty()) return NoBead(harvest.beads());
  v1::TaskResult result;
  v1::DistillResult& told = *result.mutable_distill();
  Complete(filter, voxel, mean, harvest, psf.values, told);
  TellPsf(psf.values, harvest.box(), voxel, psf.snr, told);
  TellBeads(harvest.beads(), psf, stacks, told);
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(writer.Append(std::as_bytes(std::span(psf.values))));
  const int64_t steps = PlanesOf(volumes) + 1;
  RETURN_IF_ERROR(context.Progress(steps, steps));
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
