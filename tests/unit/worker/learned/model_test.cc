// Models as files, and what they make of boxes and frames.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "proto/contract/error.h"
#include "proto/contract/model_spec.h"
#include "tests/support/test_support.h"
#include "tests/unit/worker/learned/drawn_model.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

class EveryModel : public ::testing::TestWithParam<NetworkKind> {};

// A drawn network magnifies far more than a trained one; differences count relative to what it makes of the image.
TEST_P(EveryModel, IsTheSameInTilesAndWhole) {
  const auto model = Load(Drawn(GetParam().name));
  const Shape3 shape{22, 42, 37}, core{12, 44, 20};
  const std::vector<float> image = Image(shape);
  const Scale scale = ScaleOf(image, model->facts().percentiles);
  const Model* const models[] = {model.get()};
  ASSERT_OK_AND_ASSIGN(const Estimate whole, ApplyToFrame(models, image, shape, scale, shape));
  ASSERT_OK_AND_ASSIGN(const Estimate tiles, ApplyToFrame(models, image, shape, scale, core));
  const auto [least, most] = std::minmax_element(whole.value.begin(), whole.value.end());
  ASSERT_GT(*most - *least, 0);
  for (size_t i = 0; i < image.size(); ++i) {
    ASSERT_NEAR(tiles.value[i], whole.value[i], 1e-3 * (*most - *least)) << i;
  }
}

TEST_P(EveryModel, TakesBoxesOfAnyExtents) {
  const auto model = Load(Drawn(GetParam().name));
  for (const Shape3& box : {Shape3{1, 1, 1}, Shape3{5, 7, 9}, Shape3{1, 6, 2}}) {
    const std::vector<float> values(static_cast<size_t>(box.voxels()), 3);
    ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(values, box, {1, 2}, 0.1F));
    EXPECT_EQ(estimate.value.size(), values.size());
    EXPECT_GT(model->MemoryBytes(box), box.voxels() * 4);
  }
}

// Of an image k times as bright it makes what is k times as bright, with the scale that belongs to it; of one that is
// brighter by a constant, the same.
TEST_P(EveryModel, FollowsTheScale) {
  const auto model = Load(Drawn(GetParam().name));
  const Shape3 shape{8, 12, 12};
  const std::vector<float> image = Image(shape);
  const Scale scale = ScaleOf(image, model->facts().percentiles);
  const bool restores = GetParam().purpose == Purpose::kRestore;
  std::vector<float> brighter = image;
  for (float& value : brighter) value = 4 * value + (restores ? 3.0F : 0.0F);
  ASSERT_OK_AND_ASSIGN(const Estimate one, model->Apply(image, shape, scale, 2));
  ASSERT_OK_AND_ASSIGN(const Estimate other, model->Apply(brighter, shape, {4 * scale.offset + 3, 4 * scale.range}, 8));
  const auto [least, most] = std::minmax_element(one.value.begin(), one.value.end());
  for (size_t i = 0; i < image.size(); ++i) {
    ASSERT_NEAR(other.value[i] / 4, one.value[i], 1e-3 * std::max(std::abs(*most), std::abs(*least))) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Networks, EveryModel, ::testing::ValuesIn(AllNetworks().begin(), AllNetworks().end()),
                         [](const auto& test) {
                           std::string name(test.param.name);
                           std::erase(name, '-');
                           return name;
                         });

TEST(Model, KeepsItsFacts) {
  Container container = Drawn("rln", Head::kProbabilistic);
  container.texts["recipe"] = "{}";
  const auto model = Load(container);
  EXPECT_EQ(model->facts().network, "rln");
  EXPECT_EQ(model->facts().head, Head::kProbabilistic);
  EXPECT_EQ(model->facts().psf_digest, "ab");
  EXPECT_EQ(model->facts().voxel_um, (std::vector<double>{0.2, 0.1, 0.1}));
  EXPECT_EQ(model->facts().percentiles, Percentiles{});
  EXPECT_EQ(model->facts().recipe, "{}");
  EXPECT_EQ(model->halo().z, 18);
}

TEST(Model, TellsItsSpread) {
  const auto model = Load(Drawn("ddn", Head::kProbabilistic));
  const Shape3 shape{6, 8, 8};
  ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(Image(shape), shape, {0, 100}));
  ASSERT_EQ(estimate.spread.size(), estimate.value.size());
  for (const float spread : estimate.spread) EXPECT_GT(spread, 0);
}

// A network whose scale is the same everywhere: the deviation of a Laplace distribution of the scale e^s, times the
// range.
TEST(Model, SpreadIsTheDeviationInPhotons) {
  Container container = Drawn("srcnn", Head::kProbabilistic);
  bool set = false;
  for (auto& [name, tensor] : container.tensors) {
    if (tensor.shape.front() != 2) continue;  // of the last layer: location and log of the scale
    const auto half = static_cast<std::ptrdiff_t>(tensor.values.size() / 2);
    std::fill(tensor.values.begin() + half, tensor.values.end(), tensor.shape.size() == 1 ? -1.5F : 0.0F);
    set = set || tensor.shape.size() == 1;
  }
  ASSERT_TRUE(set);
  const auto model = Load(container);
  const Shape3 shape{3, 8, 8};
  ASSERT_OK_AND_ASSIGN(const Estimate estimate, model->Apply(Image(shape), shape, {7, 50}));
  for (const float spread : estimate.spread) EXPECT_NEAR(spread, std::sqrt(2) * std::exp(-1.5) * 50, 1e-3);
}

TEST(Model, RefusesFilesThatDoNotFit) {
  const auto refused = [](const Container& container, const std::string& said) {
    const auto model = LoadModel(Bytes(WriteContainer(container)));
    ASSERT_FALSE(model.ok()) << said;
    EXPECT_EQ(ReasonOf(model.status()), v1::INVALID_FIELD);
    EXPECT_THAT(std::string(model.status().message()), HasSubstr(said));
  };
  const Container sound = Drawn("unrolled-ista");
  for (const auto& [name, text, said] :
       std::vector<std::array<std::string, 3>>{{"format", "else", "format 'else'"},
                                               {"version", "2", "version '2'"},
                                               {"network", "r\nln", "'r\\x0Aln'"},
                                               {"head", "two", "no head is 'two'"},
                                               {"head", "probabilistic", "no probabilistic head"},
                                               {"voxel_um", "1 2", "not three"},
                                               {"voxel_um", "1 2 x", "'x', which is no number"},
                                               {"low_percentile", "nan", "'nan', which is no number"},
                                               {"high_percentile", "0.5", "percentiles are 1 and 0.5"}}) {
    Container container = sound;
    container.texts[name] = text;
    refused(container, said);
  }
  Container container = sound;
  container.tensors.erase("psf");
  refused(container, "PSF is missing");
  container.tensors["psf"] = {{2, 3, 3}, std::vector<float>(18, 1)};
  refused(container, "[2, 3, 3]; they must be three odd");
  container = sound;
  container.tensors.erase("log_steps");
  refused(container, "'log_steps' is missing");
  container.tensors["log_steps"] = {{5}, std::vector<float>(5)};
  refused(container, "has the extents [5], and not [4]");
  container.tensors["log_steps"] = {{4}, {0, 1, NAN, 1}};
  refused(container, "number 2 of the array 'log_steps' is nan");
  container = sound;
  container.tensors["else"] = {{1}, {0}};
  refused(container, "no array 'else'");
}

TEST(Model, RefusesTextsThatNobodyCouldBeTold) {
  Container container = Drawn("srcnn");
  container.texts["recipe"] = std::string(kMostModelTextBytes, ' ');
  EXPECT_OK(LoadModel(Bytes(WriteContainer(container))).status());
  container.texts["recipe"] += ' ';
  EXPECT_EQ(ReasonOf(LoadModel(Bytes(WriteContainer(container))).status()), v1::LIMIT_EXCEEDED);
}

TEST(Model, RefusesWhatItCannotRestore) {
  const auto model = Load(Drawn("srcnn"));
  const std::vector<float> values(12, 1);
  EXPECT_EQ(ReasonOf(model->Apply(values, {1, 3, 5}, {}).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(model->Apply({}, {0, 3, 4}, {}).status()), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(model->Apply(values, {1, 3, 4}, {0, 0}).status()), v1::INVALID_FIELD);
  std::vector<float> bad = values;
  bad[7] = NAN;
  EXPECT_EQ(ReasonOf(model->Apply(bad, {1, 3, 4}, {}).status()), v1::BAD_OUTPUT);
  EXPECT_EQ(ReasonOf(LoadModel(Bytes(WriteContainer(Drawn("srcnn"))), "tpu").status()), v1::INVALID_FIELD);
}

TEST(Runtime, SaysWhatItIs) {
  EXPECT_TRUE(TheRuntime().available());
  EXPECT_FALSE(TheRuntime().version.empty());
  EXPECT_EQ(TheRuntime().devices.front(), "cpu");
}

}  // namespace
}  // namespace deconvoy::worker::learned
