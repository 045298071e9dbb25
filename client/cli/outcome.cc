#include "client/cli/outcome.h"

#include <absl/strings/cord.h>
#include <fmt/format.h>

#include <cctype>
#include <optional>
#include <utility>

#include "client/cli/options/field_options.h"
#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

constexpr char kExitCodeUrl[] = "deconvoy.client/exit-code";

std::string Capital(std::string text) {
  // A remedy that starts with an option or a name in quotes stays as it is.
  if (!text.empty()) text[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(text[0])));
  return text;
}

ExitCode OfCode(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kOk:
      return ExitCode::kOk;
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kOutOfRange:
      return ExitCode::kInvalidInput;
    case absl::StatusCode::kUnavailable:
    case absl::StatusCode::kDeadlineExceeded:
      return ExitCode::kUnreachable;
    case absl::StatusCode::kCancelled:
      return ExitCode::kCancelled;
    case absl::StatusCode::kPermissionDenied:
    case absl::StatusCode::kUnauthenticated:
    case absl::StatusCode::kResourceExhausted:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kAlreadyExists:
      return ExitCode::kRefused;
    default:
      return ExitCode::kFailed;
  }
}

// Of a job that failed. Files that the server reads and writes exit as those that the client does.
ExitCode OfFailure(const absl::Status& error) {
  switch (error.code()) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kNotFound:
    case absl::StatusCode::kAlreadyExists:
    case absl::StatusCode::kPermissionDenied:
      return OfCode(error.code());
    default:
      return ExitCode::kFailed;
  }
}

std::optional<ExitCode> Given(const absl::Status& status) {
  const auto payload = status.GetPayload(kExitCodeUrl);
  if (!payload) return std::nullopt;
  return static_cast<ExitCode>(std::stoi(std::string(*payload)));
}

}  // namespace

std::string Sentence(std::string text) {
  if (!text.empty() && std::string_view(".!?").find(text.back()) == std::string_view::npos) text += '.';
  return text;
}

absl::Status WithExitCode(absl::Status status, ExitCode code) {
  if (!status.ok()) status.SetPayload(kExitCodeUrl, absl::Cord(std::to_string(static_cast<int>(code))));
  return status;
}

absl::Status UsageError(std::string_view message, std::string_view remedy) {
  return WithExitCode(MakeError({.reason = v1::INVALID_FIELD, .remedy = std::string(remedy)}, message),
                      ExitCode::kUsage);
}

absl::Status OutcomeOf(const v1::Job& job, std::string_view called) {
  const std::string name = called.empty() ? Printable(job.name()) : std::string(called);
  switch (job.state()) {
    case v1::SUCCEEDED:
      return absl::OkStatus();
    case v1::CANCELLED:
      return MakeError({.reason = v1::CANCELLED_BY_USER}, name + " was cancelled on request");
    case v1::FAILED: {
      absl::Status error = FromStored(job.error());
      if (error.ok()) error = absl::InternalError("the server does not say why");
      return WithExitCode(AddContext(error, name + " failed"), OfFailure(error));
    }
    default:
      return MakeError({.reason = v1::JOB_NOT_ENDED,
                        .remedy = fmt::format("Wait with `deconvoy watch {}`, with the same --server.", job.name())},
                       name + " has not ended");
  }
}

ExitCode ExitCodeOf(const absl::Status& status) {
  if (const auto given = Given(status)) return *given;
  switch (ReasonOf(status)) {
    case v1::INCOMPATIBLE_VERSION:
      return ExitCode::kUnreachable;
    case v1::UNKNOWN_METHOD:
    case v1::UNKNOWN_PARAMETER:
    case v1::PARAMETER_OUT_OF_RANGE:
      return ExitCode::kUsage;
    case v1::INVALID_FIELD:
      // A parameter's text that is no number of its type, as one out of range; what is no address of a server.
      if (const std::string field = InfoOf(status).field();
          field.starts_with("deconvolve.parameters") || field == "server")
        return ExitCode::kUsage;
      [[fallthrough]];
    default:
      return OfCode(status.code());
  }
}

std::string ErrorText(const absl::Status& status) {
  std::string text = fmt::format("deconvoy: {}\n", Sentence(WithOptions(Printable(std::string(status.message())))));
  if (const std::string remedy = InfoOf(status).remedy(); !remedy.empty())
    text += fmt::format("  {}\n", Sentence(Capital(WithOptions(Printable(remedy)))));
  return text;
}

nlohmann::json ErrorJson(const absl::Status& status) {
  const v1::ErrorInfo info = InfoOf(status);
  nlohmann::json json = {{"event", "error"},
                         {"exit_code", static_cast<int>(ExitCodeOf(status))},
                         {"code", absl::StatusCodeToString(status.code())},
                         {"message", Printable(std::string(status.message()))}};
  if (info.reason() != v1::ERROR_REASON_UNSPECIFIED) json["reason"] = v1::ErrorReason_Name(info.reason());
  if (!info.remedy().empty()) json["remedy"] = Printable(info.remedy());
  if (!info.field().empty()) json["field"] = Printable(info.field());
  for (const auto& [key, value] : info.metadata()) json["metadata"][Printable(key)] = Printable(value);
  return json;
}

}  // namespace deconvoy::client
