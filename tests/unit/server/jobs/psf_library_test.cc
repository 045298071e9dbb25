#include "server/jobs/psf_library.h"

#include <filesystem>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class PsfLibraryTest : public ::testing::Test {
 protected:
  static constexpr const char* kOwner = JobService::kOwner;

  v1::CreatePsfRequest Request(const std::string& id, const std::string& volume) {
    v1::CreatePsfRequest request;
    request.set_request_id("psf-" + std::to_string(++requests_));
    request.set_psf_id(id);
    request.set_volume(volume);
    return request;
  }

  std::string AddPsfVolume(int64_t channels = 1) {
    v1::VolumeSpec spec = MakeSpec({1, channels, 3, 5, 5}, v1::F32);
    return service_.AddVolume(spec);
  }

  v1::Psf Keep(const std::string& id, const std::string& volume) {
    auto psf = service_.psfs().Create(kOwner, Request(id, volume));
    EXPECT_OK(psf);
    return psf.ok() ? *std::move(psf) : v1::Psf();
  }

  static v1::Optics SomeOptics() {
    v1::Optics optics;
    optics.set_na(1.2);
    optics.set_emission_um(0.5);
    return optics;
  }

  JobService service_;
  int requests_ = 0;
};

TEST_F(PsfLibraryTest, ARequestThatComesAgainIsAnsweredAlike) {
  const v1::CreatePsfRequest request = Request("gfp", AddPsfVolume());
  ASSERT_OK_AND_ASSIGN(const v1::Psf psf, service_.psfs().Create(kOwner, request));
  service_.Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Psf again, service_.psfs().Create(kOwner, request));
  EXPECT_EQ(again.SerializeAsString(), psf.SerializeAsString());
  v1::CreatePsfRequest other = request;
  other.set_description("other");
  EXPECT_EQ(ReasonOf(service_.psfs().Create(kOwner, other).status()), v1::REQUEST_ID_REUSED);
  v1::CreateVolumeRequest volume;
  volume.set_request_id(request.request_id());
  *volume.mutable_spec() = MakeSpec({1, 1, 1, 1, 1});
  EXPECT_EQ(ReasonOf(service_.volumes().Create(kOwner, volume).status()), v1::REQUEST_ID_REUSED);
}

TEST_F(PsfLibraryTest, WhatAVersionIsIsKnown) {
  const std::string volume = AddPsfVolume(2);
  v1::CreatePsfRequest request = Request("gfp", volume);
  request.set_description("beads of Monday");
  *request.add_optics() = SomeOptics();
  request.set_microscopy(v1::WIDEFIELD);
  ASSERT_OK_AND_ASSIGN(const v1::Psf psf, service_.psfs().Create(kOwner, request));
  EXPECT_EQ(psf.name(), "psfs/gfp/versions/1");
  EXPECT_EQ(psf.volume(), volume);
  EXPECT_EQ(psf.description(), "beads of Monday");
  EXPECT_EQ(psf.spec().shape().c(), 2U);
  EXPECT_EQ(psf.spec().digest().size(), 32U);
  EXPECT_EQ(psf.microscopy(), v1::WIDEFIELD);
  ASSERT_EQ(psf.optics_size(), 1);
  EXPECT_EQ(psf.optics(0).na(), 1.2);
  EXPECT_TRUE(psf.has_create_time());
}

TEST_F(PsfLibraryTest, OpticsAreOfAllChannelsOrOfEach) {
  v1::CreatePsfRequest request = Request("gfp", AddPsfVolume(3));
  *request.add_optics() = SomeOptics();
  *request.add_optics() = SomeOptics();
  EXPECT_EQ(ReasonOf(service_.psfs().Create(kOwner, request).status()), v1::SHAPE_MISMATCH);
  *request.add_optics() = SomeOptics();
  EXPECT_OK(service_.psfs().Create(kOwner, request));
}

TEST_F(PsfLibraryTest, IncompleteAndForeignVolumesAreRefused) {
  const std::string writing = service_.AddVolume(MakeSpec({1, 1, 3, 5, 5}), /*complete=*/false);
  EXPECT_EQ(ReasonOf(service_.psfs().Create(kOwner, Request("a", writing)).status()), v1::VOLUME_INCOMPLETE);
  const std::string mine = AddPsfVolume();
  EXPECT_EQ(ReasonOf(service_.psfs().Create("someone", Request("a", mine)).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(service_.psfs().Create(kOwner, Request("a", "volumes/none")).status()), v1::NOT_FOUND);
  Keep("a", mine);
  EXPECT_EQ(ReasonOf(service_.psfs().Get("someone", "psfs/a").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(service_.psfs().Delete("someone", "psfs/a")), v1::NOT_FOUND);
}

TEST_F(PsfLibraryTest, RemovingAVersionRemovesItsBytes) {
  const std::string volume = AddPsfVolume();
  const std::filesystem::path file = service_.volumes().PathOf(VolumeId(volume, "").value());
  const v1::Psf psf = Keep("gfp", volume);
  EXPECT_EQ(ReasonOf(service_.volumes().Delete(VolumeId(volume, "").value())), v1::VOLUME_IN_USE);
  EXPECT_TRUE(std::filesystem::exists(file));
  ASSERT_OK(service_.psfs().Delete(kOwner, psf.name()));
  EXPECT_FALSE(std::filesystem::exists(file));
  EXPECT_EQ(ReasonOf(service_.psfs().Get(kOwner, psf.name()).status()), v1::NOT_FOUND);
  EXPECT_EQ(Keep("gfp", AddPsfVolume()).name(), "psfs/gfp/versions/2");
}

TEST_F(PsfLibraryTest, NamesAreChecked) {
  for (const char* name : {"", "gfp", "volumes/a", "psfs/", "psfs/GFP", "psfs/a/versions/0"}) {
    EXPECT_EQ(ReasonOf(service_.psfs().Get(kOwner, name).status()), v1::INVALID_FIELD) << name;
    EXPECT_EQ(ReasonOf(service_.psfs().Delete(kOwner, name)), v1::INVALID_FIELD) << name;
  }
  v1::ListPsfsRequest list;
  list.set_psf("psfs/a/versions/1");
  EXPECT_EQ(ReasonOf(service_.psfs().List(kOwner, list).status()), v1::INVALID_FIELD);
}

// What a job makes may be kept, and stays when the job's record goes.
TEST_F(PsfLibraryTest, TheResultOfAJobIsKept) {
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const std::string id = service_.Submit(service_.Simulate());
  const std::string volume = service_.Get(id).outputs(1).volume();
  EXPECT_EQ(ReasonOf(service_.psfs().Create(kOwner, Request("sim", volume)).status()), v1::VOLUME_INCOMPLETE);
  worker.WorkOff();
  const v1::Psf psf = Keep("sim", volume);
  EXPECT_EQ(psf.job(), JobName(id));
  EXPECT_EQ(psf.spec().digest().size(), 32U) << "it is hashed when it is kept";
  ASSERT_OK(service_.jobs().Delete(kOwner, id));
  EXPECT_EQ(ReasonOf(service_.volumes().Delete(VolumeId(volume, "").value())), v1::VOLUME_IN_USE);
  ASSERT_OK_AND_ASSIGN(const v1::Psf still, service_.psfs().Get(kOwner, "psfs/sim"));
  EXPECT_EQ(still.volume(), volume);
}

TEST_F(PsfLibraryTest, AJobThatUsesAVersionHoldsIt) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  const v1::Psf psf = Keep("gfp", spec.deconvolve().psf_volume());
  spec.mutable_deconvolve()->set_psf_volume("psfs/gfp");
  const std::string id = service_.Submit(spec);
  const absl::Status held = service_.psfs().Delete(kOwner, psf.name());
  EXPECT_EQ(ReasonOf(held), v1::VOLUME_IN_USE);
  EXPECT_THAT(std::string(held.message()), HasSubstr(JobName(id)));
  service_.Reopen();
  EXPECT_EQ(ReasonOf(service_.psfs().Delete(kOwner, psf.name())), v1::VOLUME_IN_USE) << "after a restart, too";
  ASSERT_OK(service_.jobs().Cancel(kOwner, id).status());
  EXPECT_OK(service_.psfs().Delete(kOwner, psf.name()));
}

}  // namespace
}  // namespace deconvoy::server
