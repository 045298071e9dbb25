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

TEST(NetworkArgument, WhatIsNoNameAndHasASlashOrADotIsAFile) {
  for (const char* file : {"./rln", "a/b", "rln.safetensors", "/models/RLN", "models/rln.safetensors", "net.pt"}) {
    EXPECT_TRUE(IsModelFile(file)) << file;
  }
  for (const char* name : {"rln", "models/rln", "rln@2", "models/rln/versions/2", "RLN", "", "rln@x"}) {
    EXPECT_FALSE(IsModelFile(name)) << name;
  }
  EXPECT_EQ(NetworkArgument("rln@2").value(), "models/rln/versions/2");
  EXPECT_EQ(NetworkArgument("deploy/models/rln-widefield.safetensors").value(), "models/rln-widefield");
  EXPECT_EQ(ExitCodeOf(NetworkArgument("RLN").status()), ExitCode::kUsage);
  EXPECT_EQ(ExitCodeOf(NetworkArgument("./3d.safetensors").status()), ExitCode::kUsage);
}

TEST(ModelIdOfFile, IsTheFilesNameAsIdsAre) {
  EXPECT_EQ(ModelIdOfFile("a/rln.safetensors").value(), "rln");
  EXPECT_EQ(ModelIdOfFile("./RLN_60x (2).v3.SAFETENSORS").value(), "rln-60x-2-v3");
  EXPECT_EQ(ModelIdOfFile("a.b/rln").value(), "rln");
  const std::string most(63, 'a');
  EXPECT_EQ(ModelIdOfFile("./" + most + ".safetensors").value(), most);
  for (const std::string& file : {std::string("60x.safetensors"), std::string("a/"), std::string("./.safetensors"),
                                  std::string("./\xc3\xa9.safetensors"), "./a" + most}) {
    EXPECT_EQ(ExitCodeOf(ModelIdOfFile(file).status()), ExitCode::kUsage) << file;
  }
}

TEST(NewModelId, HasNoVersion) {
  EXPECT_EQ(NewModelId("rln").value(), "rln");
  EXPECT_EQ(ExitCodeOf(NewModelId("rln@2").status()), ExitCode::kUsage);
}

}  // namespace
}  // namespace deconvoy::client
