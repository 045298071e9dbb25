#include <gmock/gmock.h>

#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class PsfsApiTest : public ApiTest {
 protected:
  // A complete volume.
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

  grpc::Status Keep(const std::string& request_id, const std::string& id, const std::string& volume, v1::Psf* psf) {
    grpc::ClientContext context;
    v1::CreatePsfRequest request;
    request.set_request_id(request_id);
    request.set_psf_id(id);
    request.set_volume(volume);
    return psf_stub_->Create(&context, request, psf);
  }

  grpc::Status Get(const std::string& name, v1::Psf* psf) {
    grpc::ClientContext context;
    v1::GetPsfRequest request;
    request.set_psf(name);
    return psf_stub_->Get(&context, request, psf);
  }

  grpc::Status List(const v1::ListPsfsRequest& request, v1::ListPsfsResponse* response) {
    grpc::ClientContext context;
    return psf_stub_->List(&context, request, response);
  }

  grpc::Status Delete(const std::string& name) {
    grpc::ClientContext context;
    v1::DeletePsfRequest request;
    request.set_psf(name);
    v1::DeletePsfResponse response;
    return psf_stub_->Delete(&context, request, &response);
  }

  grpc::Status DeleteVolume(const std::string& name) {
    grpc::ClientContext context;
    v1::DeleteVolumeRequest request;
    request.set_volume(name);
    v1::DeleteVolumeResponse response;
    return volume_stub_->Delete(&context, request, &response);
  }
};

TEST_F(PsfsApiTest, KeptFoundListedAndRemoved) {
  const std::string volume = Upload("a");
  v1::Psf psf, found;
  ASSERT_TRUE(Keep("k1", "gfp", volume, &psf).ok());
  EXPECT_EQ(psf.name(), "psfs/gfp/versions/1");
  EXPECT_EQ(psf.spec().digest().size(), 32U);
  ASSERT_TRUE(Keep("k1", "gfp", volume, &found).ok()) << "the same request again";
  EXPECT_EQ(found.SerializeAsString(), psf.SerializeAsString());
  ASSERT_TRUE(Keep("k2", "gfp", Upload("b"), &found).ok());
  EXPECT_EQ(found.name(), "psfs/gfp/versions/2");
  ASSERT_TRUE(Get("psfs/gfp", &found).ok());
  EXPECT_EQ(found.name(), "psfs/gfp/versions/2");
  ASSERT_TRUE(Get(psf.name(), &found).ok());
  EXPECT_EQ(found.volume(), volume);

  v1::ListPsfsRequest request;
  request.set_psf("psfs/gfp");
  request.set_page_size(1);
  v1::ListPsfsResponse page;
  ASSERT_TRUE(List(request, &page).ok());
  ASSERT_EQ(page.psfs_size(), 1);
  EXPECT_EQ(page.psfs(0).name(), "psfs/gfp/versions/2");
  request.set_page_token(page.next_page_token());
  ASSERT_TRUE(List(request, &page).ok());
  EXPECT_EQ(page.psfs(0).name(), "psfs/gfp/versions/1");
  EXPECT_EQ(page.next_page_token(), "");
  ASSERT_TRUE(List({}, &page).ok());
  ASSERT_EQ(page.psfs_size(), 1);
  EXPECT_EQ(page.psfs(0).name(), "psfs/gfp/versions/2");

  const grpc::Status held = DeleteVolume(volume);
  EXPECT_EQ(held.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(ReasonOf(held), v1::VOLUME_IN_USE);
  EXPECT_THAT(held.error_message(), HasSubstr(psf.name()));
  EXPECT_TRUE(Delete(psf.name()).ok());
  EXPECT_EQ(Delete(psf.name()).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(DeleteVolume(volume).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(Delete("psfs/gfp").ok());
  EXPECT_EQ(Get("psfs/gfp", &found).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(PsfsApiTest, WhatIsWrongIsNamed) {
  v1::Psf psf;
  const std::string volume = Upload("a");
  EXPECT_EQ(InfoOf(Keep("bad id!", "gfp", volume, &psf)).field(), "request_id");
  EXPECT_EQ(InfoOf(Keep("k", "GFP\x1b", volume, &psf)).field(), "psf_id");
  EXPECT_EQ(InfoOf(Keep("k", "gfp", "volumes/../a", &psf)).field(), "volume");
  EXPECT_EQ(Keep("k", "gfp", "volumes/none", &psf).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::Volume writing;
  ASSERT_TRUE(ApiTest::Create("writing", Spec(1, 1, 1), &writing).ok());
  EXPECT_EQ(ReasonOf(Keep("k", "gfp", writing.name(), &psf)), v1::VOLUME_INCOMPLETE);
  ASSERT_TRUE(Keep("k", "gfp", volume, &psf).ok());
  EXPECT_EQ(Keep("k", "dapi", volume, &psf).error_code(), grpc::StatusCode::ALREADY_EXISTS);
  const grpc::Status twice = Keep("other", "dapi", volume, &psf);
  EXPECT_EQ(ReasonOf(twice), v1::VOLUME_IN_USE);
  EXPECT_EQ(InfoOf(twice).metadata().at("psf"), "psfs/gfp/versions/1");
  for (const char* name : {"", "gfp", "psfs/GFP", "psfs/gfp/versions/x", "psfs/\x1b"}) {
    EXPECT_EQ(Get(name, &psf).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
    EXPECT_EQ(Delete(name).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
  }
}

TEST_F(PsfsApiTest, ADrainingServerKeepsNothingNew) {
  const std::string volume = Upload("a");
  v1::Psf psf;
  ASSERT_TRUE(Keep("k", "gfp", volume, &psf).ok());
  const std::string other = Upload("b");
  server_->Drain();
  EXPECT_EQ(ReasonOf(Keep("l", "gfp", other, &psf)), v1::SHUTTING_DOWN);
  EXPECT_TRUE(Get("psfs/gfp", &psf).ok());
}

}  // namespace
}  // namespace deconvoy::server
