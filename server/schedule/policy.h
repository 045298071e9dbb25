// In which order waiting jobs are served.
#pragma once

#include <vector>

#include "server/jobs/job_manager.h"

namespace deconvoy::server {

// One implementation per rule. Pure; called without any lock, from any thread.
class Policy {
 public:
  virtual ~Policy() = default;
  // Puts the job to be served first in front.
  virtual void Rank(std::vector<WaitingJob>& jobs) const = 0;
};

// First in, first out.
class OldestFirst : public Policy {
 public:
  void Rank(std::vector<WaitingJob>& jobs) const override;
};

}  // namespace deconvoy::server
