// Imports and exports over the wire: what the calls answer, and what they refuse.
#include <gmock/gmock.h>

#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

class FileApiTest : public ApiTest {
 protected:
  grpc::Status Import(const std::string& request_id, const std::string& file, std::string* job) {
    grpc::ClientContext context;
    v1::ImportVolumeRequest request;
    request.set_request_id(request_id);
    request.set_file(file);
    request.set_display_name("mine");
    v1::ImportVolumeResponse response;
    grpc::Status status = volume_stub_->Import(&context, request, &response);
    *job = response.job();
    return status;
  }
  grpc::Status Export(const std::string& request_id, const std::string& volume, const std::string& file,
                      std::string* job) {
    grpc::ClientContext context;
    v1::ExportVolumeRequest request;
    request.set_request_id(request_id);
    request.set_volume(volume);
    request.set_file(file);
    request.set_overwrite(true);
    request.set_compression(v1::FILE_ZSTD);
    v1::ExportVolumeResponse response;
    grpc::Status status = volume_stub_->Export(&context, request, &response);
    *job = response.job();
    return status;
  }
  v1::Job Get(const std::string& name) {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job(name);
    v1::Job job;
    EXPECT_TRUE(job_stub_->Get(&context, request, &job).ok());
    return job;
  }
  std::string CompleteVolume() {
    const v1::VolumeSpec spec = Spec(1, 4, 4);
    v1::Volume volume;
    v1::WriteVolumeResponse last;
    EXPECT_TRUE(Create("volume", spec, &volume).ok());
    EXPECT_TRUE(Write(volume.name(), {Planes(spec, 0, 1)}, &last).ok());
    grpc::ClientContext context;
    v1::FinishVolumeRequest finish;
    finish.set_volume(volume.name());
    EXPECT_TRUE(volume_stub_->Finish(&context, finish, &volume).ok());
    return volume.name();
  }

  std::string job_, again_;
};

TEST_F(FileApiTest, BothAnswerJobsAndTheSameAgain) {
  ASSERT_TRUE(Import("i1", "data/raw.tif", &job_).ok());
  const v1::ImportSpec imported = Get(job_).spec().import_file();
  EXPECT_EQ(imported.file(), "data/raw.tif");
  EXPECT_EQ(imported.display_name(), "mine");
  ASSERT_TRUE(Import("i1", "data/raw.tif", &again_).ok());
  EXPECT_EQ(again_, job_);
  EXPECT_EQ(ReasonOf(Import("i1", "data/other.tif", &again_)), v1::REQUEST_ID_REUSED);

  const std::string volume = CompleteVolume();
  ASSERT_TRUE(Export("e1", volume, "data/out.tif", &job_).ok());
  const v1::ExportSpec exported = Get(job_).spec().export_file();
  EXPECT_EQ(exported.volume(), volume);
  EXPECT_EQ(exported.file(), "data/out.tif");
  EXPECT_TRUE(exported.overwrite());
  EXPECT_EQ(exported.compression(), v1::FILE_ZSTD);
}

TEST_F(FileApiTest, RefusalsHaveTheirCodes) {
  EXPECT_EQ(Import("", "data/raw.tif", &job_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Import("i1", "raw.tif", &job_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(Import("i2", "data/../raw.tif", &job_).error_code(), grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(Import("i3", "none/raw.tif", &job_).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Export("e1", "volumes/none", "data/out.tif", &job_).error_code(), grpc::StatusCode::NOT_FOUND);
  v1::Volume growing;
  ASSERT_TRUE(Create("growing", Spec(1, 4, 4), &growing).ok());
  EXPECT_EQ(ReasonOf(Export("e2", growing.name(), "data/out.tif", &job_)), v1::VOLUME_INCOMPLETE);
  EXPECT_EQ(Export("e3", CompleteVolume(), "data/out.png", &job_).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(FileApiTest, TheServerTellsWhichRootsTheCallerMayUse) {
  grpc::ClientContext context;
  v1::ServerInfo server;
  ASSERT_TRUE(admin_stub_->GetServerInfo(&context, {}, &server).ok());
  ASSERT_EQ(server.file_roots_size(), 1);
  EXPECT_EQ(server.file_roots(0).name(), "data");
  EXPECT_TRUE(server.file_roots(0).writable());
}

TEST_F(FileApiTest, OnlyRootsThatThereAreAreGiven) {
  v1::User user, answer;
  user.set_name("users/ada");
  user.set_role(v1::USER);
  const auto create = [&] {
    grpc::ClientContext context;
    v1::CreateUserRequest request;
    *request.mutable_user() = user;
    return admin_stub_->CreateUser(&context, request, &answer);
  };
  const auto set = [&](const std::vector<std::string>& roots) {
    grpc::ClientContext context;
    v1::UpdateUserRequest request;
    *request.mutable_user() = user;
    request.mutable_user()->mutable_file_roots()->Assign(roots.begin(), roots.end());
    request.add_fields("file_roots");
    return admin_stub_->UpdateUser(&context, request, &answer);
  };
  user.add_file_roots("nas");
  EXPECT_EQ(InfoOf(create()).field(), "user.file_roots");
  user.clear_file_roots();
  ASSERT_TRUE(create().ok());
  EXPECT_EQ(ReasonOf(set({"data", "nas"})), v1::INVALID_FIELD);
  EXPECT_TRUE(set({"data"}).ok());
  EXPECT_TRUE(set({"*"}).ok());
  // The server has been started without a root that somebody was given.
  ASSERT_OK(core_->accounts().Update({.id = "ada", .file_roots = {"nas"}}, {"file_roots"}));
  EXPECT_TRUE(set({"data", "nas"}).ok());
  EXPECT_TRUE(set({"data"}).ok());
  EXPECT_EQ(ReasonOf(set({"data", "nas"})), v1::INVALID_FIELD) << "it was taken back";
}

}  // namespace
}  // namespace deconvoy::server
