#include <absl/time/clock.h>
#include <gmock/gmock.h>

#include "proto/contract/limits.h"
#include "tests/unit/server/api/api_fixture.h"
#include "tests/unit/server/api/raw_call.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class ServicesApiTest : public ApiTest {
 protected:
  v1::SynchronizeRequest Registration() const {
    v1::SynchronizeRequest request;
    request.set_worker("workers/w1");
    request.set_free_slots(1);
    v1::WorkerRegistration* registration = request.mutable_registration();
    registration->set_contract_version(limits::kContractVersion);
    registration->set_version("test");
    registration->set_host("here");
    registration->set_process_id(1);
    registration->set_backend("cpu");
    registration->set_memory_budget_bytes(1 << 30);
    registration->mutable_self_test()->set_passed(true);
    v1::Method* method = registration->add_methods();
    method->set_name("rl");
    method->add_backends("cpu");
    return request;
  }

  grpc::Status Synchronize(const v1::SynchronizeRequest& request, const std::string& authorization) {
    grpc::ClientContext context;
    if (!authorization.empty()) context.AddMetadata("authorization", authorization);
    v1::SynchronizeResponse response;
    return worker_stub_->Synchronize(&context, request, &response);
  }
};

TEST_F(ServicesApiTest, HealthSaysServingThenNot) {
  std::string answer;
  ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, std::string("\x08\x01"));
  answer.clear();
  const std::string jobs = std::string("\x0a\x10") + "deconvoy.v1.Jobs";
  ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check", jobs, &answer).ok());
  EXPECT_EQ(answer, std::string("\x08\x01"));
  server_->Drain();
  answer.clear();
  ASSERT_TRUE(CallRaw(channel_, "/grpc.health.v1.Health/Check", "", &answer).ok());
  EXPECT_EQ(answer, std::string("\x08\x02"));
}

TEST_F(ServicesApiTest, ReflectionListsTheServices) {
  std::string answer;
  const std::string list_services = "\x3a\x01*";
  ASSERT_TRUE(
      CallRaw(channel_, "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", list_services, &answer).ok());
  for (const char* name : {"deconvoy.v1.Volumes", "deconvoy.v1.Jobs", "deconvoy.v1.Methods", "deconvoy.v1.Psfs",
                           "deconvoy.v1.Workers", "deconvoy.v1.Admin", "grpc.health.v1.Health"}) {
    EXPECT_THAT(answer, HasSubstr(name));
  }
}

TEST_F(ServicesApiTest, ServerInfoSaysWhichServerThisIs) {
  grpc::ClientContext context;
  v1::ServerInfo info;
  ASSERT_TRUE(admin_stub_->GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.contract_version(), limits::kContractVersion);
  EXPECT_EQ(info.version(), DECONVOY_VERSION);
  EXPECT_GT(info.spool_free_bytes(), 0u);
  EXPECT_NEAR(static_cast<double>(info.start_time().seconds()), absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()),
              60);
}

TEST_F(ServicesApiTest, WorkerCallsNeedTheCredentialAndUserCallsDoNot) {
  for (const std::string& wrong : {std::string(), std::string("Bearer 0000"), std::string("Bearer ")}) {
    const grpc::Status status = Synchronize(Registration(), wrong);
    EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
    EXPECT_EQ(ReasonOf(status), v1::UNAUTHENTICATED_WORKER);
  }
  grpc::ClientContext fetch_context;
  v1::FetchInputResponse fetched;
  const auto fetch = worker_stub_->FetchInput(&fetch_context, {});
  EXPECT_FALSE(fetch->Read(&fetched));
  EXPECT_EQ(ReasonOf(fetch->Finish()), v1::UNAUTHENTICATED_WORKER);
  grpc::ClientContext deliver_context;
  v1::DeliverOutputResponse delivered;
  const auto deliver = worker_stub_->DeliverOutput(&deliver_context, &delivered);
  EXPECT_EQ(ReasonOf(deliver->Finish()), v1::UNAUTHENTICATED_WORKER);
  grpc::ClientContext context;
  v1::ListWorkersResponse workers;
  ASSERT_TRUE(admin_stub_->ListWorkers(&context, {}, &workers).ok());
  EXPECT_TRUE(workers.workers().empty());
}

TEST_F(ServicesApiTest, AWorkerRegistersIsListedAndDrained) {
  ASSERT_TRUE(Synchronize(Registration(), Authorization()).ok());
  {
    grpc::ClientContext context;
    v1::ListWorkersResponse workers;
    ASSERT_TRUE(admin_stub_->ListWorkers(&context, {}, &workers).ok());
    ASSERT_EQ(workers.workers_size(), 1);
    EXPECT_EQ(workers.workers(0).name(), "workers/w1");
    EXPECT_EQ(workers.workers(0).state(), v1::IDLE);
  }
  v1::DrainWorkerRequest drain;
  drain.set_worker("workers/w1");
  drain.set_drain(true);
  v1::Worker worker;
  {
    grpc::ClientContext context;
    ASSERT_TRUE(admin_stub_->DrainWorker(&context, drain, &worker).ok());
    EXPECT_EQ(worker.state(), v1::DRAINING);
  }
  drain.set_worker("workers/none");
  grpc::ClientContext context;
  EXPECT_EQ(ReasonOf(admin_stub_->DrainWorker(&context, drain, &worker)), v1::NOT_FOUND);
}

TEST_F(ServicesApiTest, MethodsAreThoseWorkersOffered) {
  v1::Method method;
  v1::GetMethodRequest request;
  request.set_method("rk");
  {
    grpc::ClientContext context;
    EXPECT_EQ(ReasonOf(method_stub_->Get(&context, request, &method)), v1::NOT_FOUND);
  }
  ASSERT_TRUE(Synchronize(Registration(), Authorization()).ok());
  {
    grpc::ClientContext context;
    v1::ListMethodsResponse list;
    ASSERT_TRUE(method_stub_->List(&context, {}, &list).ok());
    ASSERT_EQ(list.methods_size(), 1);
    EXPECT_EQ(list.methods(0).name(), "rl");
  }
  {
    grpc::ClientContext context;
    EXPECT_THAT(InfoOf(method_stub_->Get(&context, request, &method)).remedy(), HasSubstr("rl"));
  }
  request.set_method("rl");
  grpc::ClientContext context;
  EXPECT_TRUE(method_stub_->Get(&context, request, &method).ok());
}

TEST_F(ServicesApiTest, JobsThatAreNotThere) {
  v1::Job job;
  {
    grpc::ClientContext context;
    v1::GetJobRequest request;
    request.set_job("jobs/none");
    EXPECT_EQ(ReasonOf(job_stub_->Get(&context, request, &job)), v1::NOT_FOUND);
  }
  {
    grpc::ClientContext context;
    v1::CancelJobRequest request;
    request.set_job("no name");
    EXPECT_EQ(job_stub_->Cancel(&context, request, &job).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  {
    grpc::ClientContext context;
    v1::WatchJobRequest request;
    request.set_job("jobs/none");
    const auto stream = job_stub_->Watch(&context, request);
    v1::JobEvent event;
    EXPECT_FALSE(stream->Read(&event));
    EXPECT_EQ(ReasonOf(stream->Finish()), v1::NOT_FOUND);
  }
  {
    grpc::ClientContext context;
    v1::SubmitJobRequest request;
    request.set_request_id("empty");
    EXPECT_EQ(job_stub_->Submit(&context, request, &job).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  grpc::ClientContext context;
  v1::ListJobsResponse list;
  ASSERT_TRUE(job_stub_->List(&context, {}, &list).ok());
  EXPECT_TRUE(list.jobs().empty());
}

TEST_F(ServicesApiTest, ASimulationIsAcceptedWatchedAndCancelled) {
  ASSERT_TRUE(Synchronize(Registration(), Authorization()).ok());
  v1::SubmitJobRequest request;
  request.set_request_id("simulate");
  v1::SimulateSpec* simulate = request.mutable_spec()->mutable_simulate();
  simulate->mutable_shape()->set_z(8);
  simulate->mutable_shape()->set_y(16);
  simulate->mutable_shape()->set_x(16);
  simulate->set_kind(v1::BEADS);
  simulate->set_peak_photons(100);
  for (auto set : {&v1::VoxelSize::set_z_um, &v1::VoxelSize::set_y_um, &v1::VoxelSize::set_x_um}) {
    (simulate->mutable_voxel_size()->*set)(0.1);
    (simulate->mutable_psf_fwhm()->*set)(0.3);
  }
  v1::Job job;
  {
    grpc::ClientContext context;
    const grpc::Status status = job_stub_->Submit(&context, request, &job);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  grpc::ClientContext watch_context;
  v1::WatchJobRequest watch;
  watch.set_job(job.name());
  const auto stream = job_stub_->Watch(&watch_context, watch);
  v1::JobEvent event;
  ASSERT_TRUE(stream->Read(&event));
  {
    grpc::ClientContext context;
    v1::CancelJobRequest cancel;
    cancel.set_job(job.name());
    ASSERT_TRUE(job_stub_->Cancel(&context, cancel, &job).ok());
    EXPECT_EQ(job.state(), v1::CANCELLED);
  }
  while (!event.has_ended() && stream->Read(&event)) {
  }
  EXPECT_EQ(event.ended().state(), v1::CANCELLED);
  EXPECT_TRUE(stream->Finish().ok());
  v1::DeleteJobRequest remove;
  remove.set_job(job.name());
  grpc::ClientContext context;
  v1::DeleteJobResponse removed;
  EXPECT_TRUE(job_stub_->Delete(&context, remove, &removed).ok());
}

TEST_F(ServicesApiTest, ADeliveryOutOfOrderIsRefused) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", Authorization());
  v1::DeliverOutputResponse response;
  const auto stream = worker_stub_->DeliverOutput(&context, &response);
  v1::DeliverOutputRequest request;
  request.mutable_result();
  stream->Write(request);
  EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::INVALID_ARGUMENT);
}

TEST_F(ServicesApiTest, AnAddressInUseIsRefusedAndTheServerThereGoesOn) {
  ASSERT_OK_AND_ASSIGN(WorkerCredential credential, WorkerCredential::Open(folder_.path() / "second"));
  const auto second =
      ApiServer::Start({address_}, {.users = {.open_calls = kOpenCalls}}, std::move(credential), *core_);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr("another server"));
  grpc::ClientContext context;
  v1::ServerInfo info;
  EXPECT_TRUE(admin_stub_->GetServerInfo(&context, {}, &info).ok());
}

TEST_F(ServicesApiTest, PortZeroIsChosenAndTwoServersDoNotShareAPort) {
  ASSERT_OK_AND_ASSIGN(WorkerCredential credential, WorkerCredential::Open(folder_.path() / "tcp"));
  ASSERT_OK_AND_ASSIGN(const auto first,
                       ApiServer::Start({{.kind = Address::Kind::kTcp4, .host = "127.0.0.1"}},
                                        Door::Limits{.users = {.open_calls = kOpenCalls}}, credential, *core_));
  EXPECT_GT(first->addresses()[0].port, 0);
  EXPECT_FALSE(
      ApiServer::Start(first->addresses(), Door::Limits{.users = {.open_calls = kOpenCalls}}, credential, *core_).ok());
  const auto channel = grpc::CreateChannel(first->addresses()[0].Text(), grpc::InsecureChannelCredentials());
  grpc::ClientContext context;
  v1::ServerInfo info;
  EXPECT_TRUE(v1::Admin::NewStub(channel)->GetServerInfo(&context, {}, &info).ok());
}

TEST_F(ServicesApiTest, StopRemovesTheSocket) {
  server_->Stop(std::chrono::milliseconds(10));
  EXPECT_FALSE(std::filesystem::exists(address_.path));
}

}  // namespace
}  // namespace deconvoy::server
