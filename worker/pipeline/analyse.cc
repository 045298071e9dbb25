#include "worker/pipeline/analyse.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/frame_statistics.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/plane_reader.h"
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
    options.periodic = spec_.boundary() == v1::PERIODIC;
    for (int64_t c = 0; c < shape.c; ++c) {
      ASSIGN_OR_RETURN(const std::vector<float> values,
                       ReadRegion(context_.source(), psf, {0, c, {{}, shape.frame()}}));
      ASSIGN_OR_RETURN(PsfAnalysis found, AnalysePsf(values, shape.frame(), static_cast<uint32_t>(c), options));
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
    return absl::OkStatus();
  }

  v1::AnalyseResult& result() { return result_; }

 private:
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
    const bool given = spec_.background_case() == v1::DeconvolveSpec::kBackgroundCounts;
    v1::FrameStatistics& entry = *result_.add_frames();
    entry.set_t(static_cast<uint32_t>(frame.t));
    entry.set_c(static_cast<uint32_t>(frame.c));
    entry.set_minimum(facts.minimum);
    entry.set_maximum(facts.maximum);
    entry.set_mean(facts.mean);
    entry.set_background(given ? spec_.background_counts() * ScaleOf(spec_).gain : facts.automatic_background);
    Warn(frame, facts, entry, given);
  }

  void Warn(const FrameBox& frame, const FrameFacts& facts, const v1::FrameStatistics& entry, bool given) {
    const std::string where = fmt::format("frame t={} c={}", frame.t, frame.c);
    const auto voxels = static_cast<double>(frame.box.shape.voxels());
    if (facts.maximum == facts.minimum) {
      AddWarning(fmt::format("{}: every voxel has the same value", where), "deconvolve.input_volume",
                 "Check that the frame is not blank.", result_);
    } else if (given && entry.background() >= facts.mean) {
      AddWarning(fmt::format("{}: the background of {:g} photons is above the mean of {:g}", where, entry.background(),
                             facts.mean),
                 "deconvolve.background_counts", "Give less, or let it be estimated.", result_);
    }
    if (static_cast<double>(facts.negative) > kNegativeShare * voxels) {
      AddWarning(fmt::format("{}: {:.3g} % of the voxels lie below the offset of {:g} counts", where,
                             100 * static_cast<double>(facts.negative) / voxels, spec_.offset_counts()),
                 "deconvolve.offset_counts", "Give the camera's own offset, or its read noise.", result_);
    }
  }

  // Voxels below the offset that read noise explains.
  static constexpr double kNegativeShare = 0.05;

  const v1::DeconvolveSpec& spec_;
  TaskContext& context_;
  v1::AnalyseResult result_;
};

}  // namespace

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
