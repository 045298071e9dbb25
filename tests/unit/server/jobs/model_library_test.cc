// Models that are kept under names.
#include "server/jobs/model_library.h"

#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

class ModelLibraryTest : public ::testing::Test {
 protected:
  static v1::CreateModelRequest Request(const std::string& job, const std::string& request_id = "r") {
    v1::CreateModelRequest request;
    request.set_request_id(request_id);
    request.set_model_id("rln");
    request.set_job(JobName(job));
    request.set_description("for GFP");
    return request;
  }

  ModelService service_;
};

TEST_F(ModelLibraryTest, KeepsWhatATrainingHasMade) {
  NetworkWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const std::string job = service_.Submit(service_.Train(10, 1));
  const absl::Status early = service_.models().Create("local", Request(job)).status();
  EXPECT_EQ(ReasonOf(early), v1::JOB_NOT_ENDED);
  ASSERT_OK(worker.FinishPart(*worker.Take(), 1));
  ASSERT_OK(worker.FinishTraining(*worker.Take()));
  ASSERT_OK_AND_ASSIGN(const v1::Model kept, service_.models().Create("local", Request(job)));
  EXPECT_EQ(kept.name(), "models/rln/versions/1");
  EXPECT_EQ(kept.volume(), service_.Get(job).outputs(0).volume());
  EXPECT_EQ(kept.job(), JobName(job));
  EXPECT_EQ(kept.description(), "for GFP");
  EXPECT_EQ(kept.facts().SerializeAsString(), service_.Get(job).model().SerializeAsString());

  ASSERT_OK_AND_ASSIGN(const v1::Model again, service_.models().Create("local", Request(job)));
  EXPECT_EQ(again.SerializeAsString(), kept.SerializeAsString()) << "the same request";
  EXPECT_EQ(ReasonOf(service_.models().Create("local", Request(job, "r2")).status()), v1::VOLUME_IN_USE);
  v1::CreateModelRequest other = Request(job);
  other.set_model_id("other");
  EXPECT_EQ(ReasonOf(service_.models().Create("local", other).status()), v1::REQUEST_ID_REUSED);

  ASSERT_OK(service_.jobs().Delete("local", job));
  service_.Reopen();
  ASSERT_OK_AND_ASSIGN(const v1::Model still, service_.models().Get("local", "models/rln"));
  EXPECT_EQ(still.SerializeAsString(), kept.SerializeAsString());
  EXPECT_EQ(ReasonOf(service_.models().Get("other", "models/rln").status()), v1::NOT_FOUND);
}

TEST_F(ModelLibraryTest, NeedsAJobAboutAModelThatHasSucceeded) {
  EXPECT_EQ(ReasonOf(service_.models().Create("local", Request("none")).status()), v1::NOT_FOUND);
  const std::string simulation = service_.Submit(service_.Simulate());
  EXPECT_EQ(ReasonOf(service_.models().Create("local", Request(simulation)).status()), v1::INVALID_FIELD);
  const std::string cancelled = service_.Submit(service_.Check());
  ASSERT_OK(service_.jobs().Cancel("local", cancelled).status());
  EXPECT_EQ(ReasonOf(service_.models().Create("local", Request(cancelled)).status()), v1::JOB_ENDED);
  const v1::Model kept = service_.Keep("mine");
  const std::string job = kept.job().substr(std::string("jobs/").size());
  EXPECT_EQ(ReasonOf(service_.models().Create("other", Request(job)).status()), v1::NOT_FOUND);
}

TEST_F(ModelLibraryTest, ListsWithoutRecipeAndDeletesWithTheFile) {
  const v1::Model first = service_.Keep("rln");
  const v1::Model second = service_.Keep("rln");
  EXPECT_EQ(second.name(), "models/rln/versions/2");
  ASSERT_OK_AND_ASSIGN(const v1::ListModelsResponse newest, service_.models().List("local", {}));
  ASSERT_EQ(newest.models_size(), 1);
  EXPECT_EQ(newest.models(0).name(), second.name());
  EXPECT_EQ(newest.models(0).facts().recipe(), "");
  EXPECT_EQ(newest.models(0).facts().parameters(), 16'000U);
  v1::ListModelsRequest all;
  all.set_model("models/rln");
  ASSERT_OK_AND_ASSIGN(const v1::ListModelsResponse both, service_.models().List("local", all));
  EXPECT_EQ(both.models_size(), 2);
  all.set_model("models/rln/versions/1");
  EXPECT_EQ(ReasonOf(service_.models().List("local", all).status()), v1::INVALID_FIELD);

  const std::string volume = VolumeId(first.volume(), "").value();
  EXPECT_EQ(ReasonOf(service_.store().DeleteVolume(volume)), v1::VOLUME_IN_USE);
  const size_t before = service_.CountVolumes();
  EXPECT_EQ(ReasonOf(service_.models().Delete("other", first.name())), v1::NOT_FOUND);
  ASSERT_OK(service_.models().Delete("local", first.name()));
  EXPECT_EQ(service_.CountVolumes(), before - 1);
  EXPECT_FALSE(std::filesystem::exists(service_.folder() / "spool/volumes" / (volume + ".raw")));
  EXPECT_EQ(ReasonOf(service_.models().Get("local", first.name()).status()), v1::NOT_FOUND);
}

}  // namespace
}  // namespace deconvoy::server
