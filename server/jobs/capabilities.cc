#include "server/jobs/capabilities.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

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

std::string MethodWithFormat(const std::string& method, v1::ModelFormat format) {
  if (format == v1::SAFETENSORS || format == v1::MODEL_FORMAT_UNSPECIFIED) return method;
  return fmt::format("{} with {}", method, v1::ModelFormat_Name(format));
}

void Capabilities::AddMethods(const std::vector<v1::Method>& methods) {
  std::lock_guard lock(mutex_);
  for (const v1::Method& method : methods) {
    v1::Method& known = methods_[method.name()];
    if (!method.unavailable().empty() && !known.name().empty() && known.unavailable().empty()) continue;
    if (method.unavailable().empty() && !known.unavailable().empty()) known.Clear();  // of those who cannot
    const std::vector<std::string> backends(known.backends().begin(), known.backends().end());
    const auto formats = known.formats();
    known = method;
    for (const std::string& backend : backends) {
      const auto& now = known.backends();
      if (std::find(now.begin(), now.end(), backend) == now.end()) known.add_backends(backend);
    }
    for (const int format : formats) {
      const auto& now = known.formats();
      if (std::find(now.begin(), now.end(), format) == now.end())
        known.add_formats(static_cast<v1::ModelFormat>(format));
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

void Capabilities::SetPaused(bool paused) {
  std::lock_guard lock(mutex_);
  paused_ = paused;
  ++version_;
}

void Capabilities::SetExpectedMemory(int64_t bytes) {
  std::lock_guard lock(mutex_);
  expected_memory_ = bytes;
}

std::vector<WorkerCapacity> Capabilities::PlannedFor(const std::string& backend, const std::string& method) const {
  const auto known = [&](const auto& entry) {
    return Matches(entry.second, backend) && entry.second.methods.contains(method);
  };
  const bool matters = std::any_of(workers_.begin(), workers_.end(), known);
  struct Class {
    double rate = 0;
    MachineFacts largest;
    std::vector<WorkerCapacity> workers;
  };
  std::map<std::string, Class> classes;
  for (const auto& entry : workers_) {
    const WorkerCapacity& worker = entry.second;
    if (matters ? !known(entry) : !Matches(worker, backend)) continue;
    Class& its = classes[worker.backend];
    its.rate += worker.rate;
    its.largest = std::max(its.largest, worker.machine);
    its.workers.push_back(worker);
  }
  const auto slower = [](const auto& a, const auto& b) {
    return std::tie(a.second.rate, a.second.largest) < std::tie(b.second.rate, b.second.largest);
  };
  const auto fastest = std::max_element(classes.begin(), classes.end(), slower);
  return fastest == classes.end() ? std::vector<WorkerCapacity>{} : fastest->second.workers;
}

MachineFacts Capabilities::Absent(const std::string& backend) const {
  MachineFacts largest{.memory_budget_bytes = expected_memory_, .fft_costs = {}};
  if (expected_memory_ > 0) return largest;
  for (const auto& [name, machine] : left_) {
    if (backend.empty() || name == backend) largest = std::max(largest, machine);
  }
  return largest;
}

MachineFacts Capabilities::Machine(const std::string& backend, const std::string& method) const {
  std::lock_guard lock(mutex_);
  MachineFacts largest;
  for (const WorkerCapacity& worker : PlannedFor(backend, method)) largest = std::max(largest, worker.machine);
  if (largest.memory_budget_bytes == 0) largest.memory_budget_bytes = expected_memory_;
  return largest.memory_budget_bytes > 0 ? largest : Absent(backend);
}

int64_t Capabilities::Machines(const std::string& backend, const std::string& method) const {
  const int64_t budget = Machine(backend, method).memory_budget_bytes;
  std::lock_guard lock(mutex_);
  const std::vector<WorkerCapacity> workers = PlannedFor(backend, method);
  const int64_t count = std::ranges::count_if(
      workers, [&](const WorkerCapacity& worker) { return worker.machine.memory_budget_bytes >= budget; });
  return std::max<int64_t>(count, 1);
}

int64_t Capabilities::LargestBudget(const std::string& backend) const {
  std::lock_guard lock(mutex_);
  int64_t largest = 0;
  for (const auto& [id, worker] : workers_) {
    if (Matches(worker, backend)) largest = std::max(largest, worker.machine.memory_budget_bytes);
  }
  return largest > 0 ? largest : Absent(backend).memory_budget_bytes;
}

bool Capabilities::HasWorker(const std::string& backend) const {
  std::lock_guard lock(mutex_);
  return std::any_of(workers_.begin(), workers_.end(),
                     [&](const auto& entry) { return Matches(entry.second, backend); });
}

std::string Capabilities::Lacking(const std::string& backend, const std::string& method, int64_t memory_bytes,
                                  bool same_host) const {
  std::lock_guard lock(mutex_);
  if (paused_) return "an administrator, who has paused the server";
  const auto knows = [&](const auto& entry) { return method.empty() || entry.second.methods.contains(method); };
  const auto takes = [&](const auto& entry) {
    const int64_t budget = entry.second.machine.memory_budget_bytes;
    return Matches(entry.second, backend) && knows(entry) && (budget == 0 || memory_bytes <= budget) &&
           (!same_host || entry.second.same_host);
  };
  if (std::any_of(workers_.begin(), workers_.end(), takes)) return "";
  const bool unknown = !workers_.empty() && std::none_of(workers_.begin(), workers_.end(), knows);
  return fmt::format("a {}worker{}{}{}{}", backend.empty() ? "" : fmt::format("`{}` ", backend),
                     same_host ? " on the server's machine" : "",
                     unknown ? fmt::format(" that knows `{}`", method) : "",
                     memory_bytes > 0 ? fmt::format(" with {} of memory", MemoryText(memory_bytes)) : "",
                     workers_.empty() ? ": none takes tasks" : "");
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
