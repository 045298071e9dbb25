// How much memory a task needs and may use.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <filesystem>
#include <string_view>

#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Where the system tells about memory; tests point elsewhere.
struct MemoryFiles {
  std::filesystem::path meminfo = "/proc/meminfo";
  std::filesystem::path cgroup_of_self = "/proc/self/cgroup";
  std::filesystem::path cgroup_root = "/sys/fs/cgroup";
};

// 70 % of the memory that is available: the system's MemAvailable, or what the limit of a control group (v1 or v2)
// above this process leaves when that is less. At least 64 MiB.
int64_t DefaultBudgetBytes(const MemoryFiles& files = {});

// Bytes of a box of voxels of which each needs `bytes_per_voxel`, rounded up.
int64_t TaskBytes(const Shape3& box, double bytes_per_voxel);

// OUT_OF_MEMORY, saying both and what can be done, when `need_bytes` is above `budget_bytes`.
absl::Status CheckBudget(int64_t need_bytes, int64_t budget_bytes, std::string_view remedy);

}  // namespace deconvoy::worker
