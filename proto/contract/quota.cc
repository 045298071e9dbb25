#include "proto/contract/quota.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy {
namespace {

absl::Status Compare(std::string_view quota, uint64_t limit, int64_t used, int64_t need, std::string_view what,
                     std::string_view remedy) {
  const auto would_be = static_cast<uint64_t>(used) + static_cast<uint64_t>(need);
  if (limit == 0 || need == 0 || would_be <= limit) return absl::OkStatus();
  return MakeError(
      {.reason = v1::QUOTA_EXCEEDED,
       .remedy = std::string(remedy),
       .metadata = {{"quota", std::string(quota)},
                    {"limit", fmt::to_string(limit)},
                    {"used", fmt::to_string(used)},
                    {"need", fmt::to_string(need)}}},
      fmt::format("the quota is {} {}, of which {} are used and {} more are needed", limit, what, used, need));
}

}  // namespace

absl::Status CheckQuota(const v1::Quota& quota, const Holding& used, const Holding& need) {
  RETURN_IF_ERROR(Compare("jobs", quota.jobs(), used.jobs, need.jobs, "jobs that have not ended",
                          "Wait until one of your jobs has ended, or cancel one."));
  return Compare("bytes", quota.bytes(), used.bytes, need.bytes, "bytes of volumes",
                 "Remove volumes that you need no more: `deconvoy volumes` lists them, `deconvoy volumes delete NAME` "
                 "removes one.");
}

}  // namespace deconvoy
