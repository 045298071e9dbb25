// Who is let in, call by call, and that nobody reaches what belongs to somebody else.
#include <set>
#include <utility>
#include <vector>

#include "deconvoy/v1/deconvolution.grpc.pb.h"
#include "deconvoy/v1/models.pb.h"
#include "proto/contract/resource_name.h"
#include "server/auth/permissions.h"
#include "tests/unit/server/api/security_fixture.h"
#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// Calls of users that name nothing that could be somebody else's; lists show only what is their own.
const std::set<std::string_view> kNamesNothing = {
    "Volumes.Create", "Volumes.Import", "Volumes.List", "Jobs.List",           "Methods.List",
    "Methods.Get",    "Psfs.List",      "Models.List",  "Admin.GetServerInfo", "Admin.ListWorkers",
};

// A deconvolution with somebody's PSF.
v1::JobSpec DeconvolutionWith(const std::string& psf) {
  v1::JobSpec spec;
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  work.set_psf_volume(psf);
  work.set_method("rl");
  work.set_output_type(v1::U8);
  return spec;
}

v1::DeconvolveHeader HeaderWith(const std::string& psf, const v1::VolumeSpec& input) {
  v1::DeconvolveHeader header;
  header.set_session("s");
  *header.mutable_input() = input;
  *header.mutable_job() = DeconvolutionWith(psf);
  header.mutable_job()->mutable_deconvolve()->set_first_planes(2);
  *header.mutable_job()->mutable_deconvolve()->mutable_tile()->mutable_core() = ToProto(Shape3{4, 16, 8});
  return header;
}

TEST_F(SecurityApiTest, NoCallIsMadeWithoutAGoodToken) {
  const std::string expired = Add("late", v1::ADMIN, absl::Nanoseconds(1));
  const std::string revoked = Add("gone", v1::ADMIN), disabled = Add("off", v1::ADMIN);
  ASSERT_OK(core_->accounts().RevokeToken("gone", 1));
  ASSERT_OK(core_->accounts().Update({.id = "off", .disabled = true}, {"disabled"}));
  for (const Permission& row : Permissions()) {
    for (const std::string& shown : {std::string(), expired, revoked, disabled, admin_ + "0", std::string("Bearer "),
                                     std::string("Basic cm9vdDpyb290"), std::string("dcv_")}) {
      const grpc::Status status = Make(row.rpc, shown);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << row.rpc << ": " << status.error_message();
      if (shown == expired) {
        EXPECT_EQ(ReasonOf(status), v1::TOKEN_EXPIRED) << row.rpc;
      } else if (shown.empty()) {
        EXPECT_EQ(ReasonOf(status), row.worker ? v1::UNAUTHENTICATED_WORKER : v1::NO_TOKEN) << row.rpc;
      }
    }
  }
}

TEST_F(SecurityApiTest, EachRoleMakesItsCallsAndNoOther) {
  const std::pair<std::string, bool Permission::*> roles[] = {
      {ada_, &Permission::user}, {node_, &Permission::worker}, {admin_, &Permission::admin}};
  for (const Permission& row : Permissions()) {
    for (const auto& [authorization, may] : roles) {
      // A message that no call can take for one of its own, so that nothing is done by those that are let in.
      const grpc::Status status = Make(row.rpc, authorization);
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << row.rpc;
      EXPECT_EQ(status.error_code() == grpc::StatusCode::PERMISSION_DENIED, !(row.*may))
          << row.rpc << ": " << status.error_message();
      EXPECT_NE(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << row.rpc;
    }
  }
}

TEST_F(SecurityApiTest, TheWorkerCredentialOpensTheCallsOfWorkersOnly) {
  EXPECT_NE(Make("Workers.Synchronize", Authorization()).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Make("Volumes.List", Authorization()).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(Make("Admin.GetServerInfo", Authorization()).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

class OthersApiTest : public SecurityApiTest {
 protected:
  // Ada keeps the PSF `gfp` and the model `rln`.
  void KeepForAda() {
    ASSERT_OK(core_->store().InsertPsf({.owner = "ada",
                                        .id = "gfp",
                                        .volume_id = VolumeId(CompleteVolumeOf(ada_, "gfp"), "").value(),
                                        .create_time = absl::Now()},
                                       "", ""));
    ASSERT_OK(core_->store().InsertModel({.owner = "ada",
                                          .id = "rln",
                                          .volume_id = VolumeId(CompleteVolumeOf(ada_, "rln"), "").value(),
                                          .create_time = absl::Now()},
                                         "", ""));
  }

  // What is wrong with a call of Bob's; of a preflight, what it finds first.
  v1::ErrorReason Answer(const char* rpc, const std::string& request) {
    std::string response;
    const grpc::Status status = Make(rpc, bob_, request, &response);
    v1::PreflightReport report;
    if (!status.ok() || std::string_view(rpc) != "Jobs.Preflight") return ReasonOf(status);
    EXPECT_TRUE(report.ParseFromString(response));
    EXPECT_FALSE(report.accepted());
    return report.findings().empty() ? v1::ERROR_REASON_UNSPECIFIED : report.findings(0).info().reason();
  }
};

TEST_F(OthersApiTest, WhatBelongsToSomebodyElseIsNotThere) {
  const std::string volume = VolumeOf(ada_), psf = CompleteVolumeOf(ada_, "psf");
  ASSERT_FALSE(volume.empty());
  JobChange change{.job = {.id = "job1", .owner = "ada"}};
  change.job.job.mutable_spec()->mutable_simulate()->set_seed(1);
  ASSERT_OK(core_->store().InsertJob(change, "", ""));
  KeepForAda();
  ASSERT_OK(core_->accounts().Update({.id = "bob", .file_roots = {"data"}}, {"file_roots"}));
  core_->capabilities().AddMethods({RlMethod()});

  v1::WriteVolumeRequest write;
  write.set_volume(volume);
  v1::GetVolumeRequest get_volume;
  get_volume.set_volume(volume);
  v1::ReadVolumeRequest read;
  read.set_volume(volume);
  v1::FinishVolumeRequest finish;
  finish.set_volume(volume);
  v1::DeleteVolumeRequest delete_volume;
  delete_volume.set_volume(volume);
  v1::GetJobRequest get_job;
  get_job.set_job("jobs/job1");
  v1::WatchJobRequest watch;
  watch.set_job("jobs/job1");
  v1::CancelJobRequest cancel;
  cancel.set_job("jobs/job1");
  v1::PauseJobRequest pause;
  pause.set_job("jobs/job1");
  v1::ResumeJobRequest resume;
  resume.set_job("jobs/job1");
  v1::GetPreviewRequest preview;
  preview.set_job("jobs/job1");
  v1::DeleteJobRequest delete_job;
  delete_job.set_job("jobs/job1");
  v1::ExportVolumeRequest export_volume;
  export_volume.set_request_id("export");
  export_volume.set_volume(psf);
  export_volume.set_file("data/stolen.tif");
  v1::SubmitJobRequest submit;
  submit.set_request_id("submit");
  *submit.mutable_spec() = DeconvolutionWith(psf);
  submit.mutable_spec()->mutable_deconvolve()->set_input_volume(CompleteVolumeOf(bob_, "image"));
  v1::PreflightRequest preflight;
  *preflight.mutable_spec() = submit.spec();
  v1::DeconvolveRequest deconvolve;
  *deconvolve.mutable_header() = HeaderWith(psf, Spec(12, 16, 8));
  v1::GetPsfRequest get_psf;
  get_psf.set_psf("psfs/gfp");
  v1::DeletePsfRequest delete_psf;
  delete_psf.set_psf("psfs/gfp");
  v1::CreateModelRequest create_model;
  create_model.set_request_id("model");
  create_model.set_model_id("mine");
  create_model.set_job("jobs/job1");
  v1::GetModelRequest get_model;
  get_model.set_model("models/rln");
  v1::DeleteModelRequest delete_model;
  delete_model.set_model("models/rln");
  v1::CreatePsfRequest create_psf;
  create_psf.set_request_id("psf");
  create_psf.set_psf_id("mine");
  create_psf.set_volume(volume);
  v1::GetUserRequest get_user;
  get_user.set_user("users/ada");
  v1::ListTokensRequest tokens;
  tokens.set_user("users/ada");
  v1::RevokeTokenRequest revoke;
  revoke.set_token("users/ada/tokens/1");
  const std::pair<const char*, std::string> calls[] = {
      {"Volumes.Write", write.SerializeAsString()},
      {"Volumes.Get", get_volume.SerializeAsString()},
      {"Volumes.Read", read.SerializeAsString()},
      {"Volumes.Finish", finish.SerializeAsString()},
      {"Volumes.Export", export_volume.SerializeAsString()},
      {"Volumes.Delete", delete_volume.SerializeAsString()},
      {"Jobs.Submit", submit.SerializeAsString()},
      {"Jobs.Preflight", preflight.SerializeAsString()},
      {"Jobs.Get", get_job.SerializeAsString()},
      {"Jobs.Watch", watch.SerializeAsString()},
      {"Jobs.Cancel", cancel.SerializeAsString()},
      {"Jobs.Pause", pause.SerializeAsString()},
      {"Jobs.Resume", resume.SerializeAsString()},
      {"Jobs.GetPreview", preview.SerializeAsString()},
      {"Jobs.Delete", delete_job.SerializeAsString()},
      {"Deconvolution.Deconvolve", deconvolve.SerializeAsString()},
      {"Psfs.Create", create_psf.SerializeAsString()},
      {"Psfs.Get", get_psf.SerializeAsString()},
      {"Psfs.Delete", delete_psf.SerializeAsString()},
      {"Models.Create", create_model.SerializeAsString()},
      {"Models.Get", get_model.SerializeAsString()},
      {"Models.Delete", delete_model.SerializeAsString()},
      {"Admin.GetUser", get_user.SerializeAsString()},
      {"Admin.ListTokens", tokens.SerializeAsString()},
      {"Admin.RevokeToken", revoke.SerializeAsString()},
  };
  std::set<std::string_view> tried;
  for (const auto& [rpc, request] : calls) {
    EXPECT_EQ(Answer(rpc, request), v1::NOT_FOUND) << rpc;
    tried.insert(rpc);
  }
  for (const Permission& row : Permissions()) {
    if (!row.user) continue;
    EXPECT_NE(tried.contains(row.rpc), kNamesNothing.contains(row.rpc)) << row.rpc;
  }
  EXPECT_TRUE(Make("Volumes.Get", ada_, get_volume.SerializeAsString()).ok()) << "nothing of it has been touched";
  EXPECT_TRUE(Make("Jobs.Get", ada_, get_job.SerializeAsString()).ok());
  EXPECT_TRUE(Make("Admin.GetUser", ada_, get_user.SerializeAsString()).ok());
  EXPECT_TRUE(Make("Psfs.Get", ada_, get_psf.SerializeAsString()).ok());
  EXPECT_TRUE(Make("Models.Get", ada_, get_model.SerializeAsString()).ok());
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "stolen.tif"));
}

TEST_F(OthersApiTest, ASessionIsItsUsers) {
  core_->capabilities().AddMethods({RlMethod()});
  const auto stub = v1::Deconvolution::NewStub(channel_);
  const auto open = [&](const std::string& authorization, const std::string& request_id) {
    v1::DeconvolveRequest request;
    *request.mutable_header() = HeaderWith(CompleteVolumeOf(authorization, request_id), Spec(12, 16, 8));
    grpc::ClientContext context;
    context.AddMetadata("authorization", authorization);
    const auto stream = stub->Deconvolve(&context);
    v1::DeconvolveResponse response;
    EXPECT_TRUE(stream->Write(request) && stream->Read(&response));
    context.TryCancel();
    (void)stream->Finish();
    return response.opened();
  };
  const v1::SessionOpened hers = open(ada_, "psf"), his = open(bob_, "psf");
  EXPECT_FALSE(his.resumed());
  EXPECT_NE(his.input().name(), "");
  EXPECT_NE(his.input().name(), hers.input().name());
  EXPECT_NE(his.job().name(), hers.job().name());
}

TEST_F(OthersApiTest, ARecordingDoesNotTakeAMessageThatCannotBeReadForItsEnd) {
  core_->capabilities().AddMethods({RlMethod()});
  v1::DeconvolveRequest header;
  *header.mutable_header() = HeaderWith(CompleteVolumeOf(ada_, "psf"), Spec(12, 16, 8));
  const grpc::Status status = CallWithMessages(channel_, MethodOf("Deconvolution.Deconvolve"),
                                               {header.SerializeAsString(), "\xff\xff"}, nullptr, ada_);
  EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << status.error_message();
}

TEST_F(OthersApiTest, ALeaseIsItsWorkersWhoeverNamesIt) {
  v1::SynchronizeRequest synchronize;
  synchronize.set_worker("workers/hers");
  synchronize.set_free_slots(1);
  v1::WorkerRegistration& registration = *synchronize.mutable_registration();
  registration.set_contract_version(limits::kContractVersion);
  registration.set_backend("cpu");
  registration.set_memory_budget_bytes(1 << 30);
  registration.mutable_self_test()->set_passed(true);
  *registration.add_methods() = RlMethod();
  ASSERT_TRUE(Make("Workers.Synchronize", node_, synchronize.SerializeAsString()).ok());
  v1::SubmitJobRequest submit;
  submit.set_request_id("job");
  v1::ProjectSpec& project = *submit.mutable_spec()->mutable_project();
  project.set_input_volume(CompleteVolumeOf(ada_, "image"));
  project.set_axis(v1::ProjectSpec::Z);
  const grpc::Status submitted = Make("Jobs.Submit", ada_, submit.SerializeAsString());
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  synchronize.clear_registration();
  const auto ask = [&](const std::string& authorization) {
    std::string bytes;
    const grpc::Status status = Make("Workers.Synchronize", authorization, synchronize.SerializeAsString(), &bytes);
    EXPECT_TRUE(status.ok()) << status.error_message();
    v1::SynchronizeResponse answer;
    EXPECT_TRUE(answer.ParseFromString(bytes));
    return answer;
  };
  v1::SynchronizeResponse taken = ask(node_);
  for (int tries = 0; taken.assigned().empty() && tries < 100; ++tries)
    taken = ask(node_);  // inputs are looked at first
  ASSERT_EQ(taken.assigned_size(), 1);
  const v1::Task& task = taken.assigned(0);

  v1::FetchInputRequest fetch;
  fetch.set_worker(synchronize.worker());
  fetch.set_task(task.name());
  fetch.set_token(task.token());
  fetch.set_volume(task.inputs(0).volume());
  *fetch.mutable_region() = Planes(Spec(1, 1, 1), 0, 1).box();
  v1::DeliverOutputRequest deliver;
  deliver.mutable_header()->set_worker(synchronize.worker());
  deliver.mutable_header()->set_task(task.name());
  deliver.mutable_header()->set_token(task.token());
  v1::TaskStatus& report = *synchronize.add_tasks();
  report.set_task(task.name());
  report.set_token(task.token());
  for (const std::string& thief : {Add("thief", v1::WORKER), Authorization()}) {
    const v1::SynchronizeResponse answer = ask(thief);
    EXPECT_TRUE(answer.register_());
    EXPECT_TRUE(answer.assigned().empty());
    EXPECT_EQ(ReasonOf(Make("Workers.FetchInput", thief, fetch.SerializeAsString())), v1::STALE_LEASE);
    EXPECT_EQ(ReasonOf(Make("Workers.DeliverOutput", thief, deliver.SerializeAsString())), v1::STALE_LEASE);
  }
  EXPECT_TRUE(ask(node_).cancelled().empty()) << "she still holds it";
  EXPECT_TRUE(Make("Workers.FetchInput", node_, fetch.SerializeAsString()).ok());
  EXPECT_EQ(ReasonOf(Make("Workers.DeliverOutput", node_, deliver.SerializeAsString())), v1::INVALID_FIELD)
      << "it is hers to deliver, though this is not whole";
}

TEST_F(OthersApiTest, VersionsOfSomebodyElsesAreNotListed) {
  KeepForAda();
  v1::ListPsfsRequest psfs;
  psfs.set_psf("psfs/gfp");
  v1::ListModelsRequest models;
  models.set_model("models/rln");
  for (const auto& [rpc, request] :
       {std::pair("Psfs.List", psfs.SerializeAsString()), std::pair("Models.List", models.SerializeAsString())}) {
    std::string hers, his;
    EXPECT_TRUE(Make(rpc, ada_, request, &hers).ok()) << rpc;
    EXPECT_NE(hers, "") << rpc;
    Make(rpc, bob_, request, &his);
    EXPECT_EQ(his, "") << rpc;
  }
}

TEST_F(SecurityApiTest, AJobOnSomebodyElsesVolumeIsRefusedAsOnOneThatIsNotThere) {
  const auto submit = [this](const std::string& volume) {
    v1::SubmitJobRequest request;
    request.set_request_id(volume.substr(volume.find('/') + 1));
    request.mutable_spec()->mutable_project()->set_input_volume(volume);
    request.mutable_spec()->mutable_project()->set_axis(v1::ProjectSpec::Z);
    return Make("Jobs.Submit", bob_, request.SerializeAsString());
  };
  const std::string volume = VolumeOf(ada_);
  const grpc::Status hers = submit(volume), none = submit("volumes/nothere");
  EXPECT_FALSE(hers.ok());
  EXPECT_EQ(hers.error_code(), none.error_code());
  EXPECT_EQ(ReasonOf(hers), ReasonOf(none));
  EXPECT_EQ(InfoOf(hers).remedy(), InfoOf(none).remedy());
  EXPECT_THAT(hers.error_message(), Not(HasSubstr("not complete"))) << "which would tell that it is there";
}

TEST_F(SecurityApiTest, ListsHoldWhatTheCallerOwns) {
  VolumeOf(ada_);
  for (const auto& [authorization, count] : {std::pair(ada_, 1), std::pair(bob_, 0), std::pair(admin_, 0)}) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", authorization);
    v1::ListVolumesResponse list;
    ASSERT_TRUE(volume_stub_->List(&context, {}, &list).ok());
    EXPECT_EQ(list.volumes_size(), count);
  }
}

TEST_F(SecurityApiTest, TheServerSaysWhoCalls) {
  grpc::ClientContext context;
  context.AddMetadata("authorization", ada_);
  v1::ServerInfo info;
  ASSERT_TRUE(admin_stub_->GetServerInfo(&context, {}, &info).ok());
  EXPECT_EQ(info.user(), "users/ada");
  EXPECT_EQ(info.role(), v1::USER);
}

TEST_F(SecurityApiTest, AnAdminMakesUsersAndTokensThatWorkUntilTheyAreRevoked) {
  v1::CreateUserRequest create;
  create.mutable_user()->set_name("users/eve");
  create.mutable_user()->set_role(v1::USER);
  create.mutable_user()->mutable_quota()->set_jobs(3);
  EXPECT_TRUE(Make("Admin.CreateUser", admin_, create.SerializeAsString()).ok());
  EXPECT_EQ(Make("Admin.CreateUser", admin_, create.SerializeAsString()).error_code(),
            grpc::StatusCode::ALREADY_EXISTS);
  v1::CreateTokenResponse made;
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", admin_);
    v1::CreateTokenRequest request;
    request.set_user("users/eve");
    request.set_label("laptop");
    request.set_lifetime_seconds(3600);
    ASSERT_TRUE(admin_stub_->CreateToken(&context, request, &made).ok());
  }
  EXPECT_EQ(made.token().name(), "users/eve/tokens/1");
  EXPECT_EQ(made.token().expire_time().seconds() - made.token().create_time().seconds(), 3600);
  const std::string eve = "Bearer " + made.text();
  {
    grpc::ClientContext context;
    context.AddMetadata("authorization", eve);
    v1::User user;
    ASSERT_TRUE(admin_stub_->GetUser(&context, {}, &user).ok());
    EXPECT_EQ(user.name(), "users/eve");
    EXPECT_EQ(user.weight(), 1);
    EXPECT_EQ(user.quota().jobs(), 3U);
  }
  v1::RevokeTokenRequest revoke;
  revoke.set_token(made.token().name());
  EXPECT_TRUE(Make("Admin.RevokeToken", eve, revoke.SerializeAsString()).ok()) << "it is their own";
  EXPECT_EQ(ReasonOf(Make("Admin.GetUser", eve)), v1::BAD_TOKEN);
}

TEST_F(SecurityApiTest, AnAdminWeighsGroups) {
  ASSERT_OK(core_->accounts().Update({.id = "bob", .group = "lab"}, {"group"}));
  v1::SetGroupWeightRequest set;
  set.set_group("lab");
  set.set_weight(20);
  EXPECT_EQ(Make("Admin.SetGroupWeight", bob_, set.SerializeAsString()).error_code(),
            grpc::StatusCode::PERMISSION_DENIED);
  EXPECT_EQ(core_->dispatcher().ShareOfOwner("bob").group_weight, 1);
  std::string answer;
  EXPECT_TRUE(Make("Admin.SetGroupWeight", admin_, set.SerializeAsString(), &answer).ok());
  v1::Group group;
  ASSERT_TRUE(group.ParseFromString(answer));
  EXPECT_EQ(group.name(), "lab");
  EXPECT_EQ(group.weight(), 20);
  EXPECT_EQ(group.users(), 1U);
  EXPECT_EQ(core_->dispatcher().ShareOfOwner("bob").group_weight, 20);
  EXPECT_EQ(core_->dispatcher().ShareOfOwner("ada").group_weight, 1);
  EXPECT_THAT(log_.str(), HasSubstr("what=\"Admin.SetGroupWeight\" about=\"lab weight=20\" outcome=\"ok\""));
  v1::ListGroupsResponse list;
  answer.clear();
  ASSERT_TRUE(Make("Admin.ListGroups", admin_, "", &answer).ok());
  ASSERT_TRUE(list.ParseFromString(answer));
  ASSERT_EQ(list.groups_size(), 1);
  EXPECT_EQ(list.groups(0).ShortDebugString(), group.ShortDebugString());
  set.set_group("nobody's");
  EXPECT_EQ(Make("Admin.SetGroupWeight", admin_, set.SerializeAsString()).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(SecurityApiTest, TheAuditLogTellsWhatWasChangedAndWhoWasTurnedAwayButNoToken) {
  v1::UpdateUserRequest update;
  update.mutable_user()->set_name("users/bob");
  update.mutable_user()->set_group("a\" who=\"x\x1b[31m\n");
  update.add_fields("group");
  EXPECT_EQ(Make("Admin.UpdateUser", admin_, update.SerializeAsString()).error_code(),
            grpc::StatusCode::INVALID_ARGUMENT);
  v1::DeleteVolumeRequest remove;
  remove.set_volume(VolumeOf(ada_));
  EXPECT_TRUE(Make("Volumes.Delete", ada_, remove.SerializeAsString()).ok());
  Make("Volumes.List", "Bearer wrong-token");
  v1::CreateUserRequest flood;
  flood.mutable_user()->set_name(std::string(100'000, 'n'));
  const size_t before = log_.str().size();
  Make("Admin.CreateUser", "", flood.SerializeAsString());
  EXPECT_LT(log_.str().size() - before, 10'000U) << "a stranger fills the disk";
  const std::string log = log_.str();
  EXPECT_THAT(log, HasSubstr("audit who=\"root\" from=\"unix:"));
  EXPECT_THAT(log, HasSubstr("what=\"Admin.UpdateUser\" about=\"users/bob group=a\\\" who"));
  EXPECT_THAT(log, HasSubstr("audit who=\"ada\""));
  EXPECT_THAT(log, HasSubstr("what=\"Volumes.Delete\" about=\"" + remove.volume() + "\" outcome=\"ok\""));
  EXPECT_THAT(log, HasSubstr("audit who=\"\" from=\"unix:"));
  EXPECT_THAT(log, HasSubstr("outcome=\"UNAUTHENTICATED"));
  EXPECT_THAT(log, Not(HasSubstr("\x1b")));
  for (const std::string& token : {admin_, ada_, bob_, node_, std::string("wrong-token")}) {
    EXPECT_THAT(log, Not(HasSubstr(token.substr(token.find(' ') + 1))));
  }
}

}  // namespace
}  // namespace deconvoy::server
