// What the workers can do: methods, memory, speed. Filled by the dispatcher and the fleet, read by preflight and the
// Methods service.
//
// Methods stay known after the workers that offered them have left; speed is that of the workers that are alive, and
// so is memory as long as there are any. In memory only. Thread safe; no call blocks.
#pragma once

#include <absl/status/statusor.h>

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "deconvoy/v1/methods.pb.h"
#include "proto/contract/fft_costs.h"

namespace deconvoy::server {

// What plans are made for. Ordered by memory; of equals, those that have measured no costs come first.
struct MachineFacts {
  int64_t memory_budget_bytes = 0;  // of one task; 0 if not known
  int64_t tile_memory_bytes = 0;    // of that, what a tile takes beside another one; 0: there is none beside it
  FftCosts fft_costs;

  friend auto operator<=>(const MachineFacts&, const MachineFacts&) = default;
};

// One live worker, as far as planning is concerned.
struct WorkerCapacity {
  std::string backend;  // `cpu` or `cuda`
  MachineFacts machine;
  double rate = 0;  // padded voxel iterations per second of rl; 0 if not measured
  std::set<std::string> methods = {};
  bool same_host = false;  // it is on the server's machine
};

// What a worker that runs models of a format has beside the method itself, as if it were one more method; the method
// for SAFETENSORS, which all of them read.
std::string MethodWithFormat(const std::string& method, v1::ModelFormat format);

class Capabilities {
 public:
  // --- methods ---
  // Adds methods, or replaces those of the same name, but not with one that is unavailable; the backends and
  // models' formats that were known for a name stay known.
  void AddMethods(const std::vector<v1::Method>& methods);
  std::vector<v1::Method> Methods() const;  // by name
  // Errors: NO_WORKER (no method is known at all), UNKNOWN_METHOD with the nearest name in the remedy; `field` names
  // the field of the request in it.
  absl::StatusOr<v1::Method> FindMethod(const std::string& name, const std::string& field) const;

  // --- workers: those that take work ---
  void SetWorker(const std::string& worker, const WorkerCapacity& capacity);
  void RemoveWorker(const std::string& worker);
  // While the server is paused nobody gets a task.
  void SetPaused(bool paused);
  // Budget to plan with while no worker is alive (what the fleet is configured to start); 0: that of the last to leave.
  void SetExpectedMemory(int64_t bytes);

  // What tiles of `method` are planned for. Of the backends that compute it (where `backend` is not empty only that
  // one; where nobody knows the method all of them) the one whose live workers are fastest together, and of its workers
  // the one with the largest budget; of equal ones one that has measured its costs, and which of those depends on the
  // costs alone. Where no worker is alive the expected budget, or else the last machine of that backend that left: a
  // worker that drains may still deliver what a plan waits for.
  MachineFacts Machine(const std::string& backend, const std::string& method) const;
  // Live workers of the same backend that know the method and have at least the budget of Machine; 1 where none is
  // alive.
  int64_t Machines(const std::string& backend, const std::string& method) const;
  // The largest budget of a live worker of `backend` (empty: any); where there is none as Machine.
  int64_t LargestBudget(const std::string& backend) const;
  // Whether a worker of `backend` (empty: any) is alive.
  bool HasWorker(const std::string& backend) const;
  // What a task of `memory_bytes` with `method` (empty: none) on `backend` (empty: any) waits for, such as `a worker
  // with 12.5 GiB of memory`; empty when a live worker could take it, and the server is not paused. With `same_host`
  // workers of other machines cannot.
  std::string Lacking(const std::string& backend, const std::string& method, int64_t memory_bytes,
                      bool same_host = false) const;
  uint64_t version() const;  // rises whenever a worker comes, changes or goes
  // Sum of the measured rates of live workers of `backend` (empty: any); 0 if none has been measured.
  double Rate(const std::string& backend) const;

 private:
  // The live workers of the backend that Machine plans for. REQUIRES: mutex_ is held.
  std::vector<WorkerCapacity> PlannedFor(const std::string& backend, const std::string& method) const;
  // REQUIRES: mutex_ is held.
  MachineFacts Absent(const std::string& backend) const;

  mutable std::mutex mutex_;
  std::map<std::string, v1::Method> methods_;      // guarded by mutex_
  std::map<std::string, WorkerCapacity> workers_;  // guarded by mutex_
  std::map<std::string, MachineFacts> left_;       // by backend, of the last that left; guarded by mutex_
  int64_t expected_memory_ = 0;                    // guarded by mutex_
  uint64_t version_ = 0;                           // guarded by mutex_
  bool paused_ = false;                            // guarded by mutex_
};

}  // namespace deconvoy::server
