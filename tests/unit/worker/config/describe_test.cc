#include "worker/config/describe.h"

#include <gmock/gmock.h>
#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

namespace deconvoy::worker {
namespace {

using ::testing::HasSubstr;

TEST(Describe, JsonComesBackAsTheSameMessage) {
  const v1::ListMethodsResponse methods = DescribeMethods();
  ASSERT_GT(methods.methods_size(), 0);
  v1::ListMethodsResponse read;
  ASSERT_TRUE(google::protobuf::util::JsonStringToMessage(ToJson(methods), &read).ok());
  EXPECT_TRUE(google::protobuf::util::MessageDifferencer::Equals(methods, read));
}

TEST(Describe, JsonHasEveryFieldUnderItsOwnName) {
  v1::ListMethodsResponse methods;
  methods.add_methods()->set_name("x");
  EXPECT_THAT(ToJson(methods), HasSubstr("\"transforms_per_iteration\": 0"));
}

TEST(Describe, TextNamesMethodsParametersRangesAndDefaults) {
  const std::string text = ToText(DescribeMethods());
  for (const char* words :
       {"rl  Richardson-Lucy (Poisson noise)", "1 to 10000, or auto", "none | heavy-ball", "default 30"}) {
    EXPECT_THAT(text, HasSubstr(words));
  }
}

}  // namespace
}  // namespace deconvoy::worker
