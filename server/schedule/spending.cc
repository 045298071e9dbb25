// Dispatcher: what owners pay for.
//
// A task is paid for while it is computed: not while it waits at its worker (STAGED), nor while its result is on its
// way (DELIVERING). A lease that is lost has been paid for until then.
#include "server/schedule/dispatcher.h"

namespace deconvoy::server {

void Dispatcher::Charge(Lease& lease) {
  const v1::TaskStage stage = lease.status.stage();
  if (stage == v1::STAGED || stage == v1::DELIVERING) return StopCharge(lease);
  if (lease.computed_since) return;
  lease.computed_since = clock_.Steady();
  shares_.Begin(lease.job.owner, *lease.computed_since);
}

void Dispatcher::StopCharge(Lease& lease) {
  if (!lease.computed_since) return;
  const SteadyTime now = clock_.Steady();
  shares_.End(lease.job.owner, now);
  lease.computed += now - *lease.computed_since;
  lease.computed_since.reset();
}

void Dispatcher::EraseLease(uint64_t token) {
  const auto found = leases_.find(token);
  if (found == leases_.end()) return;
  StopCharge(found->second);
  shares_.Release(found->second.job.owner, found->second.job.job_class);
  leases_.erase(found);
}

TaskSpending Dispatcher::SpendingOf(const TaskId& task, uint64_t token) {
  std::lock_guard lock(mutex_);
  const Lease* lease = FindLease(task, token);
  if (lease == nullptr) return {};
  return {.worker_time = absl::FromChrono(lease->computed), .share = shares_.Record(lease->job.owner, clock_.Steady())};
}

}  // namespace deconvoy::server
