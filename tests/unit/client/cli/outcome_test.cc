#include "client/cli/outcome.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

absl::Status Of(v1::ErrorReason reason) {
  return MakeError({.reason = reason}, "x");
}

TEST(ExitCodeTest, FollowsTheErrorsKind) {
  EXPECT_EQ(ExitCodeOf(absl::OkStatus()), ExitCode::kOk);
  EXPECT_EQ(ExitCodeOf(UsageError("x")), ExitCode::kUsage);
  for (const auto reason : {v1::INVALID_FIELD, v1::LIMIT_EXCEEDED, v1::NOT_FOUND, v1::VOXEL_SIZE_MISMATCH,
                            v1::SHAPE_MISMATCH, v1::NOT_FINITE_INPUT, v1::BAD_PSF})
    EXPECT_EQ(ExitCodeOf(Of(reason)), ExitCode::kInvalidInput) << v1::ErrorReason_Name(reason);
  for (const auto reason : {v1::UNKNOWN_METHOD, v1::UNKNOWN_PARAMETER, v1::PARAMETER_OUT_OF_RANGE})
    EXPECT_EQ(ExitCodeOf(Of(reason)), ExitCode::kUsage) << v1::ErrorReason_Name(reason);
  const ErrorDetails parameter = {.reason = v1::INVALID_FIELD, .field = "deconvolve.parameters[\"iterations\"]"};
  EXPECT_EQ(ExitCodeOf(MakeError(parameter, "x")), ExitCode::kUsage);
  for (const auto reason : {v1::SHUTTING_DOWN, v1::INCOMPATIBLE_VERSION})
    EXPECT_EQ(ExitCodeOf(Of(reason)), ExitCode::kUnreachable) << v1::ErrorReason_Name(reason);
  for (const auto reason : {v1::CHECKSUM_MISMATCH, v1::BAD_OUTPUT, v1::WORKER_CRASHED, v1::ATTEMPTS_EXHAUSTED})
    EXPECT_EQ(ExitCodeOf(Of(reason)), ExitCode::kFailed) << v1::ErrorReason_Name(reason);
  for (const auto reason : {v1::DISK_FULL, v1::OUT_OF_MEMORY, v1::TOO_MANY_STREAMS, v1::NO_WORKER, v1::VOLUME_IN_USE})
    EXPECT_EQ(ExitCodeOf(Of(reason)), ExitCode::kRefused) << v1::ErrorReason_Name(reason);
  EXPECT_EQ(ExitCodeOf(Of(v1::CANCELLED_BY_USER)), ExitCode::kCancelled);
  EXPECT_EQ(ExitCodeOf(absl::UnavailableError("x")), ExitCode::kUnreachable);
  EXPECT_EQ(ExitCodeOf(absl::PermissionDeniedError("x")), ExitCode::kRefused);
  EXPECT_EQ(ExitCodeOf(absl::InternalError("x")), ExitCode::kFailed);
}

TEST(ExitCodeTest, AGivenCodeStands) {
  EXPECT_EQ(ExitCodeOf(WithExitCode(absl::InternalError("x"), ExitCode::kRefused)), ExitCode::kRefused);
  EXPECT_TRUE(WithExitCode(absl::OkStatus(), ExitCode::kRefused).ok());
}

v1::Job Ended(const absl::Status& error) {
  v1::Job job;
  job.set_name("jobs/a");
  job.set_state(v1::FAILED);
  *job.mutable_error() = ToStored(error);
  return job;
}

TEST(OutcomeTest, AFailedJobExitsBy) {
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(v1::ATTEMPTS_EXHAUSTED)))), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(v1::OUT_OF_MEMORY)))), ExitCode::kFailed);
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(v1::NOT_FINITE_INPUT)))), ExitCode::kInvalidInput);
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(v1::VOLUME_GONE)))), ExitCode::kFailed) << "nobody cancelled it";
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(v1::NOT_FOUND)))), ExitCode::kInvalidInput) << "as a file of the client";
  for (const auto reason : {v1::FILE_EXISTS, v1::PATH_NOT_ALLOWED})
    EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(Of(reason)))), ExitCode::kRefused) << "as at the call";
  EXPECT_EQ(ExitCodeOf(OutcomeOf(Ended(absl::OkStatus()))), ExitCode::kFailed) << "even where it does not say why";
}

TEST(OutcomeTest, OtherEnds) {
  v1::Job job;
  job.set_state(v1::SUCCEEDED);
  EXPECT_OK(OutcomeOf(job));
  job.set_state(v1::CANCELLED);
  EXPECT_EQ(ExitCodeOf(OutcomeOf(job)), ExitCode::kCancelled);
  job.set_state(v1::RUNNING);
  EXPECT_EQ(ReasonOf(OutcomeOf(job)), v1::JOB_NOT_ENDED);
}

TEST(ErrorTextTest, SaysWhatAndThenWhatToDo) {
  const absl::Status error =
      MakeError({.reason = v1::INVALID_FIELD, .remedy = "give a number from 1 to 9"}, "raw.tif: page 3 is cut short");
  EXPECT_EQ(ErrorText(error), "deconvoy: raw.tif: page 3 is cut short.\n  Give a number from 1 to 9.\n");
  EXPECT_EQ(ErrorText(UsageError("no command is given.")), "deconvoy: no command is given.\n");
}

TEST(ErrorTextTest, EscapesWhatCouldControlATerminal) {
  const std::string text = ErrorText(absl::NotFoundError("evil\x1b[31m\n.tif"));
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\n'), text.size() - 1);
}

TEST(ErrorJsonTest, HasEverythingThereIs) {
  const absl::Status error = MakeError(
      {.reason = v1::DISK_FULL, .field = "spec", .remedy = "make room", .metadata = {{"need_bytes", "12"}}}, "no room");
  const nlohmann::json expected = {{"event", "error"},
                                   {"exit_code", 7},
                                   {"code", "RESOURCE_EXHAUSTED"},
                                   {"reason", "DISK_FULL"},
                                   {"message", "no room"},
                                   {"remedy", "make room"},
                                   {"field", "spec"},
                                   {"metadata", {{"need_bytes", "12"}}}};
  EXPECT_EQ(ErrorJson(error), expected);
  const nlohmann::json bare = {{"event", "error"}, {"exit_code", 5}, {"code", "INTERNAL"}, {"message", "x"}};
  EXPECT_EQ(ErrorJson(absl::InternalError("x")), bare);
}

}  // namespace
}  // namespace deconvoy::client
