#include "client/cli/json.h"

#include <gtest/gtest.h>

#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::client {
namespace {

TEST(JsonTest, NumbersAreNumbersAndEnumsAreNames) {
  v1::ResultStatistics result;
  result.set_clipped_voxels(uint64_t{1} << 60);
  result.set_maximum(1.5);
  const nlohmann::json expected = {
      {"minimum", 0.0}, {"maximum", 1.5}, {"sum", 0.0}, {"clipped_voxels", uint64_t{1} << 60}, {"input_sum", 0.0}};
  EXPECT_EQ(ToJson(result), expected);
  v1::Method method;
  method.add_boundaries(v1::EXTEND);
  method.add_boundaries(v1::PERIODIC);
  EXPECT_EQ(ToJson(method)["boundaries"], nlohmann::json({"EXTEND", "PERIODIC"}));
}

TEST(JsonTest, MessagesAndAlternativesAreThereOnlyWhenSet) {
  v1::Job job;
  (*job.mutable_spec()->mutable_deconvolve()->mutable_parameters())["iterations"] = std::to_string(3);
  job.mutable_spec()->mutable_deconvolve()->set_background_counts(0);
  job.mutable_create_time()->set_seconds(0);
  const nlohmann::json json = ToJson(job);
  EXPECT_EQ(json["create_time"], "1970-01-01T00:00:00Z");
  EXPECT_FALSE(json.contains("end_time"));
  EXPECT_EQ(json["spec"]["deconvolve"]["parameters"]["iterations"], "3");
  EXPECT_EQ(json["spec"]["deconvolve"]["background_counts"], 0);
  EXPECT_FALSE(json["spec"]["deconvolve"].contains("background_auto"));
  EXPECT_FALSE(json["spec"].contains("simulate"));
  EXPECT_EQ(json["state"], "JOB_STATE_UNSPECIFIED");
}

TEST(JsonTest, BytesAreHexadecimal) {
  v1::VolumeSpec spec;
  spec.mutable_digest()->push_back(0);
  spec.mutable_digest()->push_back(static_cast<char>(0xff));
  EXPECT_EQ(ToJson(spec)["digest"], "00ff");
}

TEST(JsonTest, ListsOfNumbersArrive) {
  v1::FrameStatistics frame;
  frame.add_plane_background(1.5F);
  frame.add_plane_shift_y(-3);
  const nlohmann::json json = ToJson(frame);
  EXPECT_EQ(json["plane_background"], nlohmann::json({1.5}));
  EXPECT_EQ(json["plane_shift_y"], nlohmann::json({-3}));
}

}  // namespace
}  // namespace deconvoy::client
