// Trainings: their parts, what becomes of their states, and how they end.
#include "proto/contract/model_spec.h"
#include "server/jobs/training_outcome.h"
#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

class TrainingTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_OK(worker_.Register()); }
  // The next task, which must be there.
  v1::Task Next() {
    std::optional<v1::Task> task = worker_.Take();
    EXPECT_TRUE(task.has_value());
    return task ? *std::move(task) : v1::Task();
  }

  ModelService service_;
  NetworkWorker worker_{service_, "w"};
};

TEST_F(TrainingTest, EachPartGoesOnFromTheStateOfTheOneBefore) {
  const std::string job = service_.Submit(service_.Train(10, 3));
  std::string states;
  const std::vector<std::pair<uint32_t, uint32_t>> steps = {{0, 3}, {3, 6}, {6, 10}};
  for (uint32_t part = 0; part < 3; ++part) {
    const v1::Task task = Next();
    ASSERT_TRUE(task.has_train()) << task.ShortDebugString();
    EXPECT_EQ(task.train().part(), part);
    EXPECT_EQ(task.train().first_step(), steps[part].first);
    EXPECT_EQ(task.train().last_step(), steps[part].second);
    ASSERT_EQ(task.outputs_size(), 1);
    EXPECT_EQ(ToFrameBox(task.outputs(0).box()).t, part);
    if (part == 0) states = task.outputs(0).volume();
    EXPECT_EQ(task.outputs(0).volume(), states);
    EXPECT_EQ(task.train().state_volume(), part == 0 ? "" : states);
    ASSERT_EQ(task.inputs_size(), part == 0 ? 1 : 2) << "the PSF, and the state before";
    EXPECT_EQ(service_.Get(job).progress().activity(), fmt::format("train, part {} of 3", part + 1));
    EXPECT_FALSE(worker_.Take()) << "parts follow one another";
    ASSERT_OK(worker_.FinishPart(task, 1.0 / (part + 1)));
    EXPECT_DOUBLE_EQ(service_.Get(job).progress().fraction(), (part + 1) / 4.0) << "of three parts and the end";
  }
  const v1::Task last = Next();
  ASSERT_TRUE(last.has_finish_training());
  EXPECT_EQ(last.finish_training().part(), 2U);
  EXPECT_EQ(last.finish_training().state_volume(), states);
  ASSERT_EQ(last.outputs_size(), 1);
  EXPECT_NE(last.outputs(0).volume(), states);
  ASSERT_OK(worker_.FinishTraining(last));

  const v1::Job ended = service_.Get(job);
  ASSERT_EQ(ended.state(), v1::SUCCEEDED) << ended.ShortDebugString();
  EXPECT_EQ(ended.progress().tasks_done(), 4U);
  EXPECT_EQ(ended.progress().fraction(), 1);
  ASSERT_EQ(ended.outputs_size(), 1) << "the states have gone";
  EXPECT_EQ(ended.outputs(0).role(), "model");
  EXPECT_EQ(ReasonOf(service_.store().GetVolume(VolumeId(states, "").value()).status()), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const v1::Volume made,
                       service_.volumes().Get(VolumeId(ended.outputs(0).volume(), "").value(), false));
  EXPECT_EQ(made.state(), v1::COMPLETE);
  EXPECT_EQ(ended.model().network(), "rln");
  ASSERT_EQ(ended.model().training().points_size(), 3);
  EXPECT_EQ(ended.model().training().points(2).held_back_loss(), 2.0 / 3);
  EXPECT_EQ(ended.model().training().best_step(), 10U);
  EXPECT_FALSE(ended.model().training().ended_early());
}

TEST_F(TrainingTest, APartOfAKilledWorkerIsDoneByAnotherFromTheSameState) {
  const std::string job = service_.Submit(service_.Train(10, 3));
  ASSERT_OK(worker_.FinishPart(Next(), 1));
  const v1::Task lost = Next();
  service_.Reopen();
  NetworkWorker other(service_, "other");
  ASSERT_OK(other.Register());
  const std::optional<v1::Task> again = other.Take();
  ASSERT_TRUE(again && again->has_train());
  EXPECT_EQ(again->name(), lost.name());
  EXPECT_GT(again->token(), lost.token());
  EXPECT_EQ(again->train().SerializeAsString(), lost.train().SerializeAsString());
  EXPECT_EQ(ReasonOf(worker_.FinishPart(lost, 5)), v1::STALE_LEASE);
  ASSERT_OK(other.FinishPart(*again, 0.5));
  const v1::Job so_far = service_.Get(job);
  ASSERT_EQ(so_far.training().points_size(), 2);
  EXPECT_EQ(so_far.training().points(1).loss(), 0.5);
}

TEST_F(TrainingTest, EndsEarlyWhereNothingIsToBeGained) {
  const std::string job = service_.Submit(service_.Train(100, 20));
  EXPECT_EQ(service_.Get(job).progress().tasks_total(), 21U);
  ASSERT_OK(worker_.FinishPart(Next(), 1));
  ASSERT_OK(worker_.FinishPart(Next(), 1, /*ended=*/true));
  const v1::Task last = Next();
  ASSERT_TRUE(last.has_finish_training());
  EXPECT_EQ(last.finish_training().part(), 1U);
  EXPECT_EQ(service_.Get(job).progress().tasks_total(), 3U);
  ASSERT_OK(worker_.FinishTraining(last));
  const v1::Job ended = service_.Get(job);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED);
  EXPECT_TRUE(ended.model().training().ended_early());
  EXPECT_EQ(ended.progress().fraction(), 1);
}

TEST_F(TrainingTest, LeavesNothingWhenItIsCancelled) {
  const size_t before = service_.CountVolumes();
  const std::string job = service_.Submit(service_.Train());
  ASSERT_OK(worker_.FinishPart(Next(), 1));
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, job).status());
  EXPECT_EQ(service_.CountVolumes(), before + 1) << "the PSF alone";
  EXPECT_TRUE(service_.Get(job).outputs().empty());
}

// A result that cannot be ends the lease, so that each case is a job of its own.
TEST_F(TrainingTest, ResultsThatCannotBeAreRefused) {
  const auto task = [this] {
    service_.Submit(service_.Train(10, 2));
    return Next();
  };
  EXPECT_EQ(ReasonOf(worker_.FinishPart(task(), std::numeric_limits<double>::quiet_NaN())), v1::INVALID_FIELD);
  for (const uint32_t step : {0U, 6U}) {
    v1::TaskResult result;
    result.mutable_train()->mutable_point()->set_step(step);
    EXPECT_EQ(ReasonOf(worker_.Finish(task(), result)), v1::INVALID_FIELD) << step;
  }
  EXPECT_EQ(ReasonOf(worker_.FinishTraining(task())), v1::INVALID_FIELD) << "of another kind";
}

TEST_F(TrainingTest, FactsThatPlansCouldNotUseAreRefused) {
  const auto expect_refused = [this](const std::function<void(v1::ModelFacts&)>& spoil) {
    service_.Submit(service_.Check());
    v1::ModelFacts facts = FactsOf();
    spoil(facts);
    EXPECT_EQ(ReasonOf(worker_.FinishCheck(Next(), facts)), v1::INVALID_FIELD) << facts.ShortDebugString();
  };
  expect_refused([](v1::ModelFacts& facts) { facts.set_digest("short"); });
  expect_refused([](v1::ModelFacts& facts) { facts.set_size_bytes(0); });
  expect_refused([](v1::ModelFacts& facts) { facts.set_size_bytes(uint64_t{1} << 40); });
  expect_refused([](v1::ModelFacts& facts) { facts.clear_network(); });
  expect_refused([](v1::ModelFacts& facts) { facts.mutable_halo()->set_z(-1); });
  expect_refused([](v1::ModelFacts& facts) { facts.mutable_multiple()->set_x(0); });
  expect_refused([](v1::ModelFacts& facts) { facts.mutable_patches()->add_mean(1); });
  expect_refused([](v1::ModelFacts& facts) { facts.set_bytes_per_voxel(std::numeric_limits<double>::infinity()); });
  expect_refused([](v1::ModelFacts& facts) { facts.clear_format(); });
  expect_refused([](v1::ModelFacts& facts) { facts.set_descriptor_text("{}"); });
  expect_refused([](v1::ModelFacts& facts) { facts.set_recipe(std::string(kMostModelTextBytes + 1, ' ')); });
}

v1::ModelFacts FactsOfProgram() {
  v1::ModelFacts facts = FactsOf("torchscript");
  facts.set_format(v1::TORCHSCRIPT);
  facts.set_descriptor_text("{}");
  return facts;
}

TEST_F(TrainingTest, NoFileBecomesAProgramByItsFacts) {
  service_.Submit(service_.Check());
  EXPECT_EQ(ReasonOf(worker_.FinishCheck(Next(), FactsOfProgram())), v1::INVALID_FIELD);
}

TEST_F(TrainingTest, NoTrainingYieldsAProgram) {
  service_.Submit(service_.Train(10, 1));
  ASSERT_OK(worker_.FinishPart(Next(), 1));
  const v1::Task last = Next();
  ASSERT_TRUE(last.has_finish_training());
  EXPECT_EQ(ReasonOf(worker_.FinishTraining(last, FactsOfProgram())), v1::INVALID_FIELD);
}

TEST_F(TrainingTest, ACheckTellsWhatTheFileIs) {
  const std::string job = service_.Submit(service_.Check());
  const v1::Task task = Next();
  ASSERT_TRUE(task.has_check_model());
  EXPECT_EQ(service_.Get(job).progress().activity(), "check the model");
  ASSERT_OK(worker_.FinishCheck(task));
  const v1::Job ended = service_.Get(job);
  EXPECT_EQ(ended.state(), v1::SUCCEEDED);
  EXPECT_EQ(ended.model().parameters(), 16'000U);
}

}  // namespace
}  // namespace deconvoy::server
