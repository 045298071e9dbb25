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
#include "proto/contract/limits.h"
#include "proto/contract/optics.h"
#include "proto/contract/parameters.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/frame_statistics.h"
#include "worker/imaging/light.h"
#include "worker/imaging/parallel.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/background_survey.h"
#include "worker/pipeline/camera_survey.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/finding.h"
#include "worker/pipeline/first_planes.h"
#include "worker/pipeline/light_survey.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/model_survey.h"
#include "worker/pipeline/motion_survey.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/psf_findings.h"
#include "worker/pipeline/psf_use.h"
#include "worker/pipeline/region_correction.h"
#include "worker/pipeline/saturation.h"
#include "worker/psf/facts.h"
#include "worker/psf/prepare.h"

namespace deconvoy::worker {
namespace {

void AddWarning(std::string message, std::string field, std::string remedy, v1::AnalyseResult& result) {
  *result.add_findings() = Warning(std::move(message), std::move(field), std::move(remedy));
}

class Analysis {
 public:
  // `mask` and `flat` may be null. `first`: not all of the image is looked at.
  Analysis(const v1::DeconvolveSpec& spec, const v1::VolumeAccess* mask, const v1::VolumeAccess* flat, bool first,
           int threads, TaskContext& context)
      : spec_(spec), mask_(mask), flat_(flat), first_(first), threads_(threads), context_(context) {}

  // `grid`: the image on the result's grid.
  absl::Status AnalysePsfs(const v1::VolumeAccess& psf, const v1::VolumeSpec& grid) {
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(psf.spec().shape(), psf.spec().type(), "psf.shape"));
    PsfOptions options = PsfOptionsOf(spec_);
    options.image = FrameShape(grid);
    options.voxel = PsfVoxelSize(grid.voxel_size(), psf.spec().voxel_size());
    options.periodic = spec_.boundary() == v1::PERIODIC;
    RETURN_IF_ERROR(ValidateOpticsCount(spec_.optics(), grid.shape().c(), "image", "deconvolve"));
    psf_channels_ = shape.c;
    options.steps = StepsOf(grid.voxel_size(), psf.spec().voxel_size());
    RETURN_IF_ERROR(CheckSteps(options.steps));
    for (int64_t t = 0; t < shape.t; ++t) {
      for (int64_t c = 0; c < shape.c; ++c) {
        RETURN_IF_ERROR(AddContext(AnalyseOnePsf(psf, {t, c, {{}, shape.frame()}}, options), DepthText(t)));
      }
    }
    return absl::OkStatus();
  }

  // Before the frames, of the same part of the input.
  absl::Status AnalyseCameras(const v1::VolumeAccess& input, const v1::VolumeSpec& seen) {
    for (int64_t c = 0; c < int64_t{seen.shape().c()}; ++c) {
      ASSIGN_OR_RETURN(CameraSurvey survey, SurveyCamera(spec_, input, seen, mask_, flat_, c, context_));
      *result_.add_channels() = std::move(survey.facts);
      AddFindings(survey.findings);
    }
    return absl::OkStatus();
  }

  // Once as they are, and where light is corrected once more with what the first time has told. `shape` is that of the
  // part that is looked at.
  absl::Status AnalyseFrames(const v1::VolumeAccess& input, const Shape5& shape) {
    const bool twice = spec_.correct_bleaching() || spec_.correct_flicker() || HasPlaneBackgrounds(spec_);
    const int64_t planes = shape.frames() * shape.z, total = twice ? 2 * planes : planes;
    for (int64_t c = 0; c < shape.c; ++c) {
      light_.push_back({shape.t, shape.z, std::vector<double>(static_cast<size_t>(shape.t * shape.z))});
      motion_.emplace_back(c, shape.t, shape.frame(), spec_.correct_motion());
    }
    RETURN_IF_ERROR(MeasureFrames(input, shape, 0, total));
    const std::vector<FrameFacts> recorded = facts_;
    TellBackgrounds();
    const bool corrects = !first_ && SurveyLights(shape);
    if (corrects || HasPlaneBackgrounds(spec_)) RETURN_IF_ERROR(MeasureFrames(input, shape, planes, total));
    for (size_t i = 0; i < facts_.size(); ++i) Record(static_cast<int>(i), shape.frame(), facts_[i], recorded[i]);
    if (first_) {
      LetFirstPlanesStand(shape.z, result_);
      return CheckSize();
    }
    TakeMotion(shape);
    RETURN_IF_ERROR(CheckCounted());
    WarnOfSwap();
    RETURN_IF_ERROR(CheckLight());
    return CheckSize();
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
      const std::string defect = DefectOf(finding);
      if (defect == "second_peak" || defect == "cut_sideways") psf_is_no_point_ = true;
      *result_.add_findings() = std::move(finding);
    }
    return absl::OkStatus();
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

  void AddFindings(const std::vector<v1::Finding>& findings) {
    for (const v1::Finding& finding : findings) *result_.add_findings() = finding;
  }

  absl::Status MeasureFrames(const v1::VolumeAccess& input, const Shape5& shape, int64_t done, int64_t total) {
    facts_.clear();
    whole_counts_ = input.spec().type() != v1::F32;
    for (int64_t t = 0; t < shape.t; ++t) {
      for (int64_t c = 0; c < shape.c; ++c, done += shape.z) {
        RETURN_IF_ERROR(MeasureFrame(input, {t, c, {{}, shape.frame()}}, done, total));
      }
    }
    return absl::OkStatus();
  }

  absl::Status MeasureFrame(const v1::VolumeAccess& input, const FrameBox& frame, int64_t done, int64_t total) {
    const auto number = static_cast<int>(facts_.size()), c = static_cast<int>(frame.c);
    const bool again = number < result_.frames_size();
    const CountScale scale = ScaleOf(spec_, &result_.channels(c));
    const CorrectionInputs known{.spec = &spec_,
                                 .flat = flat_,
                                 .channel = &result_.channels(c),
                                 .frame = again ? &result_.frames(number) : nullptr,
                                 .columns = frame.box.shape.x};
    ASSIGN_OR_RETURN(const RegionCorrection correction, CorrectionOf(known, frame, context_.source()));
    FrameStatistics statistics(frame.box.shape, scale);
    std::optional<BackgroundSurvey> background;
    if (!again) background.emplace(spec_, frame.box.shape, scale);
    MaskReader mask(context_.source(), mask_, spec_.saturation_counts(), frame, &correction);
    const auto add = [&](int64_t z, std::span<float> plane) -> absl::Status {
      ASSIGN_OR_RETURN(const std::span<const float> counts, mask.Read(z, 0, plane));
      ToPhotons(scale, plane);
      correction.light.Apply(z, plane);
      const auto measure = [&](int64_t part) {
        if (part == 0) return statistics.AddPlane(plane, counts);
        LookAt(frame, z, plane, counts);
        background->AddPlane(plane, counts);
      };
      ParallelFor(threads_, again ? 1 : 2, measure);
      return context_.Progress(done + z + 1, total);
    };
    RETURN_IF_ERROR(ForEachPlane(context_.source(), input, frame, add));
    facts_.push_back(statistics.Finish());
    const FrameFacts& facts = facts_.back();
    if (facts.not_finite > 0) return NotFiniteError(facts.not_finite, frame.t, frame.c, *facts.first_not_finite);
    if (background) {
      v1::FrameStatistics& entry = told_.emplace_back();
      entry.set_t(static_cast<uint32_t>(frame.t));
      entry.set_c(static_cast<uint32_t>(frame.c));
      background->Tell(facts, entry);
      const auto saturated = FindSaturation(spec_, frame, scale, facts);
      if (saturated && whole_counts_) *result_.add_findings() = *saturated;
    }
    return absl::OkStatus();
  }

  // What neighbouring planes and time points tell of each other.
  void LookAt(const FrameBox& frame, int64_t z, std::span<const float> photons, std::span<const float> m) {
    const auto c = static_cast<size_t>(frame.c);
    light_[c].light[static_cast<size_t>(frame.t * frame.box.shape.z + z)] = MeanOfCounted(photons, m);
    motion_[c].AddPlane(frame.t, z, photons);
  }

  // Backgrounds stay as they were before light was corrected: that they do not fade is what the correction says.
  void TellBackgrounds() {
    result_.mutable_frames()->Assign(told_.begin(), told_.end());
    AddFindings(BackgroundFindings(spec_, result_));
  }

  // Whether light is to be corrected.
  bool SurveyLights(const Shape5& shape) {
    bool corrects = false;
    for (int64_t c = 0; c < shape.c; ++c) {
      LightSeries& series = light_[static_cast<size_t>(c)];
      for (int64_t i = 0; i < shape.t * shape.z; ++i) {
        double& light = series.light[static_cast<size_t>(i)];
        const double background = BackgroundOf(FrameAt(shape, i / shape.z, c), i % shape.z);
        light = light > (1 + kLeastLight) * background ? light - background : 0;
      }
      const LightSurvey survey = SurveyLight(spec_, c, series);
      AddFindings(survey.findings);
      if (survey.plane_light.empty()) continue;
      corrects = true;
      for (int64_t t = 0; t < shape.t; ++t) {
        const auto begin = survey.plane_light.begin() + t * shape.z;
        FrameAt(shape, t, c).mutable_plane_light()->Assign(begin, begin + shape.z);
      }
    }
    return corrects;
  }

  void TakeMotion(const Shape5& shape) {
    for (int64_t c = 0; c < shape.c; ++c) {
      const MotionSurvey& motion = motion_[static_cast<size_t>(c)];
      AddFindings(motion.Findings());
      for (int64_t t = 0; spec_.correct_motion() && t < shape.t; ++t) motion.Tell(t, FrameAt(shape, t, c));
    }
  }

  v1::FrameStatistics& FrameAt(const Shape5& shape, int64_t t, int64_t c) {
    return *result_.mutable_frames(static_cast<int>(t * shape.c + c));
  }

  // `recorded`: before anything of its light was corrected.
  void Record(int number, const Shape3& shape, const FrameFacts& facts, const FrameFacts& recorded) {
    v1::FrameStatistics& entry = *result_.mutable_frames(number);
    entry.set_minimum(facts.minimum);
    entry.set_maximum(facts.maximum);
    entry.set_mean(facts.mean);
    entry.set_variance(facts.variance);
    const std::string where = fmt::format("frame t={} c={}", entry.t(), entry.c());
    if (HasMaskedVoxels() && !first_) NoteCounted(where, shape.voxels(), facts.counted);
    if (facts.counted == 0) return;
    if (!first_) {  // the specimen may begin further down
      WarnOfLight(where, entry, facts);
      WarnOfCounts(where, facts);
    }
    WarnOfOffset(where, shape.voxels(), recorded.negative);
    WarnOfForgottenOffset(where, entry.c(), recorded);
    image_is_a_point_ = image_is_a_point_ && kBlocksOfOneBright * facts.bright_blocks <= facts.blocks;
  }

  // What one message can hold.
  absl::Status CheckSize() const {
    if (result_.ByteSizeLong() <= kMostBytes) return absl::OkStatus();
    return MakeError({.reason = v1::LIMIT_EXCEEDED,
                      .field = "deconvolve.input_volume",
                      .remedy = "Cut the volume into several along time.",
                      .metadata = {{"limit", fmt::to_string(kMostBytes)}}},
                     fmt::format("what is to be kept of the light of {} frames is more than {} bytes",
                                 result_.frames_size(), kMostBytes));
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

  // 0 where it is estimated from the darkest parts, which never takes all the light.
  double GivenPhotons(const v1::FrameStatistics& frame) const {
    const bool percentile = spec_.background_case() == v1::DeconvolveSpec::kBackgroundPercentile;
    return percentile || GivenBackground(spec_) ? frame.background() : 0;
  }
  CountScale ScaleOfChannel(uint32_t c) const { return ScaleOf(spec_, &result_.channels(static_cast<int>(c))); }

  void WarnOfLight(const std::string& where, const v1::FrameStatistics& frame, const FrameFacts& facts) {
    const CountScale scale = ScaleOfChannel(frame.c());
    const double given = GivenPhotons(frame);
    if (facts.maximum == facts.minimum) {
      AddWarning(fmt::format("{}: every voxel has the same value", where), "deconvolve.input_volume",
                 "Check that the frame is not blank.", result_);
    } else if (facts.maximum <= given) {
      const double counts = (facts.maximum + scale.dark) / scale.gain + scale.offset_counts;
      dark_maximum_ = std::max(dark_maximum_.value_or(counts), counts);
      AddWarning(fmt::format("{}: {}; its result is dark", where, NoLightText(counts)), BackgroundField(spec_),
                 kLightRemedy, result_);
    } else if (GivenBackground(spec_) && given >= facts.mean) {
      AddWarning(fmt::format("{}: the background of {:g} counts is above the mean of {:g} counts", where,
                             given / scale.gain, facts.mean / scale.gain),
                 BackgroundField(spec_), kLightRemedy, result_);
    }
    lit_ = lit_ || facts.maximum > given;
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
  void WarnOfForgottenOffset(const std::string& where, uint32_t c, const FrameFacts& facts) {
    if (spec_.has_offset_counts() || !whole_counts_ || !(facts.dark_variance > 0)) return;
    const double gain = ScaleOfChannel(c).gain, dark = facts.automatic_background;
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

  std::string NoLightText(double maximum_counts) const {
    const std::optional<double> given = GivenBackground(spec_);
    std::string background = given ? fmt::format(" and the background of {:g} counts", *given) : "";
    if (spec_.background_case() == v1::DeconvolveSpec::kBackgroundPercentile) {
      background = fmt::format(" and what {:g} % of the voxels lie below", spec_.background_percentile());
    }
    return fmt::format("no voxel is above the offset of {:g} counts{}, the largest has {:g} counts",
                       spec_.offset_counts(), background, maximum_counts);
  }

  // One dark frame among others is only warned of; where all are, offset or background are wrong.
  absl::Status CheckLight() const {
    if (lit_ || !dark_maximum_) return absl::OkStatus();
    return MakeError({.reason = v1::INVALID_FIELD, .field = BackgroundField(spec_), .remedy = kLightRemedy},
                     "the result would be dark everywhere: " + NoLightText(*dark_maximum_));
  }

  static constexpr char kLightRemedy[] =
      "Give the camera's counts in the dark as the offset, and as the background what the dark parts have above it, or "
      "let it be estimated.";

  // Of a plane, over the background: what is less is not known well enough, as the background is not.
  static constexpr double kLeastLight = 0.02;
  // Of the result, with room for what is sent beside it.
  static constexpr size_t kMostBytes = limits::kMessageBytes - 64 * 1024;

  // Voxels below the offset that read noise explains.
  static constexpr double kNegativeShare = 0.05;
  // Light of a background over its variance in photons: 1 for photons, and hardly above 4 for counts taken for them.
  static constexpr double kOffsetLight = 4;
  static constexpr double kLeastOffset = 20;          // counts
  static constexpr int64_t kBlocksOfOneBright = 200;  // of the image of a point, at least

  const v1::DeconvolveSpec& spec_;
  const v1::VolumeAccess* mask_;  // null: none
  const v1::VolumeAccess* flat_;  // null: none
  const bool first_;
  const int threads_;
  TaskContext& context_;
  v1::AnalyseResult result_;
  std::vector<FrameFacts> facts_;          // t,c order
  std::vector<v1::FrameStatistics> told_;  // of frames that have been measured once, t,c order
  std::vector<LightSeries> light_;         // of each channel
  std::vector<MotionSurvey> motion_;       // of each channel
  int64_t psf_channels_ = 1;
  bool whole_counts_ = false;           // the image's voxels are integers
  std::set<int64_t> offset_hints_;      // channels whose offset has been asked for
  bool psf_is_no_point_ = false;        // some PSF
  bool image_is_a_point_ = true;        // every frame so far
  int64_t counted_ = 0;                 // voxels that count, of all frames, where some may not
  bool lit_ = false;                    // some frame has light, or is blank above the background
  std::optional<double> dark_maximum_;  // counts, of the frames that vary, but not above the background
};

}  // namespace

absl::StatusOr<v1::TaskResult> RunAnalyse(const v1::Task& task, int threads, TaskContext& context) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  const v1::VolumeSpec seen = SeenOf(task.analyse(), input->spec());
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(seen.shape(), seen.type(), "input.shape"));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* mask, FindMask(task, spec));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* flat, FindFlatField(task, spec));
  Analysis analysis(spec, mask, flat, task.analyse().first_planes() > 0, threads, context);
  RETURN_IF_ERROR(analysis.AnalysePsfs(*psf, OnResultGrid(spec, input->spec())));
  RETURN_IF_ERROR(analysis.AnalyseCameras(*input, seen));
  RETURN_IF_ERROR(analysis.AnalyseFrames(*input, shape));
  v1::TaskResult result;
  *result.mutable_analyse() = std::move(analysis.result());
  RETURN_IF_ERROR(SurveyForModels(task, context, *result.mutable_analyse()));
  return result;
}

}  // namespace deconvoy::worker
