#include "client/cpp/client.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "deconvoy/v1/admin.grpc.pb.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "tests/support/fake_service.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::deconvoy::testing::FakeService;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

ConnectOptions Impatient() {
  ConnectOptions options;
  options.connect_timeout = absl::Milliseconds(300);
  options.retry = {
      .initial = absl::Milliseconds(2), .longest = absl::Milliseconds(10), .total = absl::Milliseconds(500)};
  return options;
}

absl::Status Gone() {
  return MakeError({.reason = v1::SHUTTING_DOWN}, "the server is stopping");
}

v1::JobSpec Projection() {
  v1::JobSpec spec;
  spec.mutable_project()->set_input_volume("volumes/a");
  spec.mutable_project()->set_axis(v1::ProjectSpec::Z);
  return spec;
}

TEST(ConnectTest, SaysWhoTheServerIs) {
  FakeService service;
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(service.address(), Impatient()));
  EXPECT_EQ(client.server().version(), "9.8.7");
}

TEST(ConnectTest, RefusesWhatIsNoAddress) {
  for (const char* address : {"", "localhost", "localhost:", ":80", "localhost:http", "localhost:70000",
                              "unix:", "a b:80", "host/path:80", "user@host:80", "[::1:80", "[]:80", "[host]:80"}) {
    const auto client = Client::Connect(address, Impatient());
    EXPECT_EQ(ReasonOf(client.status()), v1::INVALID_FIELD) << address;
  }
}

std::string RemedyFor(const char* address) {
  return InfoOf(Client::Connect(address, Impatient()).status()).remedy();
}

TEST(ConnectTest, SaysHowAnAddressIsWritten) {
  EXPECT_THAT(RemedyFor("http://localhost:7450"), HasSubstr("without http://"));
  EXPECT_THAT(RemedyFor("grpc://localhost:7450/"), HasSubstr("without http://"));
  EXPECT_THAT(RemedyFor("::1:7450"), HasSubstr("in brackets"));
  EXPECT_THAT(RemedyFor("localhost"), HasSubstr("localhost:7450"));
}

TEST(ConnectTest, NamesTheServerThatDoesNotAnswer) {
  const auto client = Client::Connect("unix:/nonexistent/socket", Impatient());
  EXPECT_TRUE(absl::IsUnavailable(client.status()));
  EXPECT_EQ(client.status().message(), "the server at unix:/nonexistent/socket cannot be reached (no such file)");
  const v1::ErrorInfo info = InfoOf(client.status());
  EXPECT_THAT(info.remedy(), HasSubstr("deconvoyd"));
  EXPECT_THAT(info.metadata().at("transport"), HasSubstr("No such file or directory"));
}

TEST(ConnectTest, SaysWhenNobodyListens) {
  for (const char* address : {"127.0.0.1:1", "[::1]:1"}) {
    const auto client = Client::Connect(address, Impatient());
    EXPECT_THAT(std::string(client.status().message()), HasSubstr("cannot be reached (connection refused)")) << address;
  }
}

TEST(ConnectTest, StopEndsIt) {
  ConnectOptions patient;
  patient.connect_timeout = absl::Minutes(2);
  std::stop_source stop;
  std::jthread stopper([&stop] {
    absl::SleepFor(absl::Milliseconds(50));
    stop.request_stop();
  });
  const absl::Time start = absl::Now();
  const auto client = Client::Connect("unix:/nonexistent/socket", patient, stop.get_token());
  EXPECT_TRUE(absl::IsCancelled(client.status())) << client.status();
  EXPECT_LT(absl::Now() - start, absl::Minutes(1));
}

TEST(ConnectTest, RefusesAnotherContractAndSaysBoth) {
  FakeService service;
  service.SetContractVersion(7);
  const auto client = Client::Connect(service.address(), Impatient());
  EXPECT_EQ(ReasonOf(client.status()), v1::INCOMPATIBLE_VERSION);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("version 7"));
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("version 1"));
}

// A server that only says who it is.
class Greeter {
 public:
  explicit Greeter(const std::string& address) {
    grpc::ServerBuilder builder;
    builder.AddListeningPort(address, grpc::InsecureServerCredentials());
    builder.RegisterService(&admin_);
    server_ = builder.BuildAndStart();
  }

 private:
  struct Admin final : v1::Admin::Service {
    grpc::Status GetServerInfo(grpc::ServerContext*, const v1::GetServerInfoRequest*, v1::ServerInfo* info) override {
      info->set_contract_version(limits::kContractVersion);
      return grpc::Status::OK;
    }
  };

  Admin admin_;
  std::unique_ptr<grpc::Server> server_;
};

TEST(ConnectTest, FindsAServerThatComesLater) {
  const testing::TemporaryFolder folder;
  const std::string address = "unix:" + (folder.path() / "socket").string();
  ConnectOptions patient;
  patient.connect_timeout = absl::Minutes(2);
  std::unique_ptr<Greeter> server;
  absl::Time started;
  std::jthread starter([&] {
    absl::SleepFor(absl::Milliseconds(400));
    server = std::make_unique<Greeter>(address);
    started = absl::Now();
  });
  const auto client = Client::Connect(address, patient);
  const absl::Time connected = absl::Now();
  starter.join();
  ASSERT_OK(client.status());
  EXPECT_LT(connected - started, absl::Seconds(15));
}

TEST(ConnectTest, AServerThatDoesNotKnowTheCallIsNotOurs) {
  const testing::TemporaryFolder folder;
  const std::string address = "unix:" + (folder.path() / "socket").string();
  const Greeter server(address);
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(address, Impatient()));
  const auto job = client.GetJob("jobs/a");
  EXPECT_EQ(ReasonOf(job.status()), v1::INCOMPATIBLE_VERSION);
  EXPECT_THAT(std::string(job.status().message()), HasSubstr(address));
}

class CallTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(Client connected, Client::Connect(service_.address(), Impatient()));
    client_ = std::make_unique<Client>(connected);
  }

  FakeService service_;
  std::unique_ptr<Client> client_;
};

TEST_F(CallTest, TriesAgainWhileTheServerIsUnavailable) {
  service_.FailNext("Jobs.Submit", 3, Gone());
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_EQ(service_.calls("Jobs.Submit"), 4);
}

// gRPC ends calls so itself, without a reason of the server's.
TEST_F(CallTest, TriesAgainWhereGrpcHasNoRoomForTheCall) {
  service_.FailNext("Jobs.Submit", 2, absl::ResourceExhaustedError("Server Threadpool Exhausted"));
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_EQ(service_.calls("Jobs.Submit"), 3);
}

TEST_F(CallTest, WhatIsTooLargeStaysSo) {
  service_.FailNext("Jobs.Submit", 2,
                    absl::ResourceExhaustedError("Received message larger than max (1048577 vs. 1048576)"));
  EXPECT_TRUE(absl::IsResourceExhausted(client_->Submit(Projection()).status()));
  EXPECT_EQ(service_.calls("Jobs.Submit"), 1);
}

TEST_F(CallTest, GivesUpAfterTheTotalTime) {
  service_.FailNext("Jobs.Submit", 1'000'000, Gone());
  const auto job = client_->Submit(Projection());
  EXPECT_EQ(ReasonOf(job.status()), v1::SHUTTING_DOWN) << "the server's own words stand";
  EXPECT_GT(service_.calls("Jobs.Submit"), 5);
}

TEST_F(CallTest, StopEndsTheRepetitions) {
  service_.FailNext("Jobs.Submit", 1'000'000, Gone());
  service_.FailNext("Jobs.Get", 1'000'000, Gone());
  std::stop_source stop;
  stop.request_stop();
  EXPECT_TRUE(absl::IsCancelled(client_->Submit(Projection(), stop.get_token()).status()));
  EXPECT_TRUE(absl::IsCancelled(client_->GetJob("jobs/a", stop.get_token()).status()));
}

TEST_F(CallTest, WhatAnAttemptHasCreatedIsKnownThoughStopWasRequested) {
  std::stop_source stop;
  stop.request_stop();
  ASSERT_OK_AND_ASSIGN(const v1::Job job, client_->Submit(Projection(), stop.get_token()));
  EXPECT_TRUE(service_.jobs().contains(job.name()));
}

TEST_F(CallTest, ACallThatIsBrokenOffIsTriedAgain) {
  service_.FailNext("Jobs.Submit", 1, absl::CancelledError("CANCELLED"));
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_EQ(service_.calls("Jobs.Submit"), 2);
}

TEST_F(CallTest, ACallThatCameTooSoonIsTriedAgain) {
  const absl::Status refused = MakeError({.reason = v1::TOO_MANY_CALLS, .metadata = {{"retry_after_ms", "5"}}}, "no");
  service_.FailNext("Jobs.Submit", 1, refused);
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_EQ(service_.calls("Jobs.Submit"), 2);
}

TEST_F(CallTest, TriesNothingElseAgain) {
  for (const v1::ErrorReason reason :
       {v1::INVALID_FIELD, v1::NO_WORKER, v1::DISK_FULL, v1::STORAGE_FAILURE, v1::TOO_MANY_STREAMS}) {
    const int before = service_.calls("Jobs.Submit");
    service_.FailNext("Jobs.Submit", 1, MakeError({.reason = reason, .field = "f", .remedy = "r"}, "no"));
    const auto job = client_->Submit(Projection());
    EXPECT_EQ(ReasonOf(job.status()), reason);
    EXPECT_EQ(InfoOf(job.status()).remedy(), "r");
    EXPECT_EQ(service_.calls("Jobs.Submit"), before + 1) << v1::ErrorReason_Name(reason);
  }
}

TEST_F(CallTest, RepetitionsCarryTheSameRequestId) {
  service_.LoseAnswerOf("Jobs.Submit");
  service_.FailNext("Jobs.Submit", 1, Gone());
  EXPECT_OK(client_->Submit(Projection()));
  const auto ids = service_.request_ids("Jobs.Submit");
  ASSERT_EQ(ids.size(), 3u);
  EXPECT_THAT(ids, ElementsAre(ids[0], ids[0], ids[0]));
  EXPECT_EQ(service_.jobs().size(), 1u) << "the lost answer had made the job already";
}

TEST_F(CallTest, EveryCreationHasItsOwnRequestId) {
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_OK(client_->Submit(Projection()));
  EXPECT_EQ(service_.jobs().size(), 2u);
}

TEST_F(CallTest, ListsAllPages) {
  for (int i = 0; i < 250; ++i) ASSERT_OK(client_->Submit(Projection()));
  ASSERT_OK_AND_ASSIGN(const auto all, client_->ListJobs(false, 1000));
  EXPECT_EQ(all.size(), 250u);
  ASSERT_OK_AND_ASSIGN(const auto some, client_->ListJobs(false, 120));
  EXPECT_EQ(some.size(), 120u);
}

TEST(PsfsTest, AreCreatedOnceFoundListedAndDeleted) {
  FakeService service;
  ASSERT_OK_AND_ASSIGN(const Client client, Client::Connect(service.address(), Impatient()));
  v1::VolumeSpec spec;
  for (const auto set :
       {&v1::Shape5::set_t, &v1::Shape5::set_c, &v1::Shape5::set_z, &v1::Shape5::set_y, &v1::Shape5::set_x})
    (spec.mutable_shape()->*set)(1);
  spec.set_type(v1::U8);
  const auto zeros = [](int64_t, int64_t, int64_t, std::span<std::byte>) { return absl::OkStatus(); };
  v1::CreatePsfRequest request;
  request.set_psf_id("gfp");
  ASSERT_OK_AND_ASSIGN(*request.mutable_volume(), client.Upload(spec, zeros));
  service.LoseAnswerOf("Psfs.Create");
  ASSERT_OK_AND_ASSIGN(const v1::Psf psf, client.CreatePsf(request));
  EXPECT_EQ(psf.name(), "psfs/gfp/versions/1");
  const auto ids = service.request_ids("Psfs.Create");
  EXPECT_THAT(ids, ElementsAre(ids.front(), ids.front())) << "a repetition is the same request";
  ASSERT_OK_AND_ASSIGN(const v1::Psf found, client.GetPsf("psfs/gfp"));
  EXPECT_EQ(found.volume(), request.volume());
  ASSERT_OK_AND_ASSIGN(const auto all, client.ListPsfs("psfs/gfp"));
  EXPECT_EQ(all.size(), 1U);
  ASSERT_OK(client.DeletePsf(psf.name()));
  EXPECT_EQ(ReasonOf(client.GetPsf("psfs/gfp").status()), v1::NOT_FOUND);
}

}  // namespace
}  // namespace deconvoy::client
