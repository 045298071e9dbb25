#include "worker/pipeline/model_survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/algorithm/hex.hpp>
#include <iterator>
#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/imaging/counts.h"
#include "worker/learned/network.h"
#include "worker/pipeline/count_scale.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/prepare_psf.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kSampledVoxels = int64_t{1} << 22, kSampledPlanes = 32;

// Photons of planes evenly spaced over those that there are, and of each so many voxels that all fit.
absl::StatusOr<std::vector<float>> Sample(const v1::VolumeAccess& input, int64_t c, int64_t planes,
                                          const CountScale& scale, VolumeSource& source) {
  const Shape3 frame = FrameShape(input.spec());
  const int64_t taken = std::min(planes, kSampledPlanes);
  const int64_t plane = frame.y * frame.x;
  const int64_t stride = std::max<int64_t>(1, (plane * taken + kSampledVoxels - 1) / kSampledVoxels);
  std::vector<float> sample;
  for (int64_t i = 0; i < taken; ++i) {
    const int64_t z = (2 * i + 1) * planes / (2 * taken);
    ASSIGN_OR_RETURN(const std::vector<float> values,
                     ReadRegion(source, input, {0, c, {{z, 0, 0}, {1, frame.y, frame.x}}}));
    // Rows begin at different columns, so that a stride does not meet the same ones.
    for (int64_t at = i % stride; at < plane; at += stride) sample.push_back(values[static_cast<size_t>(at)]);
  }
  ToPhotons(scale, sample);
  return sample;
}

std::string Hex(const std::string& bytes) {
  std::string text;
  boost::algorithm::hex_lower(bytes.begin(), bytes.end(), std::back_inserter(text));
  return text;
}

// The models whose PSF is not that of the channel.
absl::Status ComparePsfs(const v1::Task& task, const v1::VolumeAccess& psf, TaskContext& context,
                         v1::AnalyseResult& result) {
  const std::vector<v1::PsfReport> reports(result.psfs().begin(), result.psfs().end());
  for (const v1::PsfReport& report : reports) {
    ASSIGN_OR_RETURN(const PreparedPsf prepared, ReadPreparedPsf(context.source(), psf, report));
    const std::string digest = learned::PsfDigest(prepared);
    for (const v1::ModelUse& use : task.analyse().models()) {
      const std::string own = Hex(use.facts().psf_digest());
      if (own.empty() || own == digest) continue;
      v1::Finding& finding = *result.add_findings();
      finding.set_severity(v1::WARNING);
      finding.set_message(
          fmt::format("{} was trained for ANOTHER PSF than that of channel {}: what it makes of this "
                      "image need not be true",
                      Printable(use.name()), report.c()));
      finding.mutable_info()->set_reason(v1::BAD_MODEL);
      finding.mutable_info()->set_field("deconvolve.models");
      finding.mutable_info()->set_remedy("Train a model for this PSF: `deconvoy models train`.");
      (*finding.mutable_info()->mutable_metadata())["psf_digest"] = digest;
      (*finding.mutable_info()->mutable_metadata())["model_psf_digest"] = own;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status SurveyForModels(const v1::Task& task, TaskContext& context, v1::AnalyseResult& result) {
  const v1::AnalyseTask& work = task.analyse();
  if (work.models().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, work.spec().input_volume()));
  ASSIGN_OR_RETURN(const v1::VolumeAccess* psf, FindInput(task, work.spec().psf_volume()));
  RETURN_IF_ERROR(ComparePsfs(task, *psf, context, result));
  const v1::ModelNormalisation& normalisation = work.models(0).facts().normalisation();
  const int64_t all = FrameShape(input->spec()).z;
  const int64_t planes = work.first_planes() > 0 ? std::min<int64_t>(work.first_planes(), all) : all;
  for (uint32_t c = 0; c < input->spec().shape().c(); ++c) {
    const bool known = static_cast<int>(c) < result.channels_size();
    const v1::ChannelFacts* channel = known ? &result.channels(static_cast<int>(c)) : nullptr;
    ASSIGN_OR_RETURN(const std::vector<float> sample,
                     Sample(*input, c, planes, ScaleOf(work.spec(), channel), context.source()));
    const learned::Scale scale =
        learned::ScaleOf(sample, {.low = normalisation.low_percentile(), .high = normalisation.high_percentile()});
    v1::ModelScale& found = *result.add_scales();
    found.set_c(c);
    found.set_offset_photons(scale.offset);
    found.set_range_photons(scale.range);
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
