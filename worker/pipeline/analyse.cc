#include "worker/pipeline/analyse.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/parameters.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/frame_statistics.h"
#include "worker/memory/budget.h"
#include "worker/methods/registry.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/plane_reader.h"
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
  Analysis(const v1::DeconvolveSpec& spec, TaskContext& context) : spec_(spec), context_(context) {}

  absl::Status AnalysePsfs(const v1::VolumeAccess& psf, const Shape3& image) {
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(psf.spec().shape(), psf.spec().type(), "psf.shape"));
    PsfOptions options;
    options.rule = spec_.psf_centre();
    options.given = ToVoxel(spec_.psf_centre_voxel());
    if (spec_.psf_energy() > 0) options.energy = spec_.psf_energy();
    options.image = image;
    options.voxel = psf.spec().voxel_size();
    options.periodic = spec_.boundary() == v1::PERIODIC;
    for (int64_t c = 0; c < shape.c; ++c) {
      ASSIGN_OR_RETURN(std::vector<float> values, ReadRegion(context_.source(), psf, {0, c, {{}, shape.frame()}}));
      ASSIGN_OR_RETURN(PsfAnalysis found, AnalysePsf(values, shape.frame(), static_cast<uint32_t>(c), options));
      RETURN_IF_ERROR(ReviewMethod(std::move(values), shape.frame(), found.report));
      *result_.add_psfs() = std::move(found.report);
      for (v1::Finding& finding : found.findings) *result_.add_findings() = std::move(finding);
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
    return CheckLight();
  }

  v1::AnalyseResult& result() { return result_; }

 private:
  // Asks the method about its parameters and the prepared PSF. What is wrong with the method's name is said by the
  // tiles' tasks.
  absl::Status ReviewMethod(std::vector<float> psf, const Shape3& shape, const v1::PsfReport& report) {
    const Method* method = FindMethod(spec_.method());
    if (method == nullptr) return absl::OkStatus();
    ASSIGN_OR_RETURN(const Parameters parameters,
                     ResolveParameters(method->description(), {spec_.parameters().begin(), spec_.parameters().end()}));
    KeepUsed(shape, report, psf);
    const Box3 box = PsfBoxToRead(report, shape);
    ASSIGN_OR_RETURN(const std::vector<Advice> advice,
                     method->Review(parameters, MeasurePsf(psf, box.shape, ToVoxel(report.centre()) - box.origin)));
    for (const Advice& a : advice) {
      AddWarning(fmt::format("PSF of channel {}: {}", report.c(), a.message), a.field, a.remedy, result_);
    }
    return absl::OkStatus();
  }

  absl::Status AnalyseFrame(const v1::VolumeAccess& input, const FrameBox& frame, int64_t done, int64_t total) {
    const CountScale scale = ScaleOf(spec_);
    FrameStatistics statistics(frame.box.shape, scale);
    RETURN_IF_ERROR(ForEachPlane(context_.source(), input, frame, [&](int64_t z, std::span<float> plane) {
      ToPhotons(scale, plane);
      statistics.AddPlane(plane);
      return context_.Progress(done + z + 1, total);
    }));
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
    WarnOfLight(where, facts);
    WarnOfCounts(where, facts);
    WarnOfOffset(where, frame.box.shape.voxels(), facts.negative);
  }

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

  const v1::DeconvolveSpec& spec_;
  TaskContext& context_;
  v1::AnalyseResult result_;
  bool lit_ = false;                    // some frame has light, or is blank above the background
  std::optional<double> dark_maximum_;  // photons, of the frames that vary, but not above the background
};

}  // namespace

absl::StatusOr<int64_t> AnalysisBytes(const v1::Task& task) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  const Shape3 psf_shape = FrameShape(psf->spec());
  const int64_t for_psf =
      PlaneReadingBytes(psf->spec().type(), psf_shape) + TaskBytes(psf_shape, kAnalysisBytesPerPsfVoxel);
  const int64_t for_image =
      PlaneReadingBytes(input->spec().type(), FrameShape(input->spec())) + FrameStatistics::kHistogramBytes;
  return std::max(for_psf, for_image);
}

absl::StatusOr<v1::TaskResult> RunAnalyse(const v1::Task& task, TaskContext& context) {
  const v1::DeconvolveSpec& spec = task.analyse().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, spec.psf_volume()));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(input->spec().shape(), input->spec().type(), "input.shape"));
  Analysis analysis(spec, context);
  RETURN_IF_ERROR(analysis.AnalysePsfs(*psf, shape.frame()));
  RETURN_IF_ERROR(analysis.AnalyseFrames(*input, shape));
  v1::TaskResult result;
  *result.mutable_analyse() = std::move(analysis.result());
  return result;
}

}  // namespace deconvoy::worker
