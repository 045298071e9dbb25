// Pauses of jobs and of the server, classes of jobs, and usage, over the wire.
#include <fmt/format.h>
#include <gmock/gmock.h>

#include <thread>

#include "tests/unit/server/api/api_fixture.h"

namespace deconvoy::server {
namespace {

class AdminApiTest : public ApiTest {
 protected:
  grpc::Status Submit(int job_class, v1::Job* job) {
    v1::SubmitJobRequest request;
    request.set_request_id(fmt::format("r{}", ++requests_));
    v1::SimulateSpec& spec = *request.mutable_spec()->mutable_simulate();
    spec.set_kind(v1::BEADS);
    spec.set_peak_photons(100);
    spec.mutable_shape()->set_z(8);
    spec.mutable_shape()->set_y(8);
    spec.mutable_shape()->set_x(8);
    for (v1::VoxelSize* size : {spec.mutable_voxel_size(), spec.mutable_psf_fwhm()}) {
      size->set_z_um(0.1);
      size->set_y_um(0.1);
      size->set_x_um(0.1);
    }
    request.mutable_spec()->set_job_class(static_cast<v1::JobClass>(job_class));
    grpc::ClientContext context;
    return job_stub_->Submit(&context, request, job);
  }
  grpc::Status Pause(const std::string& name, v1::Job* job) {
    v1::PauseJobRequest request;
    request.set_job(name);
    grpc::ClientContext context;
    return job_stub_->Pause(&context, request, job);
  }
  grpc::Status Resume(const std::string& name, v1::Job* job) {
    v1::ResumeJobRequest request;
    request.set_job(name);
    grpc::ClientContext context;
    return job_stub_->Resume(&context, request, job);
  }
  grpc::Status Export(const std::string& first, const std::string& last, v1::ExportUsageResponse* usage) {
    v1::ExportUsageRequest request;
    request.set_first_month(first);
    request.set_last_month(last);
    grpc::ClientContext context;
    return admin_stub_->ExportUsage(&context, request, usage);
  }
  v1::ServerInfo Info() {
    grpc::ClientContext context;
    v1::ServerInfo info;
    EXPECT_TRUE(admin_stub_->GetServerInfo(&context, {}, &info).ok());
    return info;
  }

  int requests_ = 0;
};

TEST_F(AdminApiTest, AJobIsPausedAndGoesOn) {
  v1::Job job;
  const grpc::Status submitted = Submit(v1::BATCH, &job);
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  EXPECT_EQ(job.spec().job_class(), v1::BATCH);
  ASSERT_TRUE(Pause(job.name(), &job).ok());
  EXPECT_EQ(job.state(), v1::PAUSED);
  ASSERT_TRUE(Resume(job.name(), &job).ok());
  EXPECT_EQ(job.state(), v1::PENDING);
  EXPECT_EQ(ReasonOf(Pause("jobs/none", &job)), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(Resume("jobs/none", &job)), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(Pause("none", &job)), v1::INVALID_FIELD);
  EXPECT_EQ(ReasonOf(Resume("none", &job)), v1::INVALID_FIELD);
}

TEST_F(AdminApiTest, AClassThatThereIsNotIsRefused) {
  v1::Job job;
  const grpc::Status status = Submit(17, &job);
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD);
  EXPECT_EQ(InfoOf(status).field(), "job_class");
}

TEST_F(AdminApiTest, TheServerIsPausedAndGoesOn) {
  EXPECT_FALSE(Info().paused());
  for (const bool pause : {true, true, false}) {
    v1::PauseServerRequest request;
    request.set_pause(pause);
    grpc::ClientContext context;
    v1::ServerInfo info;
    ASSERT_TRUE(admin_stub_->PauseServer(&context, request, &info).ok());
    EXPECT_EQ(info.paused(), pause);
    EXPECT_EQ(info.version(), DECONVOY_VERSION);
    EXPECT_EQ(Info().paused(), pause);
  }
}

TEST_F(AdminApiTest, BytesWrittenAndReadAreUsage) {
  v1::Volume volume;
  const v1::VolumeSpec spec = Spec(4, 3, 2);
  ASSERT_TRUE(Create("volume", spec, &volume).ok());
  v1::WriteVolumeResponse written;
  ASSERT_TRUE(Write(volume.name(), {Planes(spec, 0, 3), Planes(spec, 3, 1)}, &written).ok());
  {
    grpc::ClientContext context;
    v1::FinishVolumeRequest request;
    request.set_volume(volume.name());
    ASSERT_TRUE(volume_stub_->Finish(&context, request, &volume).ok());
  }
  for (int i = 0; i < 2; ++i) {
    grpc::ClientContext context;
    v1::ReadVolumeRequest request;
    request.set_volume(volume.name());
    const auto reader = volume_stub_->Read(&context, request);
    for (v1::ReadVolumeResponse response; reader->Read(&response);) {
    }
    ASSERT_TRUE(reader->Finish().ok());
  }
  v1::ExportUsageResponse usage;
  ASSERT_TRUE(Export("", "", &usage).ok());
  ASSERT_EQ(usage.usage_size(), 1);
  EXPECT_EQ(usage.usage(0).user(), "users/local");
  EXPECT_EQ(usage.usage(0).group(), "");
  EXPECT_EQ(usage.usage(0).month().size(), 7U);
  EXPECT_EQ(usage.usage(0).bytes_in(), 24U);
  EXPECT_EQ(usage.usage(0).bytes_out(), 48U);
  EXPECT_EQ(usage.usage(0).tasks(), 0U);
  ASSERT_TRUE(Export("1999-01", "1999-12", &usage).ok());
  EXPECT_EQ(usage.usage_size(), 0);
}

TEST_F(AdminApiTest, BytesAreCountedWhileTheirStreamIsOpen) {
  const v1::VolumeSpec spec = Spec(2, 3, 4);
  v1::Volume volume;
  ASSERT_TRUE(Create("r", spec, &volume).ok());
  grpc::ClientContext context;
  const auto stream = volume_stub_->Write(&context);
  v1::WriteVolumeRequest request;
  request.set_volume(volume.name());
  *request.mutable_chunk() = Planes(spec, 0, 1);
  ASSERT_TRUE(stream->Write(request));
  v1::WriteVolumeResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.committed_bytes(), 12U);
  v1::ExportUsageResponse usage;
  for (int i = 0; i < 2000 && usage.usage_size() == 0; ++i) {
    ASSERT_TRUE(Export("", "", &usage).ok());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  ASSERT_EQ(usage.usage_size(), 1);
  EXPECT_EQ(usage.usage(0).bytes_in(), 12U);
  stream->WritesDone();
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(AdminApiTest, WhatIsNoMonthIsRefused) {
  v1::ExportUsageResponse usage;
  for (const char* month :
       {"2026", "2026-13", "2026-00", "2026-1", "2026-001", "26-01-01", "2026/01", "x", "2026-0\n"}) {
    const grpc::Status first = Export(month, "", &usage);
    EXPECT_EQ(ReasonOf(first), v1::INVALID_FIELD) << month;
    EXPECT_EQ(InfoOf(first).field(), "first_month");
    EXPECT_EQ(InfoOf(Export("", month, &usage)).field(), "last_month");
  }
}

}  // namespace
}  // namespace deconvoy::server
