#include "worker/backends/cpu/pinning.h"

#include <hwloc.h>
#include <sched.h>

#include <climits>
#include <utility>

namespace deconvoy::worker::cpu {
namespace {

// The processors of this process and how they belong together.
class Topology {
 public:
  Topology() {
    if (hwloc_topology_init(&topology_) != 0) return;
    ready_ = hwloc_topology_set_flags(
                 topology_, HWLOC_TOPOLOGY_FLAG_IS_THISSYSTEM | HWLOC_TOPOLOGY_FLAG_RESTRICT_TO_CPUBINDING) == 0 &&
             hwloc_topology_load(topology_) == 0;
  }
  ~Topology() {
    if (topology_ != nullptr) hwloc_topology_destroy(topology_);
  }
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  // `count` processors, as far from one another as they go, those next to one another in order.
  std::vector<int> Spread(unsigned count) const {
    std::vector<int> processors;
    if (!ready_) return processors;
    std::vector<hwloc_cpuset_t> sets(count, nullptr);
    hwloc_obj_t root = hwloc_get_root_obj(topology_);
    if (hwloc_distrib(topology_, &root, 1, sets.data(), count, INT_MAX, 0) != 0) return processors;
    for (hwloc_cpuset_t set : sets) {
      processors.push_back(hwloc_bitmap_first(set));
      hwloc_bitmap_free(set);
    }
    return processors;
  }

 private:
  hwloc_topology_t topology_ = nullptr;
  bool ready_ = false;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Pinning>> Pinning::Make(int threads, const MachineShare& share) {
  const std::vector<int> all = Topology().Spread(static_cast<unsigned>(threads * share.count));
  if (all.empty()) return absl::InternalError("the system does not tell which processors it has");
  const auto begin = all.begin() + threads * share.index;
  return std::unique_ptr<Pinning>(new Pinning(std::vector<int>(begin, begin + threads)));
}

void Pinning::Bind(int thread) const {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<size_t>(processors_[static_cast<size_t>(thread)]), &set);
  sched_setaffinity(/*pid=*/0, sizeof set, &set);
}

}  // namespace deconvoy::worker::cpu
