#include "client/cpp/client.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
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
  for (const char* address : {"", "localhost", "localhost:", ":80", "localhost:http", "localhost:70000", "unix:"}) {
    const auto client = Client::Connect(address, Impatient());
    EXPECT_EQ(ReasonOf(client.status()), v1::INVALID_FIELD) << address;
  }
}

TEST(ConnectTest, NamesTheServerThatDoesNotAnswer) {
  const auto client = Client::Connect("unix:/nonexistent/socket", Impatient());
  EXPECT_TRUE(absl::IsUnavailable(client.status()));
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("unix:/nonexistent/socket"));
  EXPECT_THAT(InfoOf(client.status()).remedy(), HasSubstr("deconvoyd"));
}

TEST(ConnectTest, RefusesAnotherContractAndSaysBoth) {
  FakeService service;
  service.SetContractVersion(7);
  const auto client = Client::Connect(service.address(), Impatient());
  EXPECT_EQ(ReasonOf(client.status()), v1::INCOMPATIBLE_VERSION);
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("version 7"));
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("version 1"));
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

TEST_F(CallTest, GivesUpAfterTheTotalTime) {
  service_.FailNext("Jobs.Submit", 1'000'000, Gone());
  const auto job = client_->Submit(Projection());
  EXPECT_EQ(ReasonOf(job.status()), v1::SHUTTING_DOWN) << "the server's own words stand";
  EXPECT_GT(service_.calls("Jobs.Submit"), 5);
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

}  // namespace
}  // namespace deconvoy::client
