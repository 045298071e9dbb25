#include "server/schedule/policy.h"

#include <algorithm>
#include <tuple>

namespace deconvoy::server {

void OldestFirst::Rank(std::vector<WaitingJob>& jobs) const {
  std::sort(jobs.begin(), jobs.end(), [](const WaitingJob& a, const WaitingJob& b) {
    return std::tie(a.create_time, a.id) < std::tie(b.create_time, b.id);
  });
}

}  // namespace deconvoy::server
