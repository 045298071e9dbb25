// The CUDA backend keeps the backends' contract, on the first device that is there.
#include "tests/contract/backend_finishing_suite.h"
#include "tests/contract/backend_neighbour_suite.h"
#include "tests/contract/backend_suite.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kBudget = int64_t{512} << 20;

std::unique_ptr<Backend> Make(int threads) {
  auto backend = MakeCudaBackend({.device = "", .memory_budget_bytes = kBudget, .threads = threads});
  EXPECT_OK(backend);
  return backend.ok() ? *std::move(backend) : nullptr;
}

BackendCase Cuda() {
  const absl::Status there = MakeCudaBackend({.device = "", .memory_budget_bytes = kBudget}).status();
  return {"cuda", Make, there.ok() ? "" : std::string(there.message())};
}

INSTANTIATE_TEST_SUITE_P(Cuda, BackendSuite, ::testing::Values(Cuda()));
INSTANTIATE_TEST_SUITE_P(Cuda, SplittingSuite, ::testing::Values(Cuda()));
INSTANTIATE_TEST_SUITE_P(Cuda, StagingSuite, ::testing::Values(Cuda()));
INSTANTIATE_TEST_SUITE_P(Cuda, FinishingSuite, ::testing::Values(Cuda()));
INSTANTIATE_TEST_SUITE_P(Cuda, NeighbourSuite, ::testing::Values(Cuda()));

}  // namespace
}  // namespace deconvoy::worker
