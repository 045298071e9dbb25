#include "tests/bench/device.h"

#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::bench {

void AddBackendOption(CLI::App& app, std::string& backend) {
  app.add_option("--backend", backend, "what computes")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
}

std::unique_ptr<worker::Backend> MakeDevice(const std::string& backend, int threads) {
  return backend == "cpu"
             ? MakeBackend(threads)
             : Value(worker::MakeCudaBackend({.device = {}, .memory_budget_bytes = 0, .threads = threads}));
}

}  // namespace deconvoy::bench
