// What a model's file tells of its training, also one of unknown origin.
#include "worker/pipeline/model_evidence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "tests/support/test_support.h"
#include "worker/learned/container.h"

namespace deconvoy::worker {
namespace {

v1::ModelFacts Evidence() {
  v1::ModelFacts facts;
  for (uint32_t part = 1; part <= 3; ++part) {
    v1::TrainingPoint& point = *facts.mutable_training()->add_points();
    point.set_step(10 * part);
    point.set_loss(1.0 / 3 / part);
    point.set_held_back_loss(-1e-5 / 3);
  }
  facts.mutable_training()->set_best_step(20);
  v1::ModelQuality& quality = *facts.add_quality();
  quality.set_kind(v1::NUCLEI);
  quality.set_held_out(true);
  quality.set_nrmse(0.1);
  quality.set_classical_ncc(-0.25);
  facts.mutable_patches()->add_mean(0.5);
  facts.mutable_patches()->add_deviation(1.0 / 7);
  facts.mutable_patches()->set_threshold(1.5);
  facts.set_code_version("1.2.3");
  return facts;
}

std::string File() {
  learned::Container container;
  container.tensors["x"] = {{2}, {1, 2}};
  container.texts["network"] = "rln";
  return learned::WriteContainer(container);
}

std::string TextIn(const std::string& file) {
  auto container = learned::ReadContainer(std::as_bytes(std::span(file)));
  EXPECT_OK(container.status());
  return container.ok() ? container->texts["evidence"] : "";
}

TEST(ModelEvidence, GoesWithTheFile) {
  v1::ModelFacts facts = Evidence();
  facts.set_recipe("stands elsewhere in the file");
  ASSERT_OK_AND_ASSIGN(const std::string file, WithEvidence(File(), facts));
  ASSERT_OK_AND_ASSIGN(const learned::Container container, learned::ReadContainer(std::as_bytes(std::span(file))));
  EXPECT_EQ(container.texts.at("network"), "rln");
  EXPECT_EQ(container.tensors.at("x").values, (std::vector<float>{1, 2}));
  v1::ModelFacts read;
  read.set_network("rln");
  ASSERT_OK(AddEvidence(TextIn(file), read));
  v1::ModelFacts expected = Evidence();
  expected.set_network("rln");
  EXPECT_EQ(read.SerializeAsString(), expected.SerializeAsString());
}

TEST(ModelEvidence, OfTheLongestTrainingCanBeRead) {
  v1::ModelFacts facts = Evidence();
  facts.mutable_training()->clear_points();
  for (uint32_t part = 0; part < 1000; ++part) {
    v1::TrainingPoint& point = *facts.mutable_training()->add_points();
    point.set_step(1'000'000 - part);
    point.set_loss(-1e-300 / 3);
    point.set_held_back_loss(-1e-300 / 7);
  }
  ASSERT_OK_AND_ASSIGN(const std::string file, WithEvidence(File(), facts));
  EXPECT_LE(TextIn(file).size(), kMostModelTextBytes);
  v1::ModelFacts read;
  EXPECT_OK(AddEvidence(TextIn(file), read));
  EXPECT_EQ(read.training().points_size(), 1000);
}

TEST(ModelEvidence, IsNotMissed) {
  v1::ModelFacts facts;
  EXPECT_OK(AddEvidence("", facts));
  EXPECT_FALSE(facts.has_patches());
}

TEST(ModelEvidence, OfUnknownOriginChangesNothingElse) {
  v1::ModelFacts facts;
  facts.set_network("rln");
  EXPECT_OK(AddEvidence(R"({"network": "other", "size_bytes": "1", "later": [1], "code_version": "2"})", facts));
  EXPECT_EQ(facts.network(), "rln");
  EXPECT_EQ(facts.size_bytes(), 0U);
  EXPECT_EQ(facts.code_version(), "2");
}

TEST(ModelEvidence, ThatCannotBeIsRefused) {
  const std::vector<std::string> texts = {
      "{",
      "[]",
      R"({"patches": {"mean": [1], "deviation": [], "threshold": 1}})",
      R"({"patches": {"mean": [], "deviation": [], "threshold": 1}})",
      R"({"patches": {"mean": [1], "deviation": [0], "threshold": 1}})",
      R"({"patches": {"mean": [1], "deviation": [1], "threshold": 0}})",
      R"({"patches": {"mean": ["NaN"], "deviation": [1], "threshold": 1}})",
      R"({"patches": {"mean": [1], "deviation": [1], "threshold": "Infinity"}})",
      R"({"quality": [{"nrmse": 1}]})",
      R"({"quality": [{"kind": "NUCLEI", "ncc": "NaN"}]})",
      R"({"quality": [{"kind": "DRAGONS"}]})",
      R"({"training": {"points": [{"step": -1}]}})",
      R"({"training": {"points": [{"loss": "Infinity"}]}})",
      R"({"code_version": ")" + std::string(65, 'x') + R"("})",
  };
  for (const std::string& text : texts) {
    v1::ModelFacts facts;
    EXPECT_EQ(ReasonOf(AddEvidence(text, facts)), v1::BAD_MODEL) << text;
    EXPECT_EQ(facts.ByteSizeLong(), 0U) << text;
  }
  std::string many = R"({"training": {"points": [{})";
  for (int i = 0; i < 1000; ++i) many += ",{}";
  v1::ModelFacts facts;
  EXPECT_EQ(ReasonOf(AddEvidence(many + "]}}", facts)), v1::BAD_MODEL);
}

}  // namespace
}  // namespace deconvoy::worker
