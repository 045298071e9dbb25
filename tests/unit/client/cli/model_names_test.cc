#include "client/cli/model_names.h"

#include <gtest/gtest.h>

#include "client/cli/model_library.h"
#include "client/cli/outcome.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

TEST(ModelArgument, TakesEveryWayToNameOne) {
  EXPECT_EQ(ModelArgument("rln").value(), "models/rln");
  EXPECT_EQ(ModelArgument("models/rln").value(), "models/rln");
  EXPECT_EQ(ModelArgument("rln@2").value(), "models/rln/versions/2");
  EXPECT_EQ(ModelArgument("models/rln/versions/2").value(), "models/rln/versions/2");
  for (const char* text : {"", "RLN", "rln@", "rln@0", "rln@x", "psfs/a", "a/b"}) {
    EXPECT_EQ(ExitCodeOf(ModelArgument(text).status()), ExitCode::kUsage) << text;
  }
}

TEST(ModelArgument, ShortNamesAreReadAgain) {
  EXPECT_EQ(ShortModelName("models/rln/versions/2"), "models/rln@2");
  EXPECT_EQ(ShortModelName("models/rln"), "models/rln");
  EXPECT_EQ(ModelArgument(ShortModelName("models/rln/versions/2")).value(), "models/rln/versions/2");
}

TEST(NewModelId, HasNoVersion) {
  EXPECT_EQ(NewModelId("rln").value(), "rln");
  EXPECT_EQ(ExitCodeOf(NewModelId("rln@2").status()), ExitCode::kUsage);
}

}  // namespace
}  // namespace deconvoy::client
