#include "server/api/call.h"

#include <gmock/gmock.h>

#include <thread>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

v1::ErrorInfo DetailsOf(const grpc::Status& status) {
  v1::ErrorInfo info;
  EXPECT_TRUE(info.ParseFromString(status.error_details()));
  return info;
}

TEST(ToGrpc, OkStaysOk) {
  EXPECT_TRUE(ToGrpc(absl::OkStatus()).ok());
}

TEST(ToGrpc, EveryReasonKeepsItsCodeAndDetails) {
  const auto* reasons = v1::ErrorReason_descriptor();
  for (int i = 1; i < reasons->value_count(); ++i) {
    const auto reason = static_cast<v1::ErrorReason>(reasons->value(i)->number());
    const absl::Status status =
        MakeError({.reason = reason, .field = "f", .remedy = "do it", .metadata = {{"limit", "3"}}}, "wrong");
    const grpc::Status wire = ToGrpc(status);
    EXPECT_EQ(static_cast<int>(wire.error_code()), static_cast<int>(status.code()));
    EXPECT_EQ(wire.error_message(), "wrong");
    const v1::ErrorInfo info = DetailsOf(wire);
    EXPECT_EQ(info.reason(), reason);
    EXPECT_EQ(info.field(), "f");
    EXPECT_EQ(info.remedy(), "do it");
    EXPECT_EQ(info.metadata().at("limit"), "3");
  }
}

TEST(ToGrpc, ControlCharactersAreEscaped) {
  const grpc::Status wire = ToGrpc(absl::NotFoundError("no \x1b[31m\n volume"));
  EXPECT_EQ(wire.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(wire.error_message(), Printable("no \x1b[31m\n volume"));
  EXPECT_EQ(wire.error_message().find('\x1b'), std::string::npos);
}

TEST(ToGrpc, WhatDoesNotFitIntoHeadersIsShortened) {
  const std::string huge(100'000, 'x');
  const absl::Status status =
      MakeError({.reason = v1::DISK_FULL, .field = huge, .remedy = huge, .metadata = {{"path", huge}}}, huge);
  const grpc::Status wire = ToGrpc(status);
  EXPECT_LT(wire.error_message().size() + wire.error_details().size() * 4 / 3, 8192u);
  EXPECT_EQ(DetailsOf(wire).reason(), v1::DISK_FULL);
}

TEST(ToGrpc, MetadataGoesFirst) {
  const absl::Status status = MakeError(
      {.reason = v1::DISK_FULL, .remedy = "free some", .metadata = {{"path", std::string(5000, 'x')}}}, "full");
  EXPECT_EQ(DetailsOf(ToGrpc(status)).remedy(), "free some");
  EXPECT_TRUE(DetailsOf(ToGrpc(status)).metadata().empty());
}

class CallTest : public ::testing::Test {
 protected:
  CallTest()
      : store_(Store::Open(folder_.path() / "store.sqlite").value()),
        accounts_(TokenRule::kOff, *store_, SystemClock()),
        credential_(WorkerCredential::Open(folder_.path() / "credential").value()) {}

  testing::TemporaryFolder folder_;
  std::unique_ptr<Store> store_;
  Accounts accounts_;
  WorkerCredential credential_;
};

TEST_F(CallTest, WhoIsLetInAndWhatIsDoneThenCanBeTwoThreadsAffairs) {
  Door door({.users = {.open_calls = 1}}, credential_, accounts_, SystemClock());
  grpc::ServerContext context;
  Call first(door, Call::kUser, "Jobs.Get", context), second(door, Call::kUser, "Jobs.Get", context);
  EXPECT_FALSE(first.Refusal());
  EXPECT_EQ(first.owner(), "local");
  const std::optional<grpc::Status> refusal = second.Refusal();
  ASSERT_TRUE(refusal);
  EXPECT_EQ(DetailsOf(*refusal).reason(), v1::TOO_MANY_STREAMS);
  grpc::Status end;
  std::thread([&] { end = first.Serve([] { return absl::NotFoundError("not here"); }); }).join();
  EXPECT_EQ(end.error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(CallTest, TooManyOpenCallsAreRefusedUntilOneEnds) {
  Door door({.users = {.open_calls = 2}}, credential_, accounts_, SystemClock());
  grpc::ServerContext context;
  const auto body = [] { return absl::OkStatus(); };
  auto first = std::make_unique<Call>(door, Call::kUser, "Jobs.Get", context);
  Call second(door, Call::kUser, "Jobs.List", context);
  EXPECT_TRUE(first->Run(body).ok());
  EXPECT_TRUE(second.Run(body).ok());
  {
    Call third(door, Call::kUser, "Jobs.Cancel", context);
    const grpc::Status refused = third.Run(body);
    EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_EQ(DetailsOf(refused).reason(), v1::TOO_MANY_STREAMS);
    EXPECT_EQ(DetailsOf(refused).metadata().at("limit"), "2");
  }
  first.reset();
  Call fourth(door, Call::kUser, "Jobs.Get", context);
  EXPECT_TRUE(fourth.Run(body).ok());
}

TEST_F(CallTest, AWorkerCallWithoutCredentialRunsNothing) {
  Door door({.users = {.open_calls = 1}}, credential_, accounts_, SystemClock());
  grpc::ServerContext context;
  Call call(door, Call::kWorker, "Workers.Synchronize", context);
  bool ran = false;
  const grpc::Status status = call.Run([&] {
    ran = true;
    return absl::OkStatus();
  });
  EXPECT_EQ(DetailsOf(status).reason(), v1::UNAUTHENTICATED_WORKER);
  EXPECT_FALSE(ran);
}

TEST_F(CallTest, WhoShowsNoTokenRunsNothingWhereOneIsNeeded) {
  Accounts strict(TokenRule::kRequired, *store_, SystemClock());
  Door door({.users = {.open_calls = 1}}, credential_, strict, SystemClock());
  grpc::ServerContext context;
  Call call(door, Call::kUser, "Jobs.Get", context);
  const grpc::Status status = call.Run([] {
    ADD_FAILURE() << "the call was let in";
    return absl::OkStatus();
  });
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(DetailsOf(status).reason(), v1::NO_TOKEN);
}

TEST_F(CallTest, ACallThatNoTableKnowsRunsNothing) {
  Door door({.users = {.open_calls = 1}}, credential_, accounts_, SystemClock());
  grpc::ServerContext context;
  Call call(door, Call::kUser, "Jobs.Unheard", context);
  const grpc::Status status = call.Run([] {
    ADD_FAILURE() << "the call was let in";
    return absl::OkStatus();
  });
  EXPECT_EQ(DetailsOf(status).reason(), v1::ROLE_NOT_ALLOWED);
}

TEST_F(CallTest, AClosedDoorSaysShuttingDown) {
  Door door({.users = {.open_calls = 1}}, credential_, accounts_, SystemClock());
  EXPECT_OK(door.CheckOpen());
  door.Close();
  EXPECT_EQ(ReasonOf(door.CheckOpen()), v1::SHUTTING_DOWN);
  EXPECT_EQ(door.CheckOpen().code(), absl::StatusCode::kUnavailable);
}

}  // namespace
}  // namespace deconvoy::server
