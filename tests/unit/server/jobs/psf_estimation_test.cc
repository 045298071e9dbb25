#include "server/jobs/psf_estimation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

constexpr Shape5 kInput{3, 2, 4, 4, 20};
constexpr Shape3 kCore{4, 4, 4};  // five tiles of each frame

v1::Method BlindMethod() {
  v1::Method method = RlMethod();
  method.set_name("blind-rl");
  method.set_estimates_psf(true);
  for (const char* name : {"rounds", "image_steps", "psf_steps"}) {
    *method.add_parameters() = MakeParameter(name, v1::INTEGER, "3");
  }
  return method;
}

class PsfEstimationTest : public ::testing::Test {
 protected:
  PsfEstimationTest() {
    service_.capabilities().AddMethods({BlindMethod()});
    *worker_.registration.add_methods() = BlindMethod();
  }

  v1::JobSpec Spec(const std::string& iterations = "10") {
    v1::JobSpec spec = service_.Deconvolve(kInput, kCore);
    spec.mutable_deconvolve()->set_method("blind-rl");
    (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = iterations;
    return spec;
  }
  void Analyse() { ASSERT_OK(worker_.Deliver(worker_.Take().value())); }
  // The next task, which has to estimate a PSF.
  v1::Task TakeEstimate() {
    const std::optional<v1::Task> task = worker_.Take();
    EXPECT_TRUE(task.has_value() && task->has_estimate_psf());
    return task.value_or(v1::Task());
  }
  // What the job says of the PSF of a channel.
  static double SpreadOf(const v1::Task& task) { return task.tile().psfs(0).spread_z(); }

  JobService service_;
  TestWorker worker_{service_, "w"};
};

TEST_F(PsfEstimationTest, ComesAfterTheAnalysisAndGivesAllTilesOfAChannelTheSamePsf) {
  const std::string id = service_.Submit(Spec());
  ASSERT_EQ(service_.Get(id).outputs_size(), 2);
  const std::string psf_volume = service_.Get(id).outputs(1).volume();
  EXPECT_EQ(service_.Get(id).outputs(1).role(), "psf");
  EXPECT_EQ(service_.Get(id).progress().tasks_total(), 1U + 2 + 30);
  Analyse();
  EXPECT_EQ(service_.Get(id).progress().tasks_total(), 1U + 2 + 30);
  for (uint32_t c = 0; c < 2; ++c) {
    const v1::Task task = TakeEstimate();
    const v1::TileTask& tile = task.estimate_psf().tile();
    EXPECT_EQ(tile.core().t(), 1U);
    EXPECT_EQ(tile.core().c(), c);
    EXPECT_EQ(tile.core().x(), 8U) << "the third of five tiles";
    EXPECT_EQ(tile.psf_volume(), tile.spec().psf_volume());
    ASSERT_EQ(task.outputs_size(), 1);
    EXPECT_EQ(task.outputs(0).volume(), psf_volume);
    EXPECT_EQ(task.outputs(0).type(), v1::F32);
    EXPECT_EQ(task.outputs(0).box().t(), 0U);
    EXPECT_EQ(task.outputs(0).box().c(), c);
    EXPECT_EQ(service_.Get(id).psf_estimates_size(), 0);
    ASSERT_OK(worker_.Deliver(task));
  }
  int tiles = 0;
  for (; const std::optional<v1::Task> task = worker_.Take(); ++tiles) {
    ASSERT_TRUE(task->has_tile());
    const uint32_t c = task->tile().core().c();
    ASSERT_EQ(task->tile().psfs_size(), 1);
    EXPECT_EQ(task->tile().psfs(0).c(), c);
    EXPECT_EQ(SpreadOf(*task), EstimateOf(c).spread_z());
    EXPECT_EQ(task->tile().psf_volume(), psf_volume);
    EXPECT_EQ(task->outputs_size(), 1);
    ASSERT_OK(worker_.Deliver(*task));
  }
  EXPECT_EQ(tiles, 30);
  const v1::Job job = service_.Get(id);
  service_.CheckResult(job);
  EXPECT_EQ(service_.volumes().Get(VolumeId(psf_volume, "").value(), false)->state(), v1::COMPLETE);
  ASSERT_EQ(job.psf_estimates_size(), 2);
  EXPECT_EQ(job.psf_estimates(1).c(), 1U);
  EXPECT_EQ(job.psf_estimates(1).objective_size(), 3);
  EXPECT_THAT(job.findings(job.findings_size() - 1).message(), HasSubstr("estimated"));
}

TEST_F(PsfEstimationTest, OneChannelMayBeDoneBeforeTheOther) {
  service_.Submit(Spec());
  Analyse();
  const v1::Task first = TakeEstimate();
  TestWorker other(service_, "other");
  *other.registration.add_methods() = BlindMethod();
  ASSERT_OK(other.Deliver(other.Take().value()));
  EXPECT_FALSE(other.Take().has_value()) << "tiles wait for both";
  ASSERT_OK(worker_.Deliver(first));
  EXPECT_EQ(SpreadOf(worker_.Take().value()), EstimateOf(0).spread_z());
}

TEST_F(PsfEstimationTest, ParametersAreFoundWithTheEstimate) {
  const std::string id = service_.Submit(Spec("auto"));
  EXPECT_EQ(service_.Get(id).progress().tasks_total(), 1U + 2 + 6 + 30);
  Analyse();
  for (int c = 0; c < 2; ++c) ASSERT_OK(worker_.Deliver(TakeEstimate()));
  for (int sample = 0; sample < 6; ++sample) {
    const v1::Task task = worker_.Take().value();
    ASSERT_TRUE(task.has_calibrate());
    EXPECT_EQ(service_.Get(id).progress().activity(), "calibrate on sample " + std::to_string(sample + 1) + " of 6");
    EXPECT_EQ(task.calibrate().tile().psf_volume(), service_.Get(id).outputs(1).volume());
    ASSERT_OK(worker_.Deliver(task));
  }
  EXPECT_EQ(worker_.WorkOff(), 30);
  service_.CheckResult(service_.Get(id));
}

TEST_F(PsfEstimationTest, SurvivesRestartsAndLostLeases) {
  const std::string id = service_.Submit(Spec());
  Analyse();
  ASSERT_OK(worker_.Deliver(TakeEstimate()));
  const v1::Task lost = TakeEstimate();
  service_.Reopen();
  EXPECT_FALSE(worker_.Deliver(lost).ok());
  const v1::Task late = TakeEstimate();
  service_.Advance(absl::Seconds(11));
  EXPECT_FALSE(worker_.Deliver(late).ok());
  ASSERT_OK(worker_.Deliver(TakeEstimate()));
  service_.Reopen();
  EXPECT_EQ(worker_.WorkOff(), 30);
  const v1::Job job = service_.Get(id);
  service_.CheckResult(job);
  EXPECT_EQ(job.psf_estimates_size(), 2);
}

TEST_F(PsfEstimationTest, ACancelledJobLeavesNoPsf) {
  const std::string id = service_.Submit(Spec());
  const size_t before = service_.CountVolumes();
  Analyse();
  ASSERT_OK(worker_.Deliver(TakeEstimate()));
  const v1::Task running = TakeEstimate();
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, id).status());
  EXPECT_FALSE(worker_.Continue(running));
  EXPECT_EQ(service_.CountVolumes(), before - 2);
}

TEST_F(PsfEstimationTest, TakesNoPsfsOfSeveralDepths) {
  v1::JobSpec spec = Spec();
  spec.mutable_deconvolve()->add_psf_depths_um(0);
  const absl::Status status = service_.TrySubmit(spec).status();
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_THAT(std::string(status.message()), HasSubstr("one PSF for all depths"));
}

TEST_F(PsfEstimationTest, CountsAsWork) {
  TestWorker worker(service_, "rated");
  ASSERT_OK(worker.Register());
  v1::JobSpec spec = Spec();
  const auto seconds = [&] {
    const auto report = service_.jobs().Preflight(JobService::kOwner, spec);
    EXPECT_OK(report.status());
    return report->compute_seconds();
  };
  const double three = seconds();
  (*spec.mutable_deconvolve()->mutable_parameters())["rounds"] = "6";
  const double six = seconds();
  (*spec.mutable_deconvolve()->mutable_parameters())["rounds"] = "9";
  EXPECT_GT(six, three);
  EXPECT_NEAR(seconds() - six, six - three, 1e-9 * six);
}

using Edit = void (*)(v1::PsfEstimate&);

class EstimateDelivery : public PsfEstimationTest, public ::testing::WithParamInterface<Edit> {
 protected:
  v1::ErrorReason Deliver(Edit edit) {
    service_.Submit(Spec());
    Analyse();
    const v1::Task task = TakeEstimate();
    std::string bytes;
    v1::TaskResult result = ResultOf(task, &bytes);
    edit(*result.mutable_estimate_psf()->mutable_estimate());
    return ReasonOf(worker_.Deliver(task, result, bytes));
  }
};

TEST_P(EstimateDelivery, WrongOnesAreRefused) {
  EXPECT_EQ(Deliver(GetParam()), v1::INVALID_FIELD);
}

INSTANTIATE_TEST_SUITE_P(Edits, EstimateDelivery,
                         ::testing::Values(
                             +[](v1::PsfEstimate& e) { e.set_c(1); },  //
                             +[](v1::PsfEstimate& e) { e.mutable_psf()->set_c(1); },
                             +[](v1::PsfEstimate& e) { e.mutable_psf()->mutable_crop_shape()->set_x(3); },
                             +[](v1::PsfEstimate& e) { e.mutable_psf()->mutable_centre()->set_z(1); },
                             +[](v1::PsfEstimate& e) { e.mutable_psf()->set_sum(0); },
                             +[](v1::PsfEstimate& e) { e.mutable_psf()->set_spread_y(std::nan("")); },
                             +[](v1::PsfEstimate& e) {
                               e.mutable_objective(0)->set_value(std::numeric_limits<double>::infinity());
                             }));

TEST_F(PsfEstimationTest, APupilNeedsOptics) {
  v1::Method method = BlindMethod();
  v1::Parameter zernike = MakeParameter("zernike", v1::CHOICE, "none");
  zernike.add_choices()->set_name("none");
  zernike.add_choices()->set_name("11");
  *method.add_parameters() = zernike;
  service_.capabilities().AddMethods({method});
  v1::JobSpec spec = Spec();
  EXPECT_OK(service_.TrySubmit(spec));
  (*spec.mutable_deconvolve()->mutable_parameters())["zernike"] = "11";
  const absl::Status refused = service_.TrySubmit(spec).status();
  EXPECT_EQ(ReasonOf(refused), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(refused).field(), "deconvolve.optics") << refused;
}

TEST_F(PsfEstimationTest, RightEstimatesAreTaken) {
  service_.Submit(Spec());
  Analyse();
  const v1::Task task = TakeEstimate();
  std::string bytes;
  const v1::TaskResult result = ResultOf(task, &bytes);
  EXPECT_OK(worker_.Deliver(task, result, bytes));
}

}  // namespace
}  // namespace deconvoy::server
