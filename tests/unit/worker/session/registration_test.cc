#include "worker/session/registration.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::worker {
namespace {

TEST(Registration, NamesAreFreshAndWellFormed) {
  EXPECT_NE(NewWorkerName(), NewWorkerName());
  EXPECT_EQ(NewWorkerName().substr(0, 8), "workers/");
}

// The processors under another name.
class OtherBackend final : public Backend {
 public:
  std::string name() const override { return "cuda"; }
  std::string device() const override { return "a card"; }
  int threads() const override { return 3; }
  std::optional<v1::Accelerator> accelerator() const override {
    v1::Accelerator card;
    card.set_uuid("GPU-8c1f");
    card.set_memory_bytes(uint64_t{80} << 30U);
    card.set_driver("CUDA 13.0");
    return card;
  }
  absl::StatusOr<std::unique_ptr<Ops>> Open(const Shape3&) override { return absl::UnimplementedError(""); }
};

TEST(Registration, TellsWhatComputesAndWhereItsMethodsRun) {
  const v1::WorkerRegistration registration = MakeRegistration(OtherBackend(), 77, 38);
  EXPECT_EQ(registration.backend(), "cuda");
  EXPECT_EQ(registration.device(), "a card");
  EXPECT_EQ(registration.threads(), 3U);
  EXPECT_EQ(registration.memory_budget_bytes(), 77U);
  EXPECT_EQ(registration.tile_memory_bytes(), 38U);
  EXPECT_EQ(registration.accelerator().uuid(), "GPU-8c1f");
  EXPECT_EQ(registration.accelerator().memory_bytes(), uint64_t{80} << 30U);
  EXPECT_EQ(registration.accelerator().driver(), "CUDA 13.0");
  ASSERT_FALSE(registration.methods().empty());
  for (const v1::Method& method : registration.methods()) {
    ASSERT_EQ(method.backends_size(), 1) << method.name();
    EXPECT_EQ(method.backends(0), "cuda") << "not where the program's others may run";
  }
}

TEST(Registration, ReadsTheNonceOfASpool) {
  deconvoy::testing::TemporaryFolder folder;
  EXPECT_EQ(ReasonOf(ReadSpoolNonce(folder.path()).status()), v1::STORAGE_FAILURE);
  std::ofstream(folder.path() / "nonce") << "abc123\n";
  ASSERT_OK_AND_ASSIGN(const std::string nonce, ReadSpoolNonce(folder.path()));
  EXPECT_EQ(nonce, "abc123");
}

}  // namespace
}  // namespace deconvoy::worker
