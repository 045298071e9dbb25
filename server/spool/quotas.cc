#include "server/spool/quotas.h"

#include "proto/contract/quota.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {

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
  const v1::Quota quota = Of(owner);
  if (quota.bytes() == 0 && quota.jobs() == 0) return absl::OkStatus();
  ASSIGN_OR_RETURN(Usage used, store_.UsageOf(owner));
  if (const auto held = held_.find(owner); held != held_.end()) {
    used.bytes += held->second.bytes;
    used.unfinished_jobs += held->second.unfinished_jobs;
  }
  return CheckQuota(quota, {.bytes = used.bytes, .jobs = used.unfinished_jobs},
                    {.bytes = need.bytes, .jobs = need.unfinished_jobs});
}

void Quotas::Release(const std::string& owner, const Usage& usage) {
  std::lock_guard lock(mutex_);
  const auto held = held_.find(owner);
  held->second.bytes -= usage.bytes;
  held->second.unfinished_jobs -= usage.unfinished_jobs;
  if (held->second.bytes == 0 && held->second.unfinished_jobs == 0) held_.erase(held);
}

}  // namespace deconvoy::server
