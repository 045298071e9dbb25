// What users may have at once, as the server refuses it and the client foresees it.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/admin.pb.h"

namespace deconvoy {

// What a quota is of.
struct Holding {
  int64_t bytes = 0;  // of volumes
  int64_t jobs = 0;   // that have not ended
};

// Whether somebody who has `used` may have `need` more. QUOTA_EXCEEDED with `quota` (`bytes` or `jobs`), `limit`,
// `used` and `need`. 0 in a field of the quota is no limit; something that needs nothing is never refused.
absl::Status CheckQuota(const v1::Quota& quota, const Holding& used, const Holding& need);

}  // namespace deconvoy
