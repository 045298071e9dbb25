#include "client/cli/session_file.h"

#include <fmt/format.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <span>
#include <system_error>

#include "client/cli/outcome.h"
#include "client/imageio/image_errors.h"
#include "client/imageio/output_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"

namespace deconvoy::client {
namespace {

absl::StatusOr<std::filesystem::path> FileOf(const std::string& session) {
  RETURN_IF_ERROR(WithExitCode(ValidateRequestId(session), ExitCode::kUsage));
  const std::filesystem::path inside = std::filesystem::path("deconvoy") / "sessions" / session;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state != '\0') return state / inside;
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0')
    return std::filesystem::path(home) / ".local/state" / inside;
  return UsageError("there is no place to keep the session: neither $XDG_STATE_HOME nor $HOME is set",
                    "Set $XDG_STATE_HOME to a folder.");
}

}  // namespace

absl::Status KeepSession(const v1::DeconvolveHeader& header) {
  ASSIGN_OR_RETURN(const std::filesystem::path file, FileOf(header.session()));
  std::error_code error;
  std::filesystem::create_directories(file.parent_path(), error);
  if (error) return imageio::SystemError(file.parent_path(), "made", error.value());
  ASSIGN_OR_RETURN(const auto output, imageio::OutputFile::Create(file, 0, /*overwrite=*/true));
  const std::string bytes = header.SerializeAsString();
  RETURN_IF_ERROR(output->WriteAt(0, std::as_bytes(std::span(bytes))));
  return output->Commit();
}

absl::StatusOr<v1::DeconvolveHeader> FindSession(const std::string& session) {
  ASSIGN_OR_RETURN(const std::filesystem::path file, FileOf(session));
  std::ifstream stream(file, std::ios::binary);
  v1::DeconvolveHeader header;
  if (stream && header.ParseFromIstream(&stream) && header.session() == session) return header;
  return MakeError(
      {.reason = v1::NOT_FOUND, .remedy = "Give the name that the command told, on the machine where it was begun."},
      fmt::format("there is no session '{}' that could be taken up again", Printable(session)));
}

void ForgetSession(const std::string& session) {
  std::error_code ignored;
  if (const auto file = FileOf(session); file.ok()) std::filesystem::remove(*file, ignored);
}

}  // namespace deconvoy::client
