// The findings of a task, as people read them.
#pragma once

#include <string>

#include "deconvoy/v1/workers.pb.h"

namespace deconvoy::worker::testing {

// Those of this severity, a line each.
inline std::string Messages(const v1::AnalyseResult& result, v1::Severity severity) {
  std::string text;
  for (const v1::Finding& finding : result.findings()) {
    if (finding.severity() == severity) text += finding.message() + '\n';
  }
  return text;
}

}  // namespace deconvoy::worker::testing
