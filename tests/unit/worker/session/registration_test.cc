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

TEST(Registration, ReadsTheNonceOfASpool) {
  deconvoy::testing::TemporaryFolder folder;
  EXPECT_EQ(ReasonOf(ReadSpoolNonce(folder.path()).status()), v1::STORAGE_FAILURE);
  std::ofstream(folder.path() / "nonce") << "abc123\n";
  ASSERT_OK_AND_ASSIGN(const std::string nonce, ReadSpoolNonce(folder.path()));
  EXPECT_EQ(nonce, "abc123");
}

}  // namespace
}  // namespace deconvoy::worker
