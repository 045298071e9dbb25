#include "server/spool/quotas.h"

#include <fmt/format.h>

#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
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

Quotas::Hold::Hold(Hold&& other) noexcept
    : quotas_(std::exchange(other.quotas_, nullptr)), owner_(std::move(other.owner_)), usage_(other.usage_) {}

Quotas::Hold::~Hold() {
  if (quotas_ != nullptr) quotas_->Release(owner_, usage_);
}

absl::StatusOr<Quotas::Hold> Quotas::Take(const std::string& owner, const Usage& need) {
  std::lock_guard lock(mutex_);
  RETURN_IF_ERROR(CheckLocked(owner, need));
  Usage& held = held_[owner];
  held.bytes += need.bytes;
  held.unfinished_jobs += need.unfinished_jobs;
  return Hold(*this, owner, need);
}

absl::Status Quotas::Check(const std::string& owner, const Usage& need) {
  std::lock_guard lock(mutex_);
  return CheckLocked(owner, need);
}

absl::Status Quotas::CheckLocked(const std::string& owner, const Usage& need) {
  if (!quota_of_) return absl::OkStatus();
  const v1::Quota quota = quota_of_(owner);
  if (quota.bytes() == 0 && quota.jobs() == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(Usage used, store_.UsageOf(owner));
  if (const auto held = held_.find(owner); held != held_.end()) {
    used.bytes += held->second.bytes;
    used.unfinished_jobs += held->second.unfinished_jobs;
  }
  RETURN_IF_ERROR(Compare("jobs", quota.jobs(), used.unfinished_jobs, need.unfinished_jobs, "jobs that have not ended",
                          "Wait until one of your jobs has ended, or cancel one."));
  return Compare("bytes", quota.bytes(), used.bytes, need.bytes, "bytes of volumes",
                 "Remove volumes that you need no more: `deconvoy volumes` lists them, `deconvoy volumes delete NAME` "
                 "removes one.");
}

void Quotas::Release(const std::string& owner, const Usage& usage) {
  std::lock_guard lock(mutex_);
  const auto held = held_.find(owner);
  held->second.bytes -= usage.bytes;
  held->second.unfinished_jobs -= usage.unfinished_jobs;
  if (held->second.bytes == 0 && held->second.unfinished_jobs == 0) held_.erase(held);
}

}  // namespace deconvoy::server
