#include "tests/reference/engine_backend.h"
#include "tests/support/emulated_cuda.h"

namespace deconvoy::reference {

std::unique_ptr<worker::Backend> MakeEngineBackend(int /*threads*/) {
  return worker::cuda::MakeEmulatedCuda({.memory_bytes = int64_t{16} << 20});
}

}  // namespace deconvoy::reference
