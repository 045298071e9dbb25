#include "worker/pipeline/analyse.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/deconvolution.h"
#include "proto/contract/error.h"
#include "proto/contract/optics.h"
#include "proto/contract/parameters.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/frame_statistics.h"
#include "worker/memory/budget.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/psf_findings.h"
#include "worker/psf/facts.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

void AddWarning(std::string message, std::string field, std::string remedy, v1::AnalyseResult& result) {
  v1::Finding& finding = *result.add_findings();
  finding.set_severity(v1::WARNING);
  finding.set_message(std::move(message));
  finding.mutable_info()->set_field(std::move(field));
  finding.mutable_info()->set_remedy(std::move(remedy));
}

class Analysis {
 public:
  // `mask` may be null.
  Analysis(const v1::DeconvolveSpec& spec, const v1::VolumeAccess* mask, TaskContext& context)
      : spec_(spec), mask_(mask), context_(context) {}

  // `grid`: the image on the result's grid.
  absl::Status AnalysePsfs(const v1::VolumeAccess& psf, const v1::VolumeSpec& grid) {
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(psf.spec().shape(), psf.spec().type(), "psf.shape"));
    PsfOptions options;
    options.rule = spec_.psf_centre();
    options.given = ToVoxel(spec_.psf_centre_voxel());
    if (spec_.psf_energy() > 0) options.energy = spec_.psf_energy();
    options.image = FrameShape(grid);
    options.voxel = Or(psf.spec().voxel_size(), grid.voxel_size());
    options.periodic = spec_.boundary() == v1::PERIODIC;
    RETURN_IF_ERROR(ValidateOpticsCount(spec_.optics(), grid.shape().c(), "image", "deconvolve"));
    psf_channels_ = shape.c;
    if (spec_.psf_background_case() == v1::DeconvolveSpec::kPsfBackgroundAuto)
      options.background = PsfBackground::kAuto;
    if (spec_.psf_background_case() == v1::DeconvolveSpec::kPsfBackgroundCounts) {
      options.background = PsfBackground::kGiven;
      options.background_level = spec_.psf_background_counts();
    }
    options.steps = StepsOf(grid.voxel_size(), psf.spec().voxel_size());
    RETURN_IF_ERROR(CheckSteps(options.steps));
    for (int64_t t = 0; t < shape.t; ++t) {
      for (int64_t c = 0; c < shape.c; ++c) {
        RETURN_IF_ERROR(AddContext(AnalyseOnePsf(psf, {t, c, {{}, shape.frame()}}, options), DepthText(t)));
      }
    }
    return absl::OkStatus();
  }

  absl::Status AnalyseFrames(const v1::VolumeAccess& input, const Shape5& shape) {
    const int64_t total = shape.frames() * shape.z;
    for (int64_t t = 0; t < shape.t; ++t) {
      for (int64_t c = 0; c < shape.c; ++c) {
        const int64_t done = (t * shape.c + c) * shape.z;
        RETURN_IF_ERROR(AnalyseFrame(input, {t, c, {{}, shape.frame()}}, done, total));
      }
    }
    RETURN_IF_ERROR(CheckCounted());
    WarnOfSwap();
    return CheckLight();
  }

  v1::AnalyseResult& result() { return result_; }

 private:
  // Of one depth among several; else empty.
  std::string DepthText(int64_t t) const {
    if (spec_.psf_depths_um_size() < 2) return "";
    return fmt::format("PSF at a depth of {:g} um", spec_.psf_depths_um(static_cast<int>(t)));
  }

  absl::Status AnalyseOnePsf(const v1::VolumeAccess& psf, const FrameBox& stack, const PsfOptions& options) {
    Shape3 shape = stack.box.shape;
    ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(context_.source(), psf, stack));
    ASSIGN_OR_RETURN(PsfAnalysis found, AnalysePsf(values, shape, static_cast<uint32_t>(stack.c), options));
    found.report.set_t(static_cast<uint32_t>(stack.t));
    RETURN_IF_ERROR(CheckThickness(found.report));
    CompareWithOptics(values, {stack.t, stack.c, {{}, shape}}, TimesSteps(options.voxel, options.steps),
                      found.findings);
    RETURN_IF_ERROR(ReviewMethod(std::move(values), shape, found.report, options.image));
    *result_.add_psfs() = std::move(found.report);
    const std::string depth = DepthText(stack.t);
    for (v1::Finding& finding : found.findings) {
      if (!depth.empty()) finding.set_message(depth + ": " + finding.message());
      const std::string& defect = MetadataOf(finding, "defect");
      if (defect == "second_peak" || defect == "cut_sideways") psf_is_no_point_ = true;
      *result_.add_findings() = std::move(finding);
    }
    return absl::OkStatus();
  }

  // The voxels that the PSF is told at.
  static v1::VoxelSize TimesSteps(v1::VoxelSize voxel, const PsfSteps& steps) {
    voxel.set_z_um(voxel.z_um() * steps.z);
    voxel.set_y_um(voxel.y_um() * steps.y);
    voxel.set_x_um(voxel.x_um() * steps.x);
    return voxel;
  }

  static absl::Status CheckSteps(const PsfSteps& steps) {
    if (steps.usable()) return absl::OkStatus();
    return MakeError({.reason = v1::VOXEL_SIZE_MISMATCH,
                      .field = "deconvolve.psf_volume",
                      .remedy = "Give the PSF with the image's voxel size."},
                     fmt::format("the image's voxels are {:.3g} x {:.3g} x {:.3g} (z,y,x) of the PSF's, which must be "
                                 "{:g} to {:g}",
                                 steps.z, steps.y, steps.x, kLeastPsfStep, kMostPsfStep));
  }

  // A PSF of one channel serves all channels of the image, and is held against the optics of each.
  void CompareWithOptics(std::span<const float> values, const FrameBox& stack, const v1::VoxelSize& voxel,
                         std::vector<v1::Finding>& findings) const {
    const int all = spec_.optics_size();
    const bool serves_all = psf_channels_ == 1;
    for (int c = 0; c < all; ++c) {
      if (all > 1 && !serves_all && c != static_cast<int>(stack.c)) continue;
      v1::Optics optics = spec_.optics(c);
      if (spec_.psf_depths_um_size() > 0) {
        optics.set_depth_um(std::max(optics.depth_um() + spec_.psf_depths_um(static_cast<int>(stack.t)), 0.0));
      }
      for (v1::Finding& finding :
           OpticsFindings(values, stack.box.shape, static_cast<uint32_t>(stack.c), voxel, optics, spec_.microscopy())) {
        if (all > 1 && serves_all) finding.set_message(fmt::format("{} (for channel {})", finding.message(), c));
        findings.push_back(std::move(finding));
      }
    }
  }

  static std::string MetadataOf(const v1::Finding& finding, const std::string& name) {
    const auto found = finding.info().metadata().find(name);
    return found == finding.info().metadata().end() ? "" : found->second;
  }

  // Nothing would be known of planes that were not measured.
  absl::Status CheckThickness(const v1::PsfReport& report) const {
    if (AxialUpsample(spec_) == 1 || report.crop_shape().z() > 1) return absl::OkStatus();
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "deconvolve.parameters[\"axial_upsample\"]",
                      .remedy = "Give a PSF of several planes, or leave `axial_upsample` out."},
                     fmt::format("the PSF of channel {} has one plane, from which no plane between those of the image "
                                 "can be told",
                                 report.c()));
  }

  // Asks the method about its parameters and the prepared PSF. What is wrong with the method's name is said by the
  // tiles' tasks. `psf` and `shape` are as AnalysePsf leaves them.
  absl::Status ReviewMethod(std::vector<float> psf, const Shape3& shape, const v1::PsfReport& report,
                            const Shape3& image) {
    const Method* method = FindMethod(spec_.method());
    if (method == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Parameters parameters,
                     ResolveParameters(method->description(), {spec_.parameters().begin(), spec_.parameters().end()}));
    KeepUsed(shape, report, psf);
    const Box3 box = UsedPsfBox(report, shape);
    const PsfFacts facts = MeasurePsf(psf, box.shape, PsfOriginOf(report) - box.origin);
    RETURN_IF_ERROR(method->ReviewFrame(parameters, facts, image));
    ASSIGN_OR_RETURN(const std::vector<Advice> advice, method->Review(parameters, facts));
    for (const Advice& a : advice) {
      AddWarning(fmt::format("PSF of channel {}: {}", report.c(), a.message), a.field, a.remedy, result_);
    }
    return absl::OkStatus();
  }

  absl::Status AnalyseFrame(const v1::VolumeAccess& input, const FrameBox& frame, int64_t done, int64_t total) {
    whole_counts_ = input.spec().type() != v1::F32;
    const CountScale scale = ScaleOf(spec_);
    FrameStatistics statistics(frame.box.shape, scale);
    MaskReader mask(context_.source(), mask_, spec_.saturation_counts(), frame);
    const auto add = [&](int64_t z, std::span<float> plane) -> absl::Status {
      ASSIGN_OR_RETURN(const std::span<const float> counts, mask.Read(z, 0, plane));
      ToPhotons(scale, plane);
      statistics.AddPlane(plane, counts);
      return context_.Progress(done + z + 1, total);
    };
    RETURN_IF_ERROR(ForEachPlane(context_.source(), input, frame, add));
    const FrameFacts facts = statistics.Finish();
    if (facts.not_finite > 0) return NotFiniteError(facts.not_finite, frame.t, frame.c, *facts.first_not_finite);
    Record(frame, facts);
    return absl::OkStatus();
  }

  void Record(const FrameBox& frame, const FrameFacts& facts) {
    v1::FrameStatistics& entry = *result_.add_frames();
    entry.set_t(static_cast<uint32_t>(frame.t));
    entry.set_c(static_cast<uint32_t>(frame.c));
    entry.set_minimum(facts.minimum);
    entry.set_maximum(facts.maximum);
    entry.set_mean(facts.mean);
    entry.set_variance(facts.variance);
    entry.set_background(BackgroundIsGiven() ? GivenPhotons() : facts.automatic_background);
    const std::string where = fmt::format("frame t={} c={}", frame.t, frame.c);
    if (HasMaskedVoxels()) NoteCounted(where, frame.box.shape.voxels(), facts.counted);
    if (facts.counted == 0) return;
    WarnOfLight(where, facts);
    WarnOfCounts(where, facts);
    WarnOfOffset(where, frame.box.shape.voxels(), facts.negative);
    WarnOfForgottenOffset(where, frame.c, facts);
    image_is_a_point_ = image_is_a_point_ && kBlocksOfOneBright * facts.bright_blocks <= facts.blocks;
  }

  bool HasMaskedVoxels() const { return mask_ != nullptr || spec_.saturation_counts() > 0; }

  void NoteCounted(const std::string& where, int64_t voxels, int64_t counted) {
    counted_ += counted;
    if (counted == 0) {
      AddWarning(fmt::format("{}: no voxel counts; its result is zero", where), MaskField(), kMaskRemedy, result_);
    } else if (counted < voxels) {
      v1::Finding& finding = *result_.add_findings();
      finding.set_severity(v1::INFO);
      finding.set_message(fmt::format("{}: {} of {} voxels ({:.3g} %) do not count and are told from their neighbours",
                                      where, voxels - counted, voxels,
                                      100 * static_cast<double>(voxels - counted) / static_cast<double>(voxels)));
    }
  }

  const char* MaskField() const { return mask_ != nullptr ? "deconvolve.mask_volume" : "deconvolve.saturation_counts"; }

  // One frame without a voxel that counts is only warned of.
  absl::Status CheckCounted() const {
    if (!HasMaskedVoxels() || counted_ > 0) return absl::OkStatus();
    return MakeError({.reason = v1::INVALID_FIELD, .field = MaskField(), .remedy = kMaskRemedy},
                     "mask and saturation leave no voxel of the image that counts");
  }

  static constexpr char kMaskRemedy[] =
      "Check the mask, in which 0 stands for a voxel that does not count, and the counts from which voxels are "
      "saturated.";

  bool BackgroundIsGiven() const { return spec_.background_case() == v1::DeconvolveSpec::kBackgroundCounts; }
  // 0 where it is estimated: an estimate never takes all the light.
  double GivenPhotons() const { return BackgroundIsGiven() ? spec_.background_counts() * ScaleOf(spec_).gain : 0; }

  void WarnOfLight(const std::string& where, const FrameFacts& facts) {
    if (facts.maximum == facts.minimum) {
      AddWarning(fmt::format("{}: every voxel has the same value", where), "deconvolve.input_volume",
                 "Check that the frame is not blank.", result_);
    } else if (facts.maximum <= GivenPhotons()) {
      dark_maximum_ = std::max(dark_maximum_.value_or(facts.maximum), facts.maximum);
      AddWarning(fmt::format("{}: {}; its result is dark", where, NoLightText(facts.maximum)), LightField(),
                 kLightRemedy, result_);
    } else if (BackgroundIsGiven() && GivenPhotons() >= facts.mean) {
      AddWarning(fmt::format("{}: the background of {:g} counts is above the mean of {:g} counts", where,
                             spec_.background_counts(), facts.mean / ScaleOf(spec_).gain),
                 LightField(), kLightRemedy, result_);
    }
    lit_ = lit_ || facts.maximum > GivenPhotons();
  }

  void WarnOfCounts(const std::string& where, const FrameFacts& facts) {
    const Method* method = FindMethod(spec_.method());
    if (method == nullptr || facts.maximum == facts.minimum) return;
    for (const Advice& a : method->ReviewCounts(facts.mean, facts.variance)) {
      AddWarning(fmt::format("{}: {}", where, a.message), a.field, a.remedy, result_);
    }
  }

  void WarnOfOffset(const std::string& where, int64_t voxels, int64_t negative) {
    const double share = static_cast<double>(negative) / static_cast<double>(voxels);
    if (share <= kNegativeShare) return;
    AddWarning(fmt::format("{}: {:.3g} % of the voxels lie below the offset of {:g} counts", where, 100 * share,
                           spec_.offset_counts()),
               "deconvolve.offset_counts", "Give the camera's own offset, or its read noise.", result_);
  }

  // Light of so many photons would vary by their root; a camera's offset varies by its read noise alone.
  void WarnOfForgottenOffset(const std::string& where, int64_t c, const FrameFacts& facts) {
    if (spec_.has_offset_counts() || !whole_counts_ || !(facts.dark_variance > 0)) return;
    const double gain = ScaleOf(spec_).gain, dark = facts.automatic_background;
    if (dark < kLeastOffset * gain || dark < kOffsetLight * facts.dark_variance) return;
    if (!offset_hints_.insert(c).second) return;
    AddWarning(fmt::format("{}: its darkest parts have {:.4g} counts and vary by {:.2g}, where that much light would "
                           "vary by {:.2g}: most of it looks like a camera's offset, which counts as light here and as "
                           "noise that is not there",
                           where, dark / gain, std::sqrt(facts.dark_variance) / gain, std::sqrt(dark) / gain),
               "deconvolve.offset_counts", "Give the camera's counts in the dark, or 0 if it has no offset.", result_);
  }

  // A specimen in the PSF's place has several peaks or reaches its rim; a PSF in the image's place is a single point.
  void WarnOfSwap() {
    if (!psf_is_no_point_ || !image_is_a_point_ || !lit_) return;
    AddWarning(fmt::format("the PSF has more than one peak or reaches its rim, while the image has less than {:.1g} % "
                           "that is bright, as a PSF has: are the two swapped?",
                           100.0 / kBlocksOfOneBright),
               "deconvolve.psf_volume", "Give the recorded stack as the image and the PSF as the PSF.", result_);
  }

  std::string NoLightText(double maximum) const {
    const std::string background =
        BackgroundIsGiven() ? fmt::format(" and the background of {:g} counts", spec_.background_counts()) : "";
    return fmt::format("no voxel is above the offset of {:g} counts{}, the largest has {:g} counts",
                       spec_.offset_counts(), background, maximum / ScaleOf(spec_).gain + spec_.offset_counts());
  }

  const char* LightField() const {
    return BackgroundIsGiven() ? "deconvolve.background_counts" : "deconvolve.offset_counts";
  }

  // One dark frame among others is only warned of; where all are, offset or background are wrong.
  absl::Status CheckLight() const {
    if (lit_ || !dark_maximum_) return absl::OkStatus();
    return MakeError({.reason = v1::INVALID_FIELD, .field = LightField(), .remedy = kLightRemedy},
                     "the result would be dark everywhere: " + NoLightText(*dark_maximum_));
  }

  static constexpr char kLightRemedy[] =
      "Give the camera's counts in the dark as the offset, and as the background what the dark parts have above it, or "
      "let it be estimated.";

  // Voxels below the offset that read noise explains.
  static constexpr double kNegativeShare = 0.05;
  // Light of a background over its variance in photons: 1 for photons, and hardly above 4 for counts taken for them.
  static constexpr double kOffsetLight = 4;
  static constexpr double kLeastOffset = 20;          // counts
  static constexpr int64_t kBlocksOfOneBright = 200;  // of the image of a point, at least

  const v1::DeconvolveSpec& spec_;
  const v1::VolumeAccess* mask_;  // null: none
  TaskContext& context_;
  v1::AnalyseResult result_;
  int64_t psf_channels_ = 1;
  bool whole_counts_ = false;           // the image's voxels are integers
  std::set<int64_t> offset_hints_;      // channels whose offset has been asked for
  bool psf_is_no_point_ = false;        // some PSF
  bool image_is_a_point_ = true;        // every frame so far
  int64_t counted_ = 0;                 // voxels that count, of all frames, where some may not
  bool lit_ = false;                    // some frame has light, or is blank above the background
  std::optional<double> dark_maximum_;  // photons, of the frames that vary, but not above the background
};

}  // namespace

absl::StatusOr<int64_t> AnalysisBytes(const v1::Task& task) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  const Shape3 psf_shape = FrameShape(psf->spec());
  const PsfSteps steps = StepsOf(OnResultGrid(spec, input->spec()).voxel_size(), psf->spec().voxel_size());
  const int64_t for_psf = PlaneReadingBytes(psf->spec().type(), psf_shape) +
                          TaskBytes(PsfRoom(psf_shape, steps), kAnalysisBytesPerPsfVoxel);
  const Shape3 frame = FrameShape(input->spec());
  int64_t for_image = PlaneReadingBytes(input->spec().type(), frame) + FrameStatistics::kHistogramBytes;
  if (!spec.mask_volume().empty()) for_image += PlaneReadingBytes(v1::U8, frame);
  if (!spec.mask_volume().empty() || spec.saturation_counts() > 0) {
    for_image += frame.y * frame.x * static_cast<int64_t>(sizeof(float));
  }
  return std::max(for_psf, for_image);
}

absl::StatusOr<v1::TaskResult> RunAnalyse(const v1::Task& task, TaskContext& context) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(input->spec().shape(), input->spec().type(), "input.shape"));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* mask, FindMask(task, spec));
  Analysis analysis(spec, mask, context);
  RETURN_IF_ERROR(analysis.AnalysePsfs(*psf, OnResultGrid(spec, input->spec())));
  RETURN_IF_ERROR(analysis.AnalyseFrames(*input, shape));
  v1::TaskResult result;
  *result.mutable_analyse() = std::move(analysis.result());
  return result;
}

}  // namespace deconvoy::worker
