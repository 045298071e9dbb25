#include "client/cli/local_server.h"

#include <absl/time/clock.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <fmt/ranges.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <sstream>
#include <utility>
#include <vector>

#include "client/cli/outcome.h"
#include "client/cli/programs.h"
#include "client/cli/settings.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr absl::Duration kStartLimit = absl::Seconds(30);
constexpr absl::Duration kStopLimit = absl::Seconds(10);
constexpr absl::Duration kPoll = absl::Milliseconds(5);
constexpr size_t kLogLinesShown = 3;

std::filesystem::path ScratchFolder() {
  for (const char* variable : {"DECONVOY_SCRATCH", "TMPDIR"})
    if (const char* value = std::getenv(variable); value != nullptr && *value != '\0') return value;
  return "/var/tmp";
}

// In the child, between fork and exec: only calls that are safe there.
[[noreturn]] void BecomeServer(pid_t parent, int log, char* const* arguments) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(1);
  setpgid(0, 0);  // Ctrl-C is for the caller alone
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  umask(077);
  const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(log, STDOUT_FILENO) < 0 || dup2(log, STDERR_FILENO) < 0)
    _exit(1);
  execv(arguments[0], arguments);
  _exit(127);
}

}  // namespace

LocalServer::LocalServer(std::unique_ptr<PrivateFolder> folder) : folder_(std::move(folder)) {}

absl::StatusOr<std::unique_ptr<LocalServer>> LocalServer::Start(const LocalServerOptions& options,
                                                                const std::stop_token& stop) {
  const std::filesystem::path scratch = ScratchFolder();
  SweepPrivateFolders(scratch);
  auto folder = PrivateFolder::Make(scratch);
  if (!folder.ok()) return WithExitCode(folder.status(), ExitCode::kRefused);
  std::unique_ptr<LocalServer> server(new LocalServer(*std::move(folder)));
  RETURN_IF_ERROR(server->Spawn(options));
  RETURN_IF_ERROR(server->WaitUntilServing(stop));
  return server;
}

LocalServer::~LocalServer() {
  Stop();
}

absl::Status LocalServer::Spawn(const LocalServerOptions& options) {
  ASSIGN_OR_RETURN(const auto program, SiblingProgram("deconvoyd"));
  std::vector<std::string> arguments = {program.string(),
                                        "--local",
                                        "--state",
                                        folder_->path().string(),
                                        "--listen",
                                        address(),
                                        "--workers",
                                        options.gpu ? "0" : "1",
                                        "--gpus",
                                        options.gpu ? "0" : "none",
                                        "--shutdown-grace-ms",
                                        "0",
                                        "--worker-threads",
                                        std::to_string(options.threads),
                                        options.gpu ? "--gpu-memory-mib" : "--worker-memory-mib",
                                        std::to_string(options.memory_mib)};
  if (const auto cache = CacheFolder()) arguments.insert(arguments.end(), {"--worker-cache", cache->string()});
  std::vector<char*> pointers;
  for (std::string& argument : arguments) pointers.push_back(argument.data());
  pointers.push_back(nullptr);

  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) BecomeServer(parent, folder_->log_descriptor(), pointers.data());
  const int error = errno;
  if (process_ > 0) return absl::OkStatus();
  process_ = 0;
  return absl::InternalError(fmt::format("cannot start {} ({})", Printable(program.string()), std::strerror(error)));
}

absl::Status LocalServer::WaitUntilServing(const std::stop_token& stop) {
  const absl::Time limit = absl::Now() + kStartLimit;
  std::error_code ignored;
  while (!std::filesystem::exists(folder_->path() / "address", ignored)) {
    RETURN_IF_ERROR(Check());
    if (stop.stop_requested()) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
    if (absl::Now() > limit)
      return absl::InternalError(fmt::format("the local server did not start within {}: {}",
                                             absl::FormatDuration(kStartLimit), LastLogLines()));
    absl::SleepFor(kPoll);
  }
  return absl::OkStatus();
}

absl::Status LocalServer::Check() {
  if (!Ended()) return absl::OkStatus();
  return MakeError({.reason = v1::WORKER_CRASHED,
                    .remedy = "Set DECONVOY_SCRATCH to a folder with more room if that is the cause, or use --server."},
                   fmt::format("the local server ended: {}", LastLogLines()));
}

std::string LocalServer::LastLogLines() const {
  std::istringstream file(folder_->EndOfLog());
  std::deque<std::string> lines;
  for (std::string line; std::getline(file, line);) {
    if (!line.empty()) lines.push_back(Printable(line));
    if (lines.size() > kLogLinesShown) lines.pop_front();
  }
  return lines.empty() ? "it wrote no log" : fmt::format("{}", fmt::join(lines, " | "));
}

bool LocalServer::Ended() {
  if (process_ > 0 && waitpid(process_, nullptr, WNOHANG) != 0) process_ = 0;
  return process_ == 0;
}

void LocalServer::Stop() {
  if (Ended()) return;
  kill(process_, SIGTERM);
  for (const absl::Time limit = absl::Now() + kStopLimit; absl::Now() < limit; absl::SleepFor(kPoll))
    if (Ended()) return;
  kill(process_, SIGKILL);
  waitpid(process_, nullptr, 0);
  process_ = 0;
}

}  // namespace deconvoy::client
