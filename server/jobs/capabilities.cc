#include "server/jobs/capabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

bool Matches(const WorkerCapacity& worker, const std::string& backend) {
  return backend.empty() || worker.backend == backend;
}

// Rounded up: that much suffices.
std::string MemoryText(int64_t bytes) {
  constexpr int64_t kMiB = 1 << 20;
  const int64_t mib = (bytes + kMiB - 1) / kMiB;
  return mib < 1024 ? fmt::format("{} MiB", mib)
                    : fmt::format("{:.1f} GiB", std::ceil(static_cast<double>(mib) / 102.4) / 10);
}

}  // namespace

void Capabilities::AddMethods(const std::vector<v1::Method>& methods) {
  std::lock_guard lock(mutex_);
  for (const v1::Method& method : methods) {
    v1::Method& known = methods_[method.name()];
    std::vector<std::string> backends(known.backends().begin(), known.backends().end());
    known = method;
    for (const std::string& backend : backends) {
      const auto& now = known.backends();
      if (std::find(now.begin(), now.end(), backend) == now.end()) known.add_backends(backend);
    }
  }
}

std::vector<v1::Method> Capabilities::Methods() const {
  std::lock_guard lock(mutex_);
  std::vector<v1::Method> methods;
  for (const auto& [name, method] : methods_) methods.push_back(method);
  return methods;
}

absl::StatusOr<v1::Method> Capabilities::FindMethod(const std::string& name, const std::string& field) const {
  std::lock_guard lock(mutex_);
  const auto found = methods_.find(name);
  if (found != methods_.end()) return found->second;
  if (methods_.empty()) {
    return MakeError({.reason = v1::NO_WORKER, .field = field, .remedy = "Start a worker, then try again."},
                     "no worker has ever registered, so that no method is known");
  }
  std::vector<std::string> names;
  for (const auto& [known, method] : methods_) names.push_back(known);
  const std::string nearest = Nearest(name, names);
  const std::string remedy = nearest.empty() ? fmt::format("Choose one of: {}.", fmt::join(names, ", "))
                                             : fmt::format("Did you mean `{}`?", nearest);
  return MakeError({.reason = v1::UNKNOWN_METHOD, .field = field, .remedy = remedy},
                   fmt::format("there is no method `{}`", name));
}

void Capabilities::SetWorker(const std::string& worker, const WorkerCapacity& capacity) {
  std::lock_guard lock(mutex_);
  workers_[worker] = capacity;
  ++version_;
}

void Capabilities::RemoveWorker(const std::string& worker) {
  std::lock_guard lock(mutex_);
  if (const auto found = workers_.find(worker); found != workers_.end()) {
    left_[found->second.backend] = found->second.machine;
    workers_.erase(found);
  }
  ++version_;
}

void Capabilities::SetExpectedMemory(int64_t bytes) {
  std::lock_guard lock(mutex_);
  expected_memory_ = bytes;
}

MachineFacts Capabilities::Machine(const std::string& backend) const {
  std::lock_guard lock(mutex_);
  MachineFacts largest;
  for (const auto& [id, worker] : workers_) {
    if (Matches(worker, backend)) largest = std::max(largest, worker.machine);
  }
  if (largest.memory_budget_bytes == 0) largest.memory_budget_bytes = expected_memory_;
  if (largest.memory_budget_bytes > 0) return largest;
  for (const auto& [name, machine] : left_) {
    if (backend.empty() || name == backend) largest = std::max(largest, machine);
  }
  return largest;
}

int64_t Capabilities::Machines(const std::string& backend) const {
  const int64_t budget = Machine(backend).memory_budget_bytes;
  std::lock_guard lock(mutex_);
  const int64_t count = std::count_if(workers_.begin(), workers_.end(), [&](const auto& entry) {
    return Matches(entry.second, backend) && entry.second.machine.memory_budget_bytes >= budget;
  });
  return std::max<int64_t>(count, 1);
}

bool Capabilities::HasWorker(const std::string& backend) const {
  std::lock_guard lock(mutex_);
  return std::any_of(workers_.begin(), workers_.end(),
                     [&](const auto& entry) { return Matches(entry.second, backend); });
}

std::string Capabilities::Lacking(const std::string& backend, const std::string& method, int64_t memory_bytes,
                                  bool same_host) const {
  std::lock_guard lock(mutex_);
  const auto knows = [&](const auto& entry) { return method.empty() || entry.second.methods.contains(method); };
  const auto takes = [&](const auto& entry) {
    const int64_t budget = entry.second.machine.memory_budget_bytes;
    return Matches(entry.second, backend) && knows(entry) && (budget == 0 || memory_bytes <= budget) &&
           (!same_host || entry.second.same_host);
  };
  if (std::any_of(workers_.begin(), workers_.end(), takes)) return "";
  const bool unknown = !workers_.empty() && std::none_of(workers_.begin(), workers_.end(), knows);
  return fmt::format("a {}worker{}{}{}", backend.empty() ? "" : fmt::format("`{}` ", backend),
                     same_host ? " on the server's machine" : "",
                     unknown ? fmt::format(" that knows `{}`", method) : "",
                     memory_bytes > 0 ? fmt::format(" with {} of memory", MemoryText(memory_bytes)) : "");
}

uint64_t Capabilities::version() const {
  std::lock_guard lock(mutex_);
  return version_;
}

double Capabilities::Rate(const std::string& backend) const {
  std::lock_guard lock(mutex_);
  double rate = 0;
  for (const auto& [id, worker] : workers_) {
    if (Matches(worker, backend)) rate += worker.rate;
  }
  return rate;
}

}  // namespace deconvoy::server
