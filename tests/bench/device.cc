#include "tests/bench/device.h"

#include <stdexcept>

#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::bench {

void AddBackendOption(CLI::App& app, std::string& backend) {
  app.add_option("--backend", backend, "what computes")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
}

std::unique_ptr<worker::Backend> MakeDevice(const std::string& backend, int threads, int64_t memory_mib) {
  if (backend == "cpu") {
    if (memory_mib != 0) throw std::runtime_error("--memory-mib bounds the memory of a GPU; it needs --backend cuda");
    return MakeBackend(threads);
  }
  return Value(worker::MakeCudaBackend({.device = {}, .memory_budget_bytes = memory_mib << 20, .threads = threads}));
}

}  // namespace deconvoy::bench
