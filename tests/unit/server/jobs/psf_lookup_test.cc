#include "server/jobs/psf_lookup.h"

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class PsfLookupTest : public ::testing::Test {
 protected:
  static constexpr const char* kOwner = JobService::kOwner;

  v1::Psf Keep(const std::string& id, const v1::VolumeSpec& spec, double na = 0) {
    v1::CreatePsfRequest request;
    request.set_request_id("psf-" + std::to_string(++requests_));
    request.set_psf_id(id);
    request.set_volume(service_.AddVolume(spec));
    if (na > 0) {
      request.add_optics()->set_na(na);
      request.mutable_optics(0)->set_emission_um(0.5);
      request.set_microscopy(v1::WIDEFIELD);
    }
    auto psf = service_.psfs().Create(kOwner, request);
    EXPECT_OK(psf);
    return psf.ok() ? *std::move(psf) : v1::Psf();
  }

  // A deconvolution with the PSF of this name.
  v1::JobSpec With(const std::string& psf) {
    v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
    spec.mutable_deconvolve()->set_psf_volume(psf);
    return spec;
  }

  // The finding that names the PSF.
  static v1::Finding NamingOf(const v1::Job& job) {
    for (const v1::Finding& finding : job.findings())
      if (finding.info().metadata().contains("psf")) return finding;
    return {};
  }

  JobService service_;
  int requests_ = 0;
  const v1::VolumeSpec psf_spec_ = MakeSpec({1, 1, 1, 1, 1}, v1::F32);
};

TEST_F(PsfLookupTest, AJobNamesTheVolumeOfTheVersionAndRecordsIt) {
  const v1::Psf first = Keep("gfp", psf_spec_);
  const v1::Psf second = Keep("gfp", psf_spec_);
  const v1::Job newest = service_.Get(service_.Submit(With("psfs/gfp")));
  EXPECT_EQ(newest.spec().deconvolve().psf_volume(), second.volume());
  const v1::Finding finding = NamingOf(newest);
  EXPECT_EQ(finding.severity(), v1::INFO);
  EXPECT_THAT(finding.message(), HasSubstr("the PSF is psfs/gfp/versions/2 of "));
  EXPECT_EQ(finding.info().metadata().at("psf"), second.name());
  EXPECT_EQ(finding.info().metadata().at("volume"), second.volume());
  EXPECT_EQ(finding.info().metadata().at("digest").size(), 64U);
  const v1::Job old = service_.Get(service_.Submit(With(first.name())));
  EXPECT_EQ(old.spec().deconvolve().psf_volume(), first.volume());
  EXPECT_EQ(NamingOf(old).info().metadata().at("psf"), first.name());
  EXPECT_TRUE(NamingOf(service_.Get(service_.Submit(With(first.volume())))).message().empty())
      << "a volume is taken as it is";
}

TEST_F(PsfLookupTest, TheSameRequestAfterANewVersionIsTheSameJob) {
  const v1::Psf first = Keep("gfp", psf_spec_);
  const v1::JobSpec spec = With("psfs/gfp");
  ASSERT_OK_AND_ASSIGN(const v1::Job job, service_.TrySubmit(spec, "once"));
  Keep("gfp", psf_spec_);
  ASSERT_OK_AND_ASSIGN(const v1::Job again, service_.TrySubmit(spec, "once"));
  EXPECT_EQ(again.name(), job.name());
  EXPECT_EQ(again.spec().deconvolve().psf_volume(), first.volume());
}

TEST_F(PsfLookupTest, OpticsAreThoseOfThePsfWhereTheJobHasNone) {
  Keep("gfp", psf_spec_, 1.2);
  const v1::Job taken = service_.Get(service_.Submit(With("psfs/gfp")));
  ASSERT_EQ(taken.spec().deconvolve().optics_size(), 1);
  EXPECT_EQ(taken.spec().deconvolve().optics(0).na(), 1.2);
  EXPECT_EQ(taken.spec().deconvolve().microscopy(), v1::WIDEFIELD);
  EXPECT_THAT(NamingOf(taken).message(), HasSubstr("its optics are those that it is kept with"));
  v1::JobSpec own = With("psfs/gfp");
  own.mutable_deconvolve()->add_optics()->set_na(1.4);
  own.mutable_deconvolve()->mutable_optics(0)->set_emission_um(0.6);
  const v1::Job given = service_.Get(service_.Submit(own));
  ASSERT_EQ(given.spec().deconvolve().optics_size(), 1);
  EXPECT_EQ(given.spec().deconvolve().optics(0).na(), 1.4);
  EXPECT_EQ(given.spec().deconvolve().microscopy(), v1::MICROSCOPY_UNSPECIFIED);
}

TEST_F(PsfLookupTest, EveryKindOfJobWithAPsfTakesNamesToo) {
  const v1::Psf psf = Keep("gfp", psf_spec_, 1.2);
  v1::JobSpec check;
  check.mutable_check_psf()->set_psf_volume("psfs/gfp");
  const v1::Job checked = service_.Get(service_.Submit(check));
  EXPECT_EQ(checked.spec().check_psf().psf_volume(), psf.volume());
  EXPECT_EQ(checked.spec().check_psf().optics_size(), 1);
  v1::JobSpec simulation = service_.Simulate();
  simulation.mutable_simulate()->clear_psf_fwhm();
  simulation.mutable_simulate()->set_psf_volume("psfs/gfp/versions/1");
  const v1::Job simulated = service_.Get(service_.Submit(simulation));
  EXPECT_EQ(simulated.spec().simulate().psf_volume(), psf.volume());
  v1::JobSpec prepare;
  prepare.mutable_prepare_psf()->set_psf_volume("psfs/gfp");
  v1::PsfReport& report = *prepare.mutable_prepare_psf()->add_psfs();
  *report.mutable_crop_shape() = ToProto(Shape3{1, 1, 1});
  report.set_sum(1);
  const v1::Job prepared = service_.Get(service_.Submit(prepare));
  EXPECT_EQ(prepared.spec().prepare_psf().psf_volume(), psf.volume());
  EXPECT_EQ(NamingOf(prepared).info().metadata().at("psf"), psf.name());
}

TEST_F(PsfLookupTest, WhatIsNotThereIsRefused) {
  Keep("gfp", psf_spec_);
  for (const char* name : {"psfs/none", "psfs/gfp/versions/2"}) {
    ASSERT_OK_AND_ASSIGN(const v1::PreflightReport report, service_.jobs().Preflight(kOwner, With(name)));
    EXPECT_FALSE(report.accepted());
    const absl::Status refused = service_.TrySubmit(With(name)).status();
    EXPECT_EQ(ReasonOf(refused), v1::NOT_FOUND);
    EXPECT_EQ(InfoOf(refused).field(), "deconvolve.psf_volume");
    EXPECT_THAT(std::string(refused.message()), HasSubstr(name));
  }
  EXPECT_EQ(ReasonOf(service_.TrySubmit(With("psfs/GFP")).status()), v1::INVALID_FIELD);
  v1::SubmitJobRequest request;
  request.set_request_id("foreign");
  *request.mutable_spec() = With("psfs/gfp");
  EXPECT_EQ(ReasonOf(service_.jobs().Submit("someone", request).status()), v1::NOT_FOUND);
}

TEST_F(PsfLookupTest, AJobWithANamedPsfGoesOnAfterARestart) {
  Keep("gfp", psf_spec_);
  const std::string id = service_.Submit(With("psfs/gfp"));
  service_.Reopen();
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  worker.WorkOff();
  service_.CheckResult(service_.Get(id));
}

}  // namespace
}  // namespace deconvoy::server
