// Training: it learns, goes on where it was interrupted as if it had not been, and refuses what cannot work.
#include "worker/learned/training.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/imaging/specimen.h"
#include "worker/learned/container.h"
#include "worker/learned/network.h"
#include "worker/learned/quality.h"

namespace deconvoy::worker::learned {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> Bytes(const std::string& text) {
  return std::as_bytes(std::span(text));
}

class Counting final : public TrainingObserver {
 public:
  absl::Status Stepped(int64_t step, int64_t /*steps*/) override {
    ++calls;
    return step == cancelled_at ? absl::CancelledError("enough") : absl::OkStatus();
  }
  absl::Status GoOn() override {
    return ++asked == cancelled_when_asked ? absl::CancelledError("enough") : absl::OkStatus();
  }
  int64_t calls = 0, asked = 0;
  int64_t cancelled_at = -1, cancelled_when_asked = -1;
};

// A PSF that spreads light over a few voxels, more along z.
PreparedPsf Psf() {
  PreparedPsf psf{{}, {7, 5, 5}, {3, 2, 2}};
  float sum = 0;
  for (int64_t z = -3; z <= 3; ++z) {
    for (int64_t y = -2; y <= 2; ++y) {
      for (int64_t x = -2; x <= 2; ++x) {
        const auto r = static_cast<float>(z * z) / 4 + static_cast<float>(y * y + x * x) / 1.5F;
        psf.values.push_back(std::exp(-r));
        sum += psf.values.back();
      }
    }
  }
  for (float& value : psf.values) value /= sum;
  return psf;
}

Recipe Small() {
  Recipe recipe;
  recipe.psf = Psf();
  recipe.network = "ddn";
  recipe.patch = {16, 16, 16};
  recipe.specimens = 4;
  recipe.validation = 2;
  recipe.steps = 12;
  recipe.background = 2;
  recipe.seed = testing::Seed();
  return recipe;
}

class Training : public ::testing::Test {
 protected:
  void SetUp() override { SetThreads(1); }

  absl::StatusOr<TrainedPart> Part(const Recipe& recipe, const std::string& state, int64_t last) {
    return TrainPart(recipe, Bytes(state), last, *backend_, counting_);
  }

  std::unique_ptr<Backend> backend_ = MakeCpuBackend({.threads = 1, .wisdom_folder = {}});
  Counting counting_;
};

TEST_F(Training, IsTheSameInOneGoAndInParts) {
  const Recipe recipe = Small();
  ASSERT_OK_AND_ASSIGN(const TrainedPart six, Part(recipe, "", 6));
  ASSERT_OK_AND_ASSIGN(const TrainedPart twelve, Part(recipe, six.state, 12));
  EXPECT_EQ(counting_.calls, 12);
  // Computed again from the same state, and from the beginning.
  ASSERT_OK_AND_ASSIGN(const TrainedPart six_again, Part(recipe, "", 6));
  EXPECT_EQ(six_again.state, six.state);
  ASSERT_OK_AND_ASSIGN(const TrainedPart twelve_again, Part(recipe, six_again.state, 12));
  EXPECT_EQ(twelve_again.state, twelve.state);
  EXPECT_EQ(twelve.point.step, 12);
  EXPECT_TRUE(twelve.ended);
  EXPECT_FALSE(six.ended);
  // In one go the weights are the same; only the validation in between is missing.
  ASSERT_OK_AND_ASSIGN(const TrainedPart whole, Part(recipe, "", 12));
  ASSERT_OK_AND_ASSIGN(const Container parts, ReadContainer(Bytes(twelve.state)));
  ASSERT_OK_AND_ASSIGN(const Container once, ReadContainer(Bytes(whole.state)));
  for (const auto& [name, tensor] : parts.tensors) {
    if (name.starts_with("best.")) continue;
    EXPECT_EQ(tensor.values, once.tensors.at(name).values) << name;
  }
  EXPECT_EQ(whole.point.validation, twelve.point.validation);
}

TEST_F(Training, FollowsItsSeed) {
  Recipe recipe = Small();
  ASSERT_OK_AND_ASSIGN(const TrainedPart one, Part(recipe, "", 2));
  ++recipe.seed;
  ASSERT_OK_AND_ASSIGN(const TrainedPart other, Part(recipe, "", 2));
  EXPECT_NE(one.point.training, other.point.training);
}

TEST_F(Training, RefusesTheStateOfAnotherRecipe) {
  Recipe recipe = Small();
  ASSERT_OK_AND_ASSIGN(const TrainedPart part, Part(recipe, "", 1));
  recipe.learning_rate /= 2;
  const auto other = Part(recipe, part.state, 2);
  EXPECT_EQ(ReasonOf(other.status()), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(other.status().message()), HasSubstr("another recipe"));
  EXPECT_EQ(ReasonOf(Part(Small(), part.state.substr(0, 1000), 2).status()), v1::INVALID_FIELD);
  ASSERT_OK_AND_ASSIGN(Container container, ReadContainer(Bytes(part.state)));
  container.texts["progress"] = "{\"step\":[]}";
  EXPECT_THAT(std::string(Part(Small(), WriteContainer(container), 2).status().message()), HasSubstr("progress"));
}

TEST_F(Training, CanBeCancelled) {
  counting_.cancelled_at = 3;
  EXPECT_TRUE(absl::IsCancelled(Part(Small(), "", 12).status()));
  EXPECT_EQ(counting_.calls, 3);
}

TEST_F(Training, CanBeCancelledWhileAnExampleIsMade) {
  Recipe recipe = Small();
  recipe.source = Source::kMethod;
  recipe.method = "rl";
  recipe.method_parameters = {{"iterations", "10"}, {"acceleration", "none"}};
  counting_.cancelled_when_asked = 5;  // among the iterations for the first example
  EXPECT_TRUE(absl::IsCancelled(Part(recipe, "", 12).status()));
  EXPECT_EQ(counting_.asked, 5);
  EXPECT_EQ(counting_.calls, 0);
}

TEST_F(Training, CanBeCancelledWhileItIsJudged) {
  ASSERT_OK_AND_ASSIGN(const TrainedPart part, Part(Small(), "", 2));
  counting_.asked = 0;
  counting_.cancelled_when_asked = 20;
  const auto finished = FinishTraining(Small(), Bytes(part.state), 4, *backend_, counting_);
  EXPECT_TRUE(absl::IsCancelled(finished.status())) << finished.status();
  EXPECT_EQ(counting_.asked, 20);
}

TEST_F(Training, EndsWhenNothingGetsBetter) {
  Recipe recipe = Small();
  recipe.patience = 1;
  recipe.learning_rate = 0.1;  // far too much
  recipe.steps = 1000;
  std::string state;
  int64_t parts = 0;
  for (bool ended = false; !ended && parts < 30; ++parts) {
    ASSERT_OK_AND_ASSIGN(const TrainedPart part, Part(recipe, state, 2 * (parts + 1)));
    state = part.state;
    ended = part.ended;
  }
  EXPECT_LT(parts, 30);
}

// Whatever the source, the loss of the validation falls, and the model's file can be loaded and applied.
struct Case {
  std::string name;
  std::function<void(Recipe&)> change;
};

class EverySource : public Training, public ::testing::WithParamInterface<Case> {};

std::vector<GivenImage> Given(bool pairs) {
  const Shape3 shape{20, 24, 40};
  std::vector<float> truth = DrawSpecimen({.shape = shape, .seed = 3});
  for (float& value : truth) value *= 50;
  std::vector<float> image = truth;
  for (size_t i = 1; i + 1 < image.size(); ++i) image[i] = (truth[i - 1] + truth[i] + truth[i + 1]) / 3 + 1;
  return {{shape, image, pairs ? truth : std::vector<float>()}};
}

TEST_P(EverySource, LearnsFromIt) {
  Recipe recipe = Small();
  recipe.steps = 40;
  recipe.learning_rate = 5e-3;
  GetParam().change(recipe);
  ASSERT_OK(CheckRecipe(recipe));
  ASSERT_OK_AND_ASSIGN(const TrainedPart first, Part(recipe, "", 1));
  ASSERT_OK_AND_ASSIGN(const TrainedPart last, Part(recipe, first.state, recipe.steps));
  EXPECT_LT(last.point.validation, first.point.validation) << last.best_step;
  ASSERT_OK_AND_ASSIGN(const TrainedModel trained, FinishTraining(recipe, Bytes(last.state), 1, *backend_, counting_));
  EXPECT_EQ(trained.curve.size(), 2U);
  EXPECT_EQ(trained.best_step, last.best_step);
  ASSERT_OK_AND_ASSIGN(const auto model, LoadModel(Bytes(trained.file)));
  EXPECT_EQ(model->facts().network, recipe.network);
  EXPECT_EQ(model->facts().psf_digest, recipe.psf.values.empty() ? "" : PsfDigest(recipe.psf));
  const std::vector<float> box(64, 5);
  EXPECT_OK(model->Apply(box, {4, 4, 4}, {1, 10}, 1));
  EXPECT_EQ(trained.quality.empty(), recipe.source == Source::kPairs || !recipe.images.empty());
  for (const Quality& quality : trained.quality) {
    EXPECT_TRUE(std::isfinite(quality.nrmse) && std::isfinite(quality.ncc));
    EXPECT_GT(quality.raw_nrmse, 0);
    EXPECT_EQ(quality.rl_nrmse > 0, recipe.source != Source::kDenoise);
  }
}

INSTANTIATE_TEST_SUITE_P(Sources, EverySource,
                         ::testing::Values(Case{"Truth", [](Recipe&) {}},
                                           Case{"Probabilistic", [](Recipe& r) { r.head = Head::kProbabilistic; }},
                                           Case{"Unrolled", [](Recipe& r) { r.network = "unrolled-ista"; }},
                                           Case{"Rln", [](Recipe& r) { r.network = "rln"; }},
                                           Case{"Method",
                                                [](Recipe& r) {
                                                  r.source = Source::kMethod;
                                                  r.method = "rl";
                                                  r.method_parameters = {{"iterations", "5"}};
                                                }},
                                           Case{"OneShotMethod",
                                                [](Recipe& r) {
                                                  r.source = Source::kMethod;
                                                  r.method = "tikhonov";
                                                }},
                                           Case{"Denoise",
                                                [](Recipe& r) {
                                                  r.source = Source::kDenoise;
                                                  r.network = "dncnn3d";
                                                  r.psf = {};
                                                }},
                                           Case{"Pairs",
                                                [](Recipe& r) {
                                                  r.source = Source::kPairs;
                                                  r.images = Given(true);
                                                  r.psf = {};
                                                }},
                                           Case{"BlindSpot", [](Recipe& r) { r.source = Source::kBlindSpot; }},
                                           Case{"BlindSpotOfGiven",
                                                [](Recipe& r) {
                                                  r.source = Source::kBlindSpot;
                                                  r.images = Given(false);
                                                }},
                                           Case{"Degradation", [](Recipe& r) { r.source = Source::kDegradation; }},
                                           Case{"DegradationOfGiven",
                                                [](Recipe& r) {
                                                  r.source = Source::kDegradation;
                                                  r.images = Given(false);
                                                }},
                                           Case{"Slices",
                                                [](Recipe& r) {
                                                  r.source = Source::kDegradation;
                                                  r.network = "isonet1";
                                                  r.learning_rate = 2e-3;
                                                }},
                                           Case{"ProbabilisticSlices",
                                                [](Recipe& r) {
                                                  r.source = Source::kDegradation;
                                                  r.network = "isonet1";
                                                  r.learning_rate = 2e-3;
                                                  r.head = Head::kProbabilistic;
                                                }},
                                           Case{"SlicesOfGiven",
                                                [](Recipe& r) {
                                                  r.source = Source::kDegradation;
                                                  r.network = "isonet2";
                                                  r.learning_rate = 2e-3;
                                                  r.images = Given(false);
                                                }}),
                         [](const auto& test) { return test.param.name; });

TEST_F(Training, TellsItsQuality) {
  Recipe recipe = Small();
  recipe.kinds = {v1::FILAMENTS, v1::BEADS};
  recipe.held_out = {v1::SHELLS};
  recipe.patch = {24, 32, 32};
  recipe.peak_photons_low = 500;
  ASSERT_OK_AND_ASSIGN(const TrainedPart part, Part(recipe, "", 2));
  ASSERT_OK_AND_ASSIGN(const TrainedModel trained, FinishTraining(recipe, Bytes(part.state), 2, *backend_, counting_));
  ASSERT_EQ(trained.quality.size(), 3U);
  for (const Quality& quality : trained.quality) {
    EXPECT_GT(quality.raw_ncc, 0.1);
    EXPECT_GT(quality.rl_ncc, quality.raw_ncc);
    EXPECT_LT(quality.rl_nrmse, quality.raw_nrmse);
  }
  EXPECT_GT(trained.patches.threshold, 0);
  EXPECT_EQ(trained.quality[1].kind, v1::BEADS);
  EXPECT_FALSE(trained.quality[1].held_out);
  EXPECT_EQ(trained.quality[2].kind, v1::SHELLS);
  EXPECT_TRUE(trained.quality[2].held_out);
}

// Takes the background off, and remembers what it was given.
class Subtracting final : public Model {
 public:
  explicit Subtracting(double background) : background_(static_cast<float>(background)) { kind_.step = 2; }
  const ModelFacts& facts() const override { return facts_; }
  const NetworkKind& kind() const override { return kind_; }
  Shape3 halo() const override { return {1, 1, 1}; }
  int64_t MemoryBytes(const Shape3& /*box*/) const override { return 0; }
  absl::StatusOr<Estimate> Apply(std::span<const float> values, const Shape3& box, const Scale& /*scale*/,
                                 float /*noise*/) const override {
    seen = box;
    Estimate estimate{{values.begin(), values.end()}, {}};
    for (float& value : estimate.value) value -= background_;
    return estimate;
  }

  mutable Shape3 seen;

 private:
  const float background_;
  ModelFacts facts_;
  NetworkKind kind_;
};

TEST_F(Training, IsJudgedOnWhatReachesThePatch) {
  Recipe recipe = Small();
  recipe.kinds = {v1::FILAMENTS};
  recipe.held_out = {};
  const Subtracting model(recipe.background);
  ASSERT_OK_AND_ASSIGN(const std::vector<Quality> judged, Judge(model, recipe, 2, *backend_, counting_));
  // The patch lies at 3, 2, 2 of an image of 22 x 20 x 20.
  EXPECT_EQ(model.seen, (Shape3{18, 19, 19}));
  ASSERT_EQ(judged.size(), 1U);
  EXPECT_EQ(judged[0].nrmse, judged[0].raw_nrmse);
  EXPECT_EQ(judged[0].ncc, judged[0].raw_ncc);
}

TEST(Quality, IsOfValuesAsTheyAre) {
  const std::vector<float> truth{1, 2, 3, 4}, twice{2, 4, 6, 8}, flat(4, 1.0F);
  EXPECT_NEAR(NrmseOf(truth, truth), 0, 1e-12);
  EXPECT_NEAR(NrmseOf(twice, truth), 1, 1e-12);
  EXPECT_NEAR(NccOf(twice, truth), 1, 1e-12);
  EXPECT_EQ(NccOf(flat, truth), 0);
}

TEST(CheckRecipe, RefusesWhatCannotWork) {
  const auto refused = [](const std::function<void(Recipe&)>& change, const std::string& field,
                          const std::string& said) {
    Recipe recipe = Small();
    change(recipe);
    const absl::Status status = CheckRecipe(recipe);
    EXPECT_EQ(InfoOf(status).field(), field) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(said));
    EXPECT_FALSE(InfoOf(status).remedy().empty());
  };
  EXPECT_OK(CheckRecipe(Small()));
  refused([](Recipe& r) { r.network = "rnl"; }, "train_model.network", "'rnl'");
  refused([](Recipe& r) { r.network = "rln", r.patch.y = 15; }, "train_model.patch", "16 x 15 x 16");
  refused([](Recipe& r) { r.patch.z = 0; }, "train_model.patch", "0 x 16 x 16");
  refused([](Recipe& r) { r.network = "dncnn3d"; }, "train_model.target", "cannot be trained on truth");
  refused([](Recipe& r) { r.source = Source::kDenoise; }, "train_model.target", "ddn cannot be trained on denoise");
  refused([](Recipe& r) { r.network = "unrolled-admm", r.head = Head::kProbabilistic; }, "train_model.head", "no prob");
  refused([](Recipe& r) { r.source = Source::kBlindSpot, r.head = Head::kProbabilistic; }, "train_model.head",
          "hidden voxels");
  refused([](Recipe& r) { r.psf = {}; }, "train_model.psf_volume", "needs a PSF");
  refused([](Recipe& r) { r.psf.centre.x = 5; }, "train_model.psf_volume", "needs a PSF");
  refused([](Recipe& r) { r.source = Source::kMethod, r.method = "blind-rl"; }, "train_model.method", "'blind-rl'");
  refused(
      [](Recipe& r) {
        r.source = Source::kMethod, r.method = "rl", r.method_parameters = {{"iterations", "auto"}};
      },
      "train_model.parameters[\"iterations\"]", "automatic");
  refused([](Recipe& r) { r.source = Source::kPairs; }, "train_model.input_volumes", "no pairs");
  refused([](Recipe& r) { r.images = Given(false); }, "train_model.input_volumes", "draws its own");
  refused([](Recipe& r) { r.source = Source::kPairs, r.images = Given(false); }, "train_model.input_volumes[0]",
          "image 0");
  refused([](Recipe& r) { r.source = Source::kBlindSpot, r.images = Given(false), r.patch.z = 24; },
          "train_model.input_volumes[0]", "image 0");
  refused([](Recipe& r) { r.peak_photons_low = 0; }, "train_model.least_photons", "is 0");
  refused([](Recipe& r) { r.learning_rate = std::nan(""); }, "train_model.learning_rate", "nan");
  refused([](Recipe& r) { r.steps = 0; }, "train_model.steps", "is 0");
  refused([](Recipe& r) { r.kinds = {}; }, "train_model.kinds", "no kinds");
  refused([](Recipe& r) { r.held_out = {v1::MIXED}; }, "train_model.held_out", "MIXED is both");
  refused(
      [](Recipe& r) {
        r.held_out = {v1::FILAMENTS, v1::SHELLS, v1::BEADS, v1::POINTS, v1::NUCLEI};
      },
      "train_model.held_out", "nothing is left");
  refused([](Recipe& r) { r.device = "tpu"; }, "train_model.device", "'tpu'");
}

}  // namespace
}  // namespace deconvoy::worker::learned
