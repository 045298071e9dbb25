#include "worker/backends/cpu/cpu_backend.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <fstream>
#include <string>

#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/cpu_ops.h"
#include "worker/backends/cpu/fft_costs.h"
#include "worker/backends/cpu/thread_pool.h"

namespace deconvoy::worker {
namespace {

std::string ProcessorModel() {
  std::ifstream stream("/proc/cpuinfo");
  for (std::string line; std::getline(stream, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.find(':') + 2, line.size()));
  }
  return "CPU";
}

std::unique_ptr<cpu::Pinning> MakePinning(const CpuOptions& options) {
  if (options.pinned.count == 0) return nullptr;
  absl::StatusOr<std::unique_ptr<cpu::Pinning>> pinning = cpu::Pinning::Make(options.threads, options.pinned);
  if (!pinning.ok()) {
    spdlog::warn("threads are not tied to processors: {}", std::string(pinning.status().message()));
    return nullptr;
  }
  spdlog::info("threads are tied to processors {}", fmt::join((*pinning)->processors(), ", "));
  return *std::move(pinning);
}

class CpuBackend final : public Backend {
 public:
  explicit CpuBackend(const CpuOptions& options) : options_(options), pool_(options.threads, MakePinning(options)) {}

  std::string name() const override { return "cpu"; }
  std::string device() const override {
    return fmt::format("{}, {} thread{}", ProcessorModel(), threads(), threads() == 1 ? "" : "s");
  }
  int threads() const override { return pool_.threads(); }
  v1::FftCosts fft_costs() const override { return cpu::KeptFftCosts(options_.wisdom_folder); }

  absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3& domain) override {
    ASSIGN_OR_RETURN(auto convolver, cpu::Convolver::Make(domain, options_.wisdom_folder, &pool_));
    return std::make_unique<cpu::CpuOps>(std::move(convolver), options_.wisdom_folder, &pool_);
  }

 private:
  const CpuOptions options_;
  cpu::ThreadPool pool_;
};

}  // namespace

std::unique_ptr<Backend> MakeCpuBackend(const CpuOptions& options) {
  return std::make_unique<CpuBackend>(options);
}

}  // namespace deconvoy::worker
