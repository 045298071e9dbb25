// The CPU backend keeps the backends' contract.
#include "tests/contract/backend_suite.h"
#include "worker/backends/cpu/cpu_backend.h"

namespace deconvoy::worker {
namespace {

std::unique_ptr<Backend> Make(int threads) {
  return MakeCpuBackend({.threads = threads, .wisdom_folder = {}});
}

INSTANTIATE_TEST_SUITE_P(Cpu, BackendSuite, ::testing::Values(BackendCase{"cpu", Make}));
INSTANTIATE_TEST_SUITE_P(Cpu, SplittingSuite, ::testing::Values(BackendCase{"cpu", Make}));
INSTANTIATE_TEST_SUITE_P(Cpu, StagingSuite, ::testing::Values(BackendCase{"cpu", Make}));

}  // namespace
}  // namespace deconvoy::worker
