// What a method really takes.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/methods/registry.h"

namespace deconvoy::worker {

inline int64_t ResidentBytes() {
  std::ifstream stream("/proc/self/statm");
  int64_t total = 0, resident = 0;
  stream >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

// The most that has been resident since the last call; 0 where the system does not tell.
inline int64_t PeakBytes() {
  int64_t kib = 0;
  std::ifstream stream("/proc/self/status");
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("VmHWM:")) kib = std::stoll(line.substr(6));
  }
  std::ofstream reset("/proc/self/clear_refs");
  reset << 5;
  reset.close();
  return reset ? 1024 * kib : 0;
}

class Resident final : public Monitor {
 public:
  absl::Status Iterated(const Iteration&) override {
    most = std::max(most, ResidentBytes());
    return absl::OkStatus();
  }
  int64_t most = 0;
};

// The most that the resident set has grown by in a run, from before the domain is opened, over the padded voxels. Where
// the system does not tell, the most that it had grown by after one of the iterations.
inline double BytesPerVoxel(std::string_view name, const Shape3& measured, const Shape3& psf, const Shape3& domain,
                            const std::map<std::string, std::string>& given) {
  const Method& method = *FindMethod(name);
  const auto backend = MakeCpuBackend({.threads = 2, .wisdom_folder = {}});
  const auto parameters = ResolveParameters(method.description(), given);
  std::vector<float> psf_values(static_cast<size_t>(psf.voxels()));  // rising, so that its whole transform is kept
  const auto n = static_cast<double>(psf_values.size());
  for (size_t i = 0; i < psf_values.size(); ++i) {
    psf_values[i] = static_cast<float>(2 * static_cast<double>(i + 1) / (n * (n + 1)));
  }
  { EXPECT_OK(backend->Open(domain)); }  // planning is not part of the method
  const int64_t before = ResidentBytes();
  const auto ops = backend->Open(domain).value();
  const auto otf = ops->MakeOtf(psf_values, psf, {psf.z / 2, psf.y / 2, psf.x / 2}).value();
  const auto y = ops->Allocate({{}, measured}).value();
  EXPECT_OK(ops->Fill(*y, 10));
  Problem problem;
  problem.ops = ops.get();
  problem.otf = otf.get();
  problem.measured = y.get();
  problem.mean = 10;
  problem.psf = MeasurePsf(psf_values, psf, {psf.z / 2, psf.y / 2, psf.x / 2});
  Resident resident;
  PeakBytes();
  EXPECT_OK(method.Run(problem, *parameters, resident));
  const int64_t most = std::max(resident.most, PeakBytes());
  return static_cast<double>(most - before) / static_cast<double>(domain.voxels());
}

}  // namespace deconvoy::worker
