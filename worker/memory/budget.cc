#include "worker/memory/budget.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <limits>
#include <optional>
#include <string>

#include "proto/contract/error.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kMiB = 1 << 20;
constexpr int64_t kLeast = 64 * kMiB;
constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();

// A number alone in a file; nothing for `max` or a missing file.
std::optional<int64_t> NumberIn(const std::filesystem::path& path) {
  std::ifstream file(path);
  int64_t number = 0;
  if (!(file >> number)) return std::nullopt;
  return number;
}

int64_t MemAvailable(const std::filesystem::path& meminfo) {
  std::ifstream file(meminfo);
  std::string name, unit;
  for (int64_t kib = 0; file >> name >> kib; std::getline(file, unit)) {
    if (name == "MemAvailable:") return kib * 1024;
  }
  return kUnlimited;
}

// What the limit of one control group leaves.
int64_t GroupLeaves(const std::filesystem::path& group, const char* limit, const char* usage) {
  const std::optional<int64_t> most = NumberIn(group / limit);
  if (!most) return kUnlimited;
  return std::max<int64_t>(*most - NumberIn(group / usage).value_or(0), 0);
}

// The least that the groups from `path` up to `root` leave.
int64_t GroupsLeave(const std::filesystem::path& root, std::filesystem::path path, const char* limit,
                    const char* usage) {
  int64_t least = GroupLeaves(root, limit, usage);
  for (path = path.relative_path(); !path.empty(); path = path.parent_path()) {
    least = std::min(least, GroupLeaves(root / path, limit, usage));
  }
  return least;
}

// Lines are `0::/path` (version 2) or `n:controllers:/path` (version 1).
int64_t CgroupLeaves(const MemoryFiles& files) {
  std::ifstream file(files.cgroup_of_self);
  int64_t least = kUnlimited;
  for (std::string line; std::getline(file, line);) {
    const size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    if (controllers.empty()) {
      least = std::min(least, GroupsLeave(files.cgroup_root, path, "memory.max", "memory.current"));
    } else if (controllers == "memory") {
      least = std::min(
          least, GroupsLeave(files.cgroup_root / "memory", path, "memory.limit_in_bytes", "memory.usage_in_bytes"));
    }
  }
  return least;
}

}  // namespace

int64_t DefaultBudgetBytes(const MemoryFiles& files) {
  const int64_t available = std::min(MemAvailable(files.meminfo), CgroupLeaves(files));
  return std::max(kLeast, available / 10 * 7);
}

int64_t TaskBytes(const Shape3& box, double bytes_per_voxel) {
  return static_cast<int64_t>(std::ceil(static_cast<double>(box.voxels()) * bytes_per_voxel));
}

absl::Status CheckBudget(int64_t need_bytes, int64_t budget_bytes, std::string_view remedy) {
  if (need_bytes <= budget_bytes) return absl::OkStatus();
  return MakeError(
      {.reason = v1::OUT_OF_MEMORY,
       .remedy = std::string(remedy),
       .metadata = {{"need_bytes", std::to_string(need_bytes)}, {"budget_bytes", std::to_string(budget_bytes)}}},
      fmt::format("the task needs {} MiB of memory and this worker may use {} MiB", (need_bytes + kMiB - 1) / kMiB,
                  budget_bytes / kMiB));
}

}  // namespace deconvoy::worker
