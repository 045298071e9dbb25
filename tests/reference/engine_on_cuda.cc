// On the first NVIDIA device. Where there is none, all tests of the program are skipped.
#include <gtest/gtest.h>

#include <string>

#include "tests/reference/engine_backend.h"
#include "worker/backends/cuda/cuda_backend.h"

namespace deconvoy::reference {
namespace {

absl::StatusOr<std::unique_ptr<worker::Backend>> Make(int threads) {
  return worker::MakeCudaBackend({.device = "", .memory_budget_bytes = int64_t{512} << 20, .threads = threads});
}

class NeedsDevice final : public ::testing::Environment {
 public:
  void SetUp() override {
    const absl::Status made = Make(1).status();
    if (!made.ok()) GTEST_SKIP() << "SKIPPED: " << std::string(made.message());
  }
};

const ::testing::Environment* const kNeedsDevice = ::testing::AddGlobalTestEnvironment(new NeedsDevice);

}  // namespace

std::unique_ptr<worker::Backend> MakeEngineBackend(int threads) {
  auto backend = Make(threads);
  EXPECT_TRUE(backend.ok()) << backend.status();
  return backend.ok() ? *std::move(backend) : nullptr;
}

}  // namespace deconvoy::reference
