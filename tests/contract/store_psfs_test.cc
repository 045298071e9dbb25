// What every store promises about PSFs: versions, their volumes, and who may remove these.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class StorePsfsTest : public StoreContractTest {
 protected:
  void AddVolume(const std::string& id, const std::string& owner = "local", bool complete = true) {
    ASSERT_OK(store_->InsertVolume(MakeVolume(id, 0, owner), "", ""));
    if (complete) ASSERT_OK(store_->CompleteVolume(id, "digest of " + id));
  }

  static PsfRecord MakePsf(const std::string& id, const std::string& volume, const std::string& owner = "local") {
    PsfRecord psf{.owner = owner, .id = id, .volume_id = volume, .create_time = At(7)};
    psf.psf.set_description("of " + volume);
    psf.psf.mutable_spec()->set_digest("hash of " + volume);
    psf.psf.add_optics()->set_na(1.4);
    psf.psf.set_microscopy(v1::CONFOCAL);
    return psf;
  }

  // Keeps a volume of its own as the next version.
  void Keep(const std::string& id, const std::string& volume, const std::string& owner = "local") {
    AddVolume(volume, owner);
    ASSERT_OK(store_->InsertPsf(MakePsf(id, volume, owner), "", ""));
  }

  std::vector<std::string> Names(const Page<PsfRecord>& page) {
    std::vector<std::string> names;
    for (const PsfRecord& psf : page.items) names.push_back(fmt::format("{}@{}", psf.id, psf.number));
    return names;
  }
};

TEST_P(StorePsfsTest, PsfComesBackAsItWasAlsoAfterReopening) {
  AddVolume("v1");
  ASSERT_OK_AND_ASSIGN(const PsfRecord kept, store_->InsertPsf(MakePsf("gfp", "v1"), "request-1", "body"));
  EXPECT_EQ(kept.number, 1);
  EXPECT_EQ(kept.psf.name(), "psfs/gfp/versions/1");
  for (int round = 0; round < 2; ++round, Reopen()) {
    ASSERT_OK_AND_ASSIGN(const PsfRecord back, store_->GetPsf("local", "gfp", 1));
    EXPECT_EQ(back.psf.SerializeAsString(), kept.psf.SerializeAsString());
    EXPECT_EQ(back.psf.volume(), "volumes/v1");
    EXPECT_EQ(back.psf.spec().shape().x(), 16U) << "as the volume tells";
    EXPECT_EQ(back.psf.spec().digest(), "hash of v1");
    EXPECT_EQ(back.psf.create_time().seconds(), absl::ToUnixSeconds(At(7)));
    EXPECT_EQ(back.psf.job(), "") << "it was uploaded";
    ASSERT_OK_AND_ASSIGN(const auto of_volume, store_->FindPsfOfVolume("v1"));
    ASSERT_TRUE(of_volume.has_value());
    EXPECT_EQ(of_volume->number, 1);
    ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->resource_id, "v1");
  }
}

TEST_P(StorePsfsTest, VersionsAreCountedByNameAndOwner) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  Keep("dapi", "v3");
  Keep("gfp", "v4", "other");
  ASSERT_OK_AND_ASSIGN(const PsfRecord newest, store_->GetPsf("local", "gfp", 0));
  EXPECT_EQ(newest.number, 2);
  EXPECT_EQ(newest.volume_id, "v2");
  ASSERT_OK_AND_ASSIGN(const PsfRecord foreign, store_->GetPsf("other", "gfp", 0));
  EXPECT_EQ(foreign.number, 1);
  EXPECT_EQ(ReasonOf(store_->GetPsf("local", "gfp", 3).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetPsf("other", "dapi", 0).status()), v1::NOT_FOUND);
  EXPECT_THAT(std::string(store_->GetPsf("local", "gfp", 3).status().message()), HasSubstr("psfs/gfp/versions/3"));
}

TEST_P(StorePsfsTest, NumbersAreNeverUsedAgain) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  ASSERT_OK_AND_ASSIGN(const auto newest, store_->DeletePsf("local", "gfp", 2));
  EXPECT_THAT(newest, ElementsAre("v2"));
  Reopen();
  Keep("gfp", "v3");
  ASSERT_OK_AND_ASSIGN(const PsfRecord third, store_->GetPsf("local", "gfp", 0));
  EXPECT_EQ(third.number, 3);
  ASSERT_OK_AND_ASSIGN(const auto all, store_->DeletePsf("local", "gfp", 0));
  EXPECT_THAT(all, UnorderedElementsAre("v1", "v3"));
  EXPECT_EQ(ReasonOf(store_->GetPsf("local", "gfp", 0).status()), v1::NOT_FOUND);
  Keep("gfp", "v5");
  ASSERT_OK_AND_ASSIGN(const PsfRecord fourth, store_->GetPsf("local", "gfp", 0));
  EXPECT_EQ(fourth.number, 4);
}

TEST_P(StorePsfsTest, OnlyOwnCompleteVolumesThatNoPsfHasAreKept) {
  AddVolume("writing", "local", /*complete=*/false);
  AddVolume("foreign", "other");
  Keep("gfp", "v1");
  EXPECT_EQ(ReasonOf(store_->InsertPsf(MakePsf("a", "none"), "", "").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->InsertPsf(MakePsf("a", "writing"), "", "").status()), v1::VOLUME_INCOMPLETE);
  EXPECT_EQ(ReasonOf(store_->InsertPsf(MakePsf("a", "foreign"), "", "").status()), v1::NOT_FOUND);
  const absl::Status twice = store_->InsertPsf(MakePsf("a", "v1"), "request", "body").status();
  EXPECT_EQ(ReasonOf(twice), v1::VOLUME_IN_USE);
  EXPECT_EQ(InfoOf(twice).metadata().at("psf"), "psfs/gfp/versions/1");
  EXPECT_EQ(ReasonOf(store_->GetPsf("local", "a", 0).status()), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request"));
  EXPECT_FALSE(request.has_value()) << "what was refused is not remembered";
}

TEST_P(StorePsfsTest, TakenRequestIdChangesNothing) {
  AddVolume("v1");
  AddVolume("v2");
  ASSERT_OK(store_->InsertPsf(MakePsf("gfp", "v1"), "request-1", "body"));
  EXPECT_EQ(ReasonOf(store_->InsertPsf(MakePsf("gfp", "v2"), "request-1", "body").status()), v1::REQUEST_ID_REUSED);
  ASSERT_OK_AND_ASSIGN(const PsfRecord newest, store_->GetPsf("local", "gfp", 0));
  EXPECT_EQ(newest.number, 1);
}

TEST_P(StorePsfsTest, AKeptVolumeGoesWithItsPsfOnly) {
  AddVolume("v1");
  ASSERT_OK(store_->InsertPsf(MakePsf("gfp", "v1"), "request-1", "body"));
  const absl::Status refused = store_->DeleteVolume("v1");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused), v1::VOLUME_IN_USE);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("psfs/gfp/versions/1"));
  ASSERT_OK(store_->DeletePsf("local", "gfp", 1).status());
  EXPECT_EQ(ReasonOf(store_->GetVolume("v1").status()), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
  EXPECT_FALSE(request.has_value());
  ASSERT_OK_AND_ASSIGN(const auto keeper, store_->FindPsfOfVolume("v1"));
  EXPECT_FALSE(keeper.has_value());
}

TEST_P(StorePsfsTest, DeletingOfWhatIsNotThere) {
  Keep("gfp", "v1");
  EXPECT_EQ(ReasonOf(store_->DeletePsf("local", "gfp", 2).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeletePsf("local", "dapi", 0).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeletePsf("other", "gfp", 0).status()), v1::NOT_FOUND);
  EXPECT_OK(store_->GetPsf("local", "gfp", 1));
}

TEST_P(StorePsfsTest, AJobThatHasNotEndedHoldsTheVersionItUses) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  JobRecord job = MakeJob("j1");
  job.state = v1::RUNNING;
  job.job.mutable_spec()->mutable_check_psf()->set_psf_volume("volumes/v1");
  ASSERT_OK(store_->InsertJob({.job = job}, "", ""));
  for (const int64_t number : {int64_t{1}, int64_t{0}}) {
    const absl::Status held = store_->DeletePsf("local", "gfp", number).status();
    EXPECT_EQ(ReasonOf(held), v1::VOLUME_IN_USE);
    EXPECT_EQ(InfoOf(held).metadata().at("job"), "jobs/j1");
  }
  ASSERT_OK_AND_ASSIGN(const auto both, store_->ListPsfs("local", "gfp", 10, ""));
  EXPECT_THAT(Names(both), ElementsAre("gfp@2", "gfp@1")) << "nothing was removed";
  EXPECT_OK(store_->DeletePsf("local", "gfp", 2));
  job.state = v1::SUCCEEDED;
  ASSERT_OK(store_->Apply({.job = job}));
  EXPECT_OK(store_->DeletePsf("local", "gfp", 1));
}

TEST_P(StorePsfsTest, TheJobThatMadeItIsRememberedAndMayGo) {
  JobRecord job = MakeJob("maker");
  v1::JobOutput& output = *job.job.add_outputs();
  output.set_role("psf");
  output.set_volume("volumes/made");
  ASSERT_OK(store_->InsertJob({.job = job, .new_volumes = {MakeVolume("made")}}, "", ""));
  job.state = v1::SUCCEEDED;
  ASSERT_OK(store_->Apply({.job = job, .completed_volumes = {"made"}}));
  JobRecord reader = MakeJob("reader");
  reader.job.mutable_spec()->mutable_check_psf()->set_psf_volume("volumes/made");
  reader.state = v1::SUCCEEDED;
  ASSERT_OK(store_->InsertJob({.job = reader}, "", ""));
  ASSERT_OK_AND_ASSIGN(const PsfRecord psf, store_->InsertPsf(MakePsf("gfp", "made"), "", ""));
  EXPECT_EQ(psf.psf.job(), "jobs/maker");
  ASSERT_OK(store_->DeleteJob("maker"));
  ASSERT_OK_AND_ASSIGN(const PsfRecord still, store_->GetPsf("local", "gfp", 1));
  EXPECT_EQ(still.psf.job(), "jobs/maker");
  EXPECT_OK(store_->GetVolume("made"));

  AddVolume("uploaded");
  reader.id = "reader2";
  reader.job.mutable_spec()->mutable_check_psf()->set_psf_volume("volumes/uploaded");
  ASSERT_OK(store_->InsertJob({.job = reader}, "", ""));
  ASSERT_OK_AND_ASSIGN(const PsfRecord uploaded, store_->InsertPsf(MakePsf("gfp", "uploaded"), "", ""));
  EXPECT_EQ(uploaded.psf.job(), "") << "who reads it has not made it";
}

TEST_P(StorePsfsTest, ListsNewestVersionsByName) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  Keep("dapi", "v3");
  Keep("cy5", "v4");
  Keep("gone", "v5");
  Keep("foreign", "v6", "other");
  ASSERT_OK(store_->DeletePsf("local", "gone", 0).status());
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListPsfs("local", "", 2, ""));
  EXPECT_THAT(Names(first), ElementsAre("cy5@1", "dapi@1"));
  Keep("aaa", "v7");
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListPsfs("local", "", 2, first.next_token));
  EXPECT_THAT(Names(second), ElementsAre("gfp@2"));
  EXPECT_EQ(second.next_token, "");
  ASSERT_OK_AND_ASSIGN(const auto nobody, store_->ListPsfs("nobody", "", 2, ""));
  EXPECT_THAT(Names(nobody), IsEmpty());
}

TEST_P(StorePsfsTest, LargeVolumesMakeShorterPages) {
  for (int i = 1; i <= 3; ++i) {
    VolumeRecord volume = MakeVolume(fmt::format("v{}", i));
    volume.spec.add_channels()->set_name(std::string(limits::kPageBytes / 3, 'x'));
    ASSERT_OK(store_->InsertVolume(volume, "", ""));
    ASSERT_OK(store_->CompleteVolume(volume.id, ""));
    ASSERT_OK(store_->InsertPsf(MakePsf("gfp", volume.id), "", ""));
    ASSERT_OK(store_->InsertVolume(MakeVolume(fmt::format("w{}", i)), "", ""));
    ASSERT_OK(store_->CompleteVolume(fmt::format("w{}", i), ""));
    ASSERT_OK(store_->InsertPsf(MakePsf(fmt::format("p{}", i), fmt::format("w{}", i)), "", ""));
  }
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListPsfs("local", "gfp", 1000, ""));
  EXPECT_THAT(Names(first), ElementsAre("gfp@3", "gfp@2"));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListPsfs("local", "gfp", 1000, first.next_token));
  EXPECT_THAT(Names(second), ElementsAre("gfp@1"));
  EXPECT_EQ(second.next_token, "");
  ASSERT_OK_AND_ASSIGN(const auto newest, store_->ListPsfs("local", "", 1000, ""));
  EXPECT_THAT(Names(newest), ElementsAre("gfp@3", "p1@1", "p2@1", "p3@1"));
}

TEST_P(StorePsfsTest, ListsVersionsFromTheNewest) {
  for (int i = 1; i <= 4; ++i) Keep("gfp", fmt::format("v{}", i));
  ASSERT_OK(store_->DeletePsf("local", "gfp", 2).status());
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListPsfs("local", "gfp", 2, ""));
  EXPECT_THAT(Names(first), ElementsAre("gfp@4", "gfp@3"));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListPsfs("local", "gfp", 2, first.next_token));
  EXPECT_THAT(Names(second), ElementsAre("gfp@1"));
  EXPECT_EQ(second.next_token, "");
  EXPECT_EQ(ReasonOf(store_->ListPsfs("local", "none", 2, "").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->ListPsfs("local", "gfp", 2, "nonsense").status()), v1::INVALID_FIELD);
}

INSTANTIATE_TEST_SUITE_P(Stores, StorePsfsTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
