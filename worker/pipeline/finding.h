// Findings of tasks.
#pragma once

#include <string>
#include <utility>

#include "deconvoy/v1/jobs.pb.h"

namespace deconvoy::worker {

inline v1::Finding Info(std::string message) {
  v1::Finding finding;
  finding.set_severity(v1::INFO);
  finding.set_message(std::move(message));
  return finding;
}

inline v1::Finding Warning(std::string message, std::string field, std::string remedy) {
  v1::Finding finding;
  finding.set_severity(v1::WARNING);
  finding.set_message(std::move(message));
  finding.mutable_info()->set_field(std::move(field));
  finding.mutable_info()->set_remedy(std::move(remedy));
  return finding;
}

}  // namespace deconvoy::worker
