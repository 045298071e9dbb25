#include "worker/pipeline/model_file.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/learned/network.h"

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

// In a build with LibTorch and in one without.
TEST(DescribeNetworks, TellsTheLibraryOrWhyThereIsNone) {
  v1::Method method;
  DescribeNetworks(method);
  if (learned::TheRuntime().available()) {
    EXPECT_EQ(method.unavailable(), "");
    EXPECT_THAT(method.library(), HasSubstr("LibTorch " + learned::TheRuntime().version));
    ASSERT_GT(method.formats_size(), 0);
    EXPECT_EQ(method.formats(0), v1::SAFETENSORS);
  } else {
    EXPECT_THAT(method.unavailable(), HasSubstr("LibTorch"));
    EXPECT_TRUE(method.formats().empty());
  }
}

}  // namespace
}  // namespace deconvoy::worker
