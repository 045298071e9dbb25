// What every store promises about models: versions, their volumes, and who may remove these.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "proto/contract/error.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class StoreModelsTest : public StoreContractTest {
 protected:
  void AddVolume(const std::string& id, const std::string& owner = "local", bool complete = true) {
    ASSERT_OK(store_->InsertVolume(MakeVolume(id, 0, owner), "", ""));
    if (complete) ASSERT_OK(store_->CompleteVolume(id, "digest of " + id));
  }

  static ModelRecord MakeModel(const std::string& id, const std::string& volume, const std::string& owner = "local") {
    ModelRecord model{.owner = owner, .id = id, .volume_id = volume, .create_time = At(7)};
    model.model.set_description("of " + volume);
    model.model.set_job("jobs/trainer");
    model.model.mutable_facts()->set_digest("hash of " + volume);
    model.model.mutable_facts()->set_network("rln");
    return model;
  }

  // Keeps a volume of its own as the next version.
  void Keep(const std::string& id, const std::string& volume, const std::string& owner = "local") {
    AddVolume(volume, owner);
    ASSERT_OK(store_->InsertModel(MakeModel(id, volume, owner), "", ""));
  }

  std::vector<std::string> Names(const Page<ModelRecord>& page) {
    std::vector<std::string> names;
    for (const ModelRecord& model : page.items) names.push_back(fmt::format("{}@{}", model.id, model.number));
    return names;
  }
};

TEST_P(StoreModelsTest, ModelComesBackAsItWasAlsoAfterReopening) {
  AddVolume("v1");
  ASSERT_OK_AND_ASSIGN(const ModelRecord kept, store_->InsertModel(MakeModel("gfp", "v1"), "request-1", "body"));
  EXPECT_EQ(kept.number, 1);
  EXPECT_EQ(kept.model.name(), "models/gfp/versions/1");
  for (int round = 0; round < 2; ++round, Reopen()) {
    ASSERT_OK_AND_ASSIGN(const ModelRecord back, store_->GetModel("local", "gfp", 1));
    EXPECT_EQ(back.model.SerializeAsString(), kept.model.SerializeAsString());
    EXPECT_EQ(back.model.volume(), "volumes/v1");
    EXPECT_EQ(back.model.facts().digest(), "hash of v1");
    EXPECT_EQ(back.model.create_time().seconds(), absl::ToUnixSeconds(At(7)));
    EXPECT_EQ(back.model.job(), "jobs/trainer");
    ASSERT_OK_AND_ASSIGN(const auto of_volume, store_->FindModelOfVolume("v1"));
    ASSERT_TRUE(of_volume.has_value());
    EXPECT_EQ(of_volume->number, 1);
    ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
    ASSERT_TRUE(request.has_value());
    EXPECT_EQ(request->resource_id, "v1");
  }
}

TEST_P(StoreModelsTest, VersionsAreCountedByNameAndOwner) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  Keep("dapi", "v3");
  Keep("gfp", "v4", "other");
  ASSERT_OK_AND_ASSIGN(const ModelRecord newest, store_->GetModel("local", "gfp", 0));
  EXPECT_EQ(newest.number, 2);
  EXPECT_EQ(newest.volume_id, "v2");
  ASSERT_OK_AND_ASSIGN(const ModelRecord foreign, store_->GetModel("other", "gfp", 0));
  EXPECT_EQ(foreign.number, 1);
  EXPECT_EQ(ReasonOf(store_->GetModel("local", "gfp", 3).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetModel("other", "dapi", 0).status()), v1::NOT_FOUND);
  EXPECT_THAT(std::string(store_->GetModel("local", "gfp", 3).status().message()), HasSubstr("models/gfp/versions/3"));
}

TEST_P(StoreModelsTest, NumbersAreNeverUsedAgain) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  ASSERT_OK_AND_ASSIGN(const auto newest, store_->DeleteModel("local", "gfp", 2));
  EXPECT_THAT(newest, ElementsAre("v2"));
  Reopen();
  Keep("gfp", "v3");
  ASSERT_OK_AND_ASSIGN(const ModelRecord third, store_->GetModel("local", "gfp", 0));
  EXPECT_EQ(third.number, 3);
  ASSERT_OK_AND_ASSIGN(const auto all, store_->DeleteModel("local", "gfp", 0));
  EXPECT_THAT(all, UnorderedElementsAre("v1", "v3"));
  EXPECT_EQ(ReasonOf(store_->GetModel("local", "gfp", 0).status()), v1::NOT_FOUND);
  Keep("gfp", "v5");
  ASSERT_OK_AND_ASSIGN(const ModelRecord fourth, store_->GetModel("local", "gfp", 0));
  EXPECT_EQ(fourth.number, 4);
}

TEST_P(StoreModelsTest, OnlyOwnCompleteVolumesThatNoModelHasAreKept) {
  AddVolume("writing", "local", /*complete=*/false);
  AddVolume("foreign", "other");
  Keep("gfp", "v1");
  EXPECT_EQ(ReasonOf(store_->InsertModel(MakeModel("a", "none"), "", "").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->InsertModel(MakeModel("a", "writing"), "", "").status()), v1::VOLUME_INCOMPLETE);
  EXPECT_EQ(ReasonOf(store_->InsertModel(MakeModel("a", "foreign"), "", "").status()), v1::NOT_FOUND);
  const absl::Status twice = store_->InsertModel(MakeModel("a", "v1"), "request", "body").status();
  EXPECT_EQ(ReasonOf(twice), v1::VOLUME_IN_USE);
  EXPECT_EQ(InfoOf(twice).metadata().at("model"), "models/gfp/versions/1");
  EXPECT_EQ(ReasonOf(store_->GetModel("local", "a", 0).status()), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request"));
  EXPECT_FALSE(request.has_value()) << "what was refused is not remembered";
}

TEST_P(StoreModelsTest, WhatAPsfHasIsNoModelAndIsNotFoundIdle) {
  AddVolume("v1");
  PsfRecord psf{.owner = "local", .id = "gfp", .volume_id = "v1", .create_time = At(7)};
  ASSERT_OK(store_->InsertPsf(psf, "", ""));
  const absl::Status taken = store_->InsertModel(MakeModel("a", "v1"), "", "").status();
  EXPECT_EQ(ReasonOf(taken), v1::VOLUME_IN_USE);
  EXPECT_EQ(InfoOf(taken).metadata().at("psf"), "psfs/gfp/versions/1");
  Keep("a", "v2");
  AddVolume("v3");
  ASSERT_OK_AND_ASSIGN(const auto idle, store_->IdleVolumes(VolumeKind::kUpload, At(1'000'000), 10));
  ASSERT_EQ(idle.size(), 1U) << "what is kept is never idle";
  EXPECT_EQ(idle[0].id, "v3");
}

TEST_P(StoreModelsTest, AJobHoldsTheModelsThatItApplies) {
  Keep("rln", "v1");
  JobRecord job = MakeJob("j1");
  job.state = v1::RUNNING;
  v1::ModelUse& use = *job.job.add_models();
  use.set_name("models/rln/versions/1");
  use.set_volume("volumes/v1");
  ASSERT_OK(store_->InsertJob({.job = job}, "", ""));
  EXPECT_EQ(ReasonOf(store_->DeleteModel("local", "rln", 1).status()), v1::VOLUME_IN_USE);
  job.state = v1::SUCCEEDED;
  ASSERT_OK(store_->Apply({.job = job}));
  EXPECT_OK(store_->DeleteModel("local", "rln", 1));
}

TEST_P(StoreModelsTest, TakenRequestIdChangesNothing) {
  AddVolume("v1");
  AddVolume("v2");
  ASSERT_OK(store_->InsertModel(MakeModel("gfp", "v1"), "request-1", "body"));
  EXPECT_EQ(ReasonOf(store_->InsertModel(MakeModel("gfp", "v2"), "request-1", "body").status()), v1::REQUEST_ID_REUSED);
  ASSERT_OK_AND_ASSIGN(const ModelRecord newest, store_->GetModel("local", "gfp", 0));
  EXPECT_EQ(newest.number, 1);
}

TEST_P(StoreModelsTest, AKeptVolumeGoesWithItsModelOnly) {
  AddVolume("v1");
  ASSERT_OK(store_->InsertModel(MakeModel("gfp", "v1"), "request-1", "body"));
  const absl::Status refused = store_->DeleteVolume("v1");
  EXPECT_EQ(refused.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_EQ(ReasonOf(refused), v1::VOLUME_IN_USE);
  EXPECT_THAT(std::string(refused.message()), HasSubstr("models/gfp/versions/1"));
  ASSERT_OK(store_->DeleteModel("local", "gfp", 1).status());
  EXPECT_EQ(ReasonOf(store_->GetVolume("v1").status()), v1::NOT_FOUND);
  ASSERT_OK_AND_ASSIGN(const auto request, store_->FindRequest("local", "request-1"));
  EXPECT_FALSE(request.has_value());
  ASSERT_OK_AND_ASSIGN(const auto keeper, store_->FindModelOfVolume("v1"));
  EXPECT_FALSE(keeper.has_value());
}

TEST_P(StoreModelsTest, DeletingOfWhatIsNotThere) {
  Keep("gfp", "v1");
  EXPECT_EQ(ReasonOf(store_->DeleteModel("local", "gfp", 2).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeleteModel("local", "dapi", 0).status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->DeleteModel("other", "gfp", 0).status()), v1::NOT_FOUND);
  EXPECT_OK(store_->GetModel("local", "gfp", 1));
}

TEST_P(StoreModelsTest, AJobThatHasNotEndedHoldsTheVersionItUses) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  JobRecord job = MakeJob("j1");
  job.state = v1::RUNNING;
  job.job.mutable_spec()->mutable_check_model()->set_model_volume("volumes/v1");
  ASSERT_OK(store_->InsertJob({.job = job}, "", ""));
  for (const int64_t number : {int64_t{1}, int64_t{0}}) {
    const absl::Status held = store_->DeleteModel("local", "gfp", number).status();
    EXPECT_EQ(ReasonOf(held), v1::VOLUME_IN_USE);
    EXPECT_EQ(InfoOf(held).metadata().at("job"), "jobs/j1");
  }
  ASSERT_OK_AND_ASSIGN(const auto both, store_->ListModels("local", "gfp", 10, ""));
  EXPECT_THAT(Names(both), ElementsAre("gfp@2", "gfp@1")) << "nothing was removed";
  EXPECT_OK(store_->DeleteModel("local", "gfp", 2));
  job.state = v1::SUCCEEDED;
  ASSERT_OK(store_->Apply({.job = job}));
  EXPECT_OK(store_->DeleteModel("local", "gfp", 1));
}

TEST_P(StoreModelsTest, ListsNewestVersionsByName) {
  Keep("gfp", "v1");
  Keep("gfp", "v2");
  Keep("dapi", "v3");
  Keep("cy5", "v4");
  Keep("gone", "v5");
  Keep("foreign", "v6", "other");
  ASSERT_OK(store_->DeleteModel("local", "gone", 0).status());
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListModels("local", "", 2, ""));
  EXPECT_THAT(Names(first), ElementsAre("cy5@1", "dapi@1"));
  Keep("aaa", "v7");
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListModels("local", "", 2, first.next_token));
  EXPECT_THAT(Names(second), ElementsAre("gfp@2"));
  EXPECT_EQ(second.next_token, "");
  ASSERT_OK_AND_ASSIGN(const auto nobody, store_->ListModels("nobody", "", 2, ""));
  EXPECT_THAT(Names(nobody), IsEmpty());
}

TEST_P(StoreModelsTest, ListsVersionsFromTheNewest) {
  for (int i = 1; i <= 4; ++i) Keep("gfp", fmt::format("v{}", i));
  ASSERT_OK(store_->DeleteModel("local", "gfp", 2).status());
  ASSERT_OK_AND_ASSIGN(const auto first, store_->ListModels("local", "gfp", 2, ""));
  EXPECT_THAT(Names(first), ElementsAre("gfp@4", "gfp@3"));
  ASSERT_OK_AND_ASSIGN(const auto second, store_->ListModels("local", "gfp", 2, first.next_token));
  EXPECT_THAT(Names(second), ElementsAre("gfp@1"));
  EXPECT_EQ(second.next_token, "");
  EXPECT_EQ(ReasonOf(store_->ListModels("local", "none", 2, "").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->ListModels("local", "gfp", 2, "nonsense").status()), v1::INVALID_FIELD);
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreModelsTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
