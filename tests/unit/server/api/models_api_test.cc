#include <gmock/gmock.h>

#include "deconvoy/v1/models.grpc.pb.h"
#include "proto/contract/byte_volume.h"
#include "proto/contract/resource_name.h"
#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

class ModelsApiTest : public ApiTest {
 protected:
  void SetUp() override {
    ApiTest::SetUp();
    stub_ = v1::Models::NewStub(channel_);
  }

  // A model in the store, as its job would have left it.
  v1::Model Keep(const std::string& id, const std::string& volume_name) {
    const std::string volume = VolumeId(volume_name, "").value();
    ModelRecord record{.owner = kLocalUser, .id = id, .volume_id = volume, .model = {}, .create_time = absl::Now()};
    record.model.mutable_facts()->set_network("rln");
    record.model.mutable_facts()->set_recipe("{}");
    auto kept = core_->store().InsertModel(record, "", "");
    EXPECT_OK(kept);
    return kept.ok() ? kept->model : v1::Model();
  }
  std::string Upload(const std::string& request_id) {
    v1::Volume volume;
    const v1::VolumeSpec spec = Spec(3, 5, 5);
    EXPECT_TRUE(ApiTest::Create(request_id, spec, &volume).ok());
    v1::WriteVolumeResponse last;
    EXPECT_TRUE(Write(volume.name(), {Planes(spec, 0, 3)}, &last).ok());
    grpc::ClientContext context;
    v1::FinishVolumeRequest request;
    request.set_volume(volume.name());
    EXPECT_TRUE(volume_stub_->Finish(&context, request, &volume).ok());
    return volume.name();
  }
  grpc::Status Get(const std::string& name, v1::Model* model) {
    grpc::ClientContext context;
    v1::GetModelRequest request;
    request.set_model(name);
    return stub_->Get(&context, request, model);
  }
  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteModelRequest request;
    request.set_model(name);
    v1::DeleteModelResponse response;
    return stub_->Delete(&context, request, &response);
  }
  grpc::Status Submit(const v1::JobSpec& spec) {
    grpc::ClientContext context;
    v1::SubmitJobRequest request;
    request.set_request_id("submit");
    *request.mutable_spec() = spec;
    v1::Job job;
    return job_stub_->Submit(&context, request, &job);
  }

  std::unique_ptr<v1::Models::Stub> stub_;
};

TEST_F(ModelsApiTest, KeptOnesAreFoundListedAndRemoved) {
  const v1::Model first = Keep("rln", Upload("a"));
  const v1::Model second = Keep("rln", Upload("b"));
  v1::Model found;
  ASSERT_TRUE(Get("models/rln", &found).ok());
  EXPECT_EQ(found.SerializeAsString(), second.SerializeAsString());
  grpc::ClientContext context;
  v1::ListModelsRequest request;
  request.set_model("models/rln");
  request.set_page_size(1);
  v1::ListModelsResponse page;
  ASSERT_TRUE(stub_->List(&context, request, &page).ok());
  ASSERT_EQ(page.models_size(), 1);
  EXPECT_EQ(page.models(0).name(), second.name());
  EXPECT_NE(page.next_page_token(), "");
  EXPECT_TRUE(Delete(second.name()).ok());
  EXPECT_EQ(Delete(second.name()).error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Get("models/rln", &found).ok());
  EXPECT_EQ(found.name(), first.name());
  EXPECT_EQ(Get("models/RLN", &found).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ModelsApiTest, WhatIsWrongIsNamed) {
  const auto create = [&](const std::string& request_id, const std::string& id, const std::string& job) {
    grpc::ClientContext context;
    v1::CreateModelRequest request;
    request.set_request_id(request_id);
    request.set_model_id(id);
    request.set_job(job);
    v1::Model model;
    return stub_->Create(&context, request, &model);
  };
  EXPECT_EQ(InfoOf(create("bad id!", "rln", "jobs/a")).field(), "request_id");
  EXPECT_EQ(InfoOf(create("r", "RLN\x1b", "jobs/a")).field(), "model_id");
  EXPECT_EQ(InfoOf(create("r", "rln", "volumes/a")).field(), "job");
  EXPECT_EQ(create("r", "rln", "jobs/none").error_code(), grpc::StatusCode::NOT_FOUND);
  server_->Drain();
  EXPECT_EQ(ReasonOf(create("r", "rln", "jobs/none")), v1::SHUTTING_DOWN);
}

TEST_F(ModelsApiTest, WithoutWorkersThatKnowNetworksNothingIsTrainedOrChecked) {
  v1::JobSpec spec;
  spec.mutable_train_model()->set_network("rln");
  spec.mutable_train_model()->set_psf_volume(Upload("a"));
  EXPECT_EQ(ReasonOf(Submit(spec)), v1::NO_WORKER);
  spec.mutable_check_model()->set_model_volume(Upload("b"));
  EXPECT_EQ(ReasonOf(Submit(spec)), v1::NO_WORKER);
}

}  // namespace
}  // namespace deconvoy::server
