#include "server/private_state.h"

#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

absl::StatusOr<fs::path> MakeFolder() {
  std::error_code error;
  std::string name = (fs::temp_directory_path(error) / "deconvoyd-XXXXXX").string();
  if (!error && mkdtemp(name.data()) != nullptr) return fs::path(name);
  return MakeError({.reason = v1::STORAGE_FAILURE, .remedy = "set TMPDIR to a folder that can be written"},
                   fmt::format("cannot make the private state folder {}: {}", Printable(name), std::strerror(errno)));
}

absl::Status CheckUnused(const fs::path& folder) {
  std::error_code error;
  if (!fs::exists(folder, error)) return absl::OkStatus();
  for (const auto& entry : fs::directory_iterator(folder, error)) {
    const std::string name = entry.path().filename().string();
    if (name == "log" || name == "socket") continue;
    return MakeError({.reason = v1::INVALID_FIELD,
                      .field = "state_folder",
                      .remedy = "give a private server a folder that is empty, or none"},
                     fmt::format("{} already holds `{}`, and a private server removes its folder at the end",
                                 Printable(folder.string()), Printable(name)));
  }
  if (!error) return absl::OkStatus();
  return MakeError({.reason = v1::STORAGE_FAILURE},
                   fmt::format("cannot use {}: {}", Printable(folder.string()), error.message()));
}

}  // namespace

absl::Status EndWithParent() {
  const pid_t parent = getppid();
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  return getppid() == parent ? absl::OkStatus() : absl::UnavailableError("the parent process has ended");
}

absl::StatusOr<std::unique_ptr<PrivateState>> PrivateState::Claim(const fs::path& folder) {
  if (!folder.empty()) {
    RETURN_IF_ERROR(CheckUnused(folder));
    return std::unique_ptr<PrivateState>(new PrivateState(folder));
  }
  ASSIGN_OR_RETURN(const fs::path made, MakeFolder());
  return std::unique_ptr<PrivateState>(new PrivateState(made));
}

PrivateState::~PrivateState() {
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

}  // namespace deconvoy::server
