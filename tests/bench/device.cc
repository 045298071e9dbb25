#include "tests/bench/device.h"

#include <stdexcept>

#include "tests/bench/engine.h"
#include "tests/bench/measure.h"
#ifdef DECONVOY_HAS_CUDA
#include "worker/backends/cuda/cuda_backend.h"
#endif

namespace deconvoy::bench {

void AddBackendOption(CLI::App& app, std::string& backend) {
  app.add_option("--backend", backend, "what computes")->check(CLI::IsMember({"cpu", "cuda"}))->capture_default_str();
}

std::unique_ptr<worker::Backend> MakeDevice(const std::string& backend, int threads) {
  if (backend == "cpu") return MakeBackend(threads);
#ifdef DECONVOY_HAS_CUDA
  return Value(worker::MakeCudaBackend({}));
#else
  throw std::runtime_error("this build has no CUDA; build the preset `cuda`");
#endif
}

}  // namespace deconvoy::bench
