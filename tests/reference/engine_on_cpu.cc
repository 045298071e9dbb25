#include "tests/reference/engine_backend.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::reference {

std::unique_ptr<worker::Backend> MakeEngineBackend(int threads) {
  return worker::MakeCpuBackend({.threads = threads, .wisdom_folder = {}});
}

}  // namespace deconvoy::reference
