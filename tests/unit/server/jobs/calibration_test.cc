#include "server/jobs/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <limits>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;

constexpr Shape5 kInput{3, 2, 4, 4, 20};
constexpr Shape3 kCore{4, 4, 4};  // five tiles of each frame

v1::Calibration Curve(const std::vector<double>& scores, const std::string& criterion = "photons", uint32_t c = 0) {
  v1::Calibration curve;
  curve.set_c(c);
  curve.set_parameter("iterations");
  curve.set_criterion(criterion);
  for (size_t i = 0; i < scores.size(); ++i) {
    curve.add_candidates()->set_value(std::to_string(i + 1));
    curve.mutable_candidates(static_cast<int>(i))->set_score(scores[i]);
  }
  return curve;
}

v1::DeconvolveSpec Automatic() {
  v1::DeconvolveSpec spec;
  (*spec.mutable_parameters())["iterations"] = "auto";
  return spec;
}

v1::Calibration ChosenFrom(const std::vector<v1::Calibration>& samples) {
  const auto chosen = Choose(RlMethod(), Automatic(), 1, samples);
  EXPECT_EQ(chosen.size(), 1U);
  return chosen.at(0);
}

TEST(SampleTiles, AreSpreadEvenly) {
  EXPECT_THAT(SampleTiles(1), ElementsAre(0));
  EXPECT_THAT(SampleTiles(2), ElementsAre(0, 1));
  EXPECT_THAT(SampleTiles(3), ElementsAre(0, 1, 2));
  EXPECT_THAT(SampleTiles(5), ElementsAre(0, 2, 4));
  EXPECT_THAT(SampleTiles(1000), ElementsAre(166, 500, 833));
}

TEST(Choose, TheLowestSumWins) {
  const v1::Calibration chosen = ChosenFrom({Curve({5, 1, 3}), Curve({9, 9, 4})});
  EXPECT_EQ(chosen.value(), "3");
  EXPECT_EQ(chosen.criterion(), "photons, 2 tiles");
  ASSERT_EQ(chosen.candidates_size(), 3);
  EXPECT_EQ(chosen.candidates(1).score(), 10);
}

TEST(Choose, OfEqualSumsTheFirst) {
  EXPECT_EQ(ChosenFrom({Curve({2, 1, 1})}).value(), "2");
}

TEST(Choose, TheLastWithinTheSlackOfAMethodThatSettles) {
  v1::Method method = RlMethod();
  method.set_iterations_slack(0.1);
  const auto chosen = [&](const std::vector<double>& scores) {
    return Choose(method, Automatic(), 1, {Curve(scores)}).at(0).value();
  };
  EXPECT_EQ(chosen({100, 50, 0, 4, 10, 11}), "5") << "a tenth of the fall of 100";
  EXPECT_EQ(chosen({100, 0, 20, 9, 30}), "4");
  EXPECT_EQ(chosen({0, 1, 2}), "1") << "no fall";
}

TEST(Choose, TheSlackIsForIterationsAlone) {
  v1::Method method = RlMethod();
  method.set_iterations_slack(0.1);
  v1::Parameter& lambda = *method.add_parameters();
  lambda.set_name("lambda");
  v1::DeconvolveSpec spec;
  (*spec.mutable_parameters())["lambda"] = "auto";
  v1::Calibration curve = Curve({100, 0, 1});
  curve.set_parameter("lambda");
  EXPECT_EQ(Choose(method, spec, 1, {curve}).at(0).value(), "2");
}

TEST(Choose, WhereACurveEndsItsLastScoreStands) {
  const v1::Calibration chosen = ChosenFrom({Curve({1, 2}), Curve({9, 8, 5, 6})});
  ASSERT_EQ(chosen.candidates_size(), 4);
  EXPECT_EQ(chosen.candidates(2).score(), 7);
  EXPECT_EQ(chosen.value(), "3");
}

TEST(Choose, CurvesOfAnotherKindAreLeftOut) {
  const v1::Calibration chosen =
      ChosenFrom({Curve({0, 100}, "voxels"), Curve({2, 1}, "photons"), Curve({2, 1}, "photons")});
  EXPECT_EQ(chosen.value(), "2");
  EXPECT_EQ(chosen.criterion(), "photons, 2 tiles");
}

TEST(Choose, ABlankChannelTakesTheDefault) {
  const auto chosen = Choose(RlMethod(), Automatic(), 2, {Curve({2, 1}, "photons", 1)});
  ASSERT_EQ(chosen.size(), 2U);
  EXPECT_EQ(chosen[0].value(), "10");
  EXPECT_EQ(chosen[1].value(), "2");
}

TEST(Choose, SpectraAreAveraged) {
  v1::Calibration one = Curve({}), other = Curve({});
  for (const double ratio : {1.0, 5.0}) one.add_signal_to_noise(ratio);
  for (const double ratio : {3.0, 6.0}) other.add_signal_to_noise(ratio);
  const v1::Calibration chosen = ChosenFrom({one, other});
  EXPECT_THAT(chosen.signal_to_noise(), ElementsAre(2, 5.5));
  EXPECT_EQ(chosen.value(), "");
}

class CalibrationTest : public ::testing::Test {
 protected:
  std::string Submit() {
    v1::JobSpec spec = service_.Deconvolve(kInput, kCore);
    (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = "auto";
    return service_.Submit(spec);
  }
  // The next task, which has to be a calibration.
  v1::Task TakeCalibration() {
    const std::optional<v1::Task> task = worker_.Take();
    EXPECT_TRUE(task.has_value() && task->has_calibrate());
    return task.value_or(v1::Task());
  }
  void Analyse() { EXPECT_OK(worker_.Deliver(worker_.Take().value())); }

  JobService service_;
  TestWorker worker_{service_, "w"};
};

TEST_F(CalibrationTest, ComesBetweenAnalysisAndTilesAndDecidesForAll) {
  const std::string id = Submit();
  EXPECT_EQ(service_.Get(id).progress().tasks_total(), 1U + 6 + 30);
  Analyse();
  double fraction = 0;
  for (int sample = 0; sample < 6; ++sample) {
    const v1::Task task = TakeCalibration();
    EXPECT_EQ(task.calibrate().tile().spec().parameters().at("iterations"), "auto");
    EXPECT_EQ(task.calibrate().tile().core().t(), 1U);
    EXPECT_EQ(task.calibrate().tile().core().c(), sample / 3U);
    EXPECT_TRUE(task.outputs().empty());
    EXPECT_TRUE(service_.Get(id).calibrations().empty());
    ASSERT_OK(worker_.Deliver(task));
    EXPECT_GT(service_.Get(id).progress().fraction(), fraction);
    fraction = service_.Get(id).progress().fraction();
    EXPECT_LT(fraction, 0.3);
  }
  int tiles = 0;
  while (const std::optional<v1::Task> task = worker_.Take()) {
    ASSERT_TRUE(task->has_tile());
    const uint32_t c = task->tile().core().c();
    EXPECT_EQ(task->tile().spec().parameters().at("iterations"), std::to_string(4 + c));
    ASSERT_EQ(task->tile().calibrations_size(), 1);
    EXPECT_EQ(task->tile().calibrations(0).c(), c);
    ASSERT_OK(worker_.Deliver(*task));
    ++tiles;
  }
  EXPECT_EQ(tiles, 30);
  const v1::Job job = service_.Get(id);
  service_.CheckResult(job);
  EXPECT_EQ(job.spec().deconvolve().parameters().at("iterations"), "auto");
  ASSERT_EQ(job.calibrations_size(), 2);
  EXPECT_EQ(job.calibrations(0).value(), "4");
  EXPECT_EQ(job.calibrations(1).value(), "5");
  EXPECT_EQ(job.calibrations(1).candidates_size(), 9);
  EXPECT_EQ(job.calibrations(1).criterion(), "a test, 3 tiles");
  EXPECT_EQ(job.progress().tasks_done(), 37U);
}

TEST_F(CalibrationTest, NothingIsCalibratedWhereNothingIsAutomatic) {
  const std::string id = service_.Submit(service_.Deconvolve(kInput, kCore));
  Analyse();
  EXPECT_TRUE(worker_.Take().value().has_tile());
  EXPECT_EQ(service_.Get(id).progress().tasks_total(), 31U);
}

TEST_F(CalibrationTest, SurvivesRestartsAndLostLeases) {
  const std::string id = Submit();
  Analyse();
  ASSERT_OK(worker_.Deliver(TakeCalibration()));
  const v1::Task lost = TakeCalibration();
  service_.Reopen();
  EXPECT_FALSE(worker_.Deliver(lost).ok());
  for (int sample = 1; sample < 5; ++sample) ASSERT_OK(worker_.Deliver(TakeCalibration()));
  const v1::Task last = TakeCalibration();
  service_.Advance(absl::Seconds(11));
  EXPECT_FALSE(worker_.Deliver(last).ok());
  ASSERT_OK(worker_.Deliver(TakeCalibration()));
  service_.Reopen();
  EXPECT_EQ(worker_.WorkOff(), 30);
  const v1::Job job = service_.Get(id);
  service_.CheckResult(job);
  ASSERT_EQ(job.calibrations_size(), 2);
  EXPECT_EQ(job.calibrations(0).criterion(), "a test, 3 tiles");
  EXPECT_EQ(job.calibrations(0).candidates(0).score(), 27);
}

TEST_F(CalibrationTest, ChainsOfFramesAreCalibratedOnTheFirst) {
  v1::JobSpec spec = service_.Deconvolve(kInput, kCore, "previous");
  (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = "auto";
  const std::string id = service_.Submit(spec);
  Analyse();
  for (int sample = 0; sample < 6; ++sample) {
    const v1::Task task = TakeCalibration();
    EXPECT_EQ(task.calibrate().tile().core().t(), 0U);
    ASSERT_OK(worker_.Deliver(task));
  }
  EXPECT_EQ(worker_.WorkOff(), 30);
  service_.CheckResult(service_.Get(id));
}

// What becomes of the first sample's result after `edit`.
absl::Status DeliverEdited(void (*edit)(v1::CalibrateResult&)) {
  JobService service;
  TestWorker worker(service, "w");
  v1::JobSpec spec = service.Deconvolve(kInput, kCore);
  (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = "auto";
  service.Submit(spec);
  EXPECT_OK(worker.Deliver(worker.Take().value()));
  const v1::Task task = worker.Take().value();
  v1::TaskResult result;
  *result.mutable_calibrate() = CalibrationOf(task);
  edit(*result.mutable_calibrate());
  return worker.Deliver(task, result, "");
}

TEST(CalibrationResult, OfABlankFrameThereIsNone) {
  EXPECT_OK(DeliverEdited([](v1::CalibrateResult& result) { result.clear_calibrations(); }));
}

TEST(CalibrationResult, WrongOnesAreRefused) {
  EXPECT_OK(DeliverEdited([](v1::CalibrateResult&) {}));
  for (const auto edit : std::initializer_list<void (*)(v1::CalibrateResult&)>{
           [](v1::CalibrateResult& result) { result.mutable_calibrations(0)->set_parameter("initial"); },
           [](v1::CalibrateResult& result) { result.mutable_calibrations(0)->set_c(1); },
           [](v1::CalibrateResult& result) { *result.add_calibrations() = result.calibrations(0); },
           [](v1::CalibrateResult& result) { result.mutable_calibrations(0)->clear_candidates(); },
           [](v1::CalibrateResult& result) {
             result.mutable_calibrations(0)->mutable_candidates(3)->set_score(std::numeric_limits<double>::quiet_NaN());
           },
           [](v1::CalibrateResult& result) { result.mutable_calibrations(0)->add_signal_to_noise(-1); }}) {
    EXPECT_EQ(ReasonOf(DeliverEdited(edit)), v1::INVALID_FIELD);
  }
}

TEST_F(CalibrationTest, SamplesWithOtherValuesAreRefused) {
  Submit();
  Analyse();
  ASSERT_OK(worker_.Deliver(TakeCalibration()));
  const v1::Task task = TakeCalibration();
  v1::TaskResult result;
  *result.mutable_calibrate() = CalibrationOf(task);
  result.mutable_calibrate()->mutable_calibrations(0)->mutable_candidates(0)->set_value("7");
  EXPECT_EQ(ReasonOf(worker_.Deliver(task, result, "")), v1::INVALID_FIELD);
}

}  // namespace
}  // namespace deconvoy::server
