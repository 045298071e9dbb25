// What tests of the analysis share.
#pragma once

#include <string>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "tests/unit/worker/support/memory_task.h"

namespace deconvoy::worker::testing {

// An analysis of these counts, of which 100 are the offset, for `rl` with a PSF of 3 x 3 x 3 voxels that are all the
// same. Returns its specification, to which the rest is added.
inline v1::DeconvolveSpec& SetAnalysis(const Shape5& shape, const std::vector<float>& counts, MemoryTask& task) {
  task.AddInput("volumes/in", shape, counts);
  task.AddInput("volumes/psf", {1, 1, 3, 3, 3}, std::vector<float>(27, 1));
  v1::DeconvolveSpec& spec = *task.task.mutable_analyse()->mutable_spec();
  spec.set_input_volume("volumes/in");
  spec.set_psf_volume("volumes/psf");
  spec.set_method("rl");
  spec.set_boundary(v1::EXTEND);
  spec.set_offset_counts(100);
  return spec;
}

// The findings of this severity, a line each, as people read them.
inline std::string Messages(const v1::AnalyseResult& result, v1::Severity severity) {
  std::string text;
  for (const v1::Finding& finding : result.findings()) {
    if (finding.severity() == severity) text += finding.message() + '\n';
  }
  return text;
}

}  // namespace deconvoy::worker::testing
