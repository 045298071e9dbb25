#include "server/fleet/child_process.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/env.hpp>
#include <boost/process/environment.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>
#include <cerrno>
#include <cstring>

#include "proto/contract/error.h"

namespace deconvoy::server {
namespace {

namespace process = boost::process;

// Runs in the child between fork and exec: only calls that are safe there.
struct PrepareChild : process::extend::handler {
  pid_t parent;
  int output;

  PrepareChild(pid_t parent_id, int output_file) : parent(parent_id), output(output_file) {}

  template <typename Executor>
  void on_exec_setup(Executor& /*executor*/) const {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(1);
    dup2(output, STDOUT_FILENO);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    setpgid(0, 0);                        // Ctrl-C at a terminal is for the server, which then asks its workers to end
    constexpr unsigned kCloseOnExec = 4;  // CLOSE_RANGE_CLOEXEC; kernels without it leave the flags the files have
    syscall(SYS_close_range, 3U, ~0U, kCloseOnExec);
  }
};

}  // namespace

std::string ProcessEnd::Text() const {
  if (by_signal) return fmt::format("signal {} ({})", code, strsignal(code));
  return fmt::format("exit code {}", code);
}

absl::StatusOr<std::unique_ptr<ChildProcess>> ChildProcess::Start(const Command& command, int output) {
  std::error_code error;
  process::environment environment = boost::this_process::environment();
  for (const auto& [name, value] : command.environment) environment[name] = value;
  process::child child(process::exe = command.program.string(), process::args = command.arguments, environment,
                       process::std_in < process::null, PrepareChild(getpid(), output), error);
  if (error) {
    return MakeError({.reason = v1::INVALID_FIELD, .field = "workers.command", .remedy = "check the program's path"},
                     fmt::format("cannot start {}: {}", Printable(command.program.string()), error.message()));
  }
  const pid_t id = child.id();
  child.detach();  // waiting is ours
  return std::unique_ptr<ChildProcess>(new ChildProcess(id));
}

ChildProcess::~ChildProcess() {
  {
    const std::lock_guard lock(mutex_);
    if (reaped_) return;
  }
  Signal(SIGKILL);
  Wait();
}

ProcessEnd ChildProcess::Wait() {
  // Waits without reaping, so that the id stays valid for Signal until the lock is held.
  siginfo_t info{};
  while (waitid(P_PID, static_cast<id_t>(id_), &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
  }
  const std::lock_guard lock(mutex_);
  if (reaped_) return {};
  reaped_ = true;
  int status = 0;
  while (waitpid(id_, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFSIGNALED(status)) return {.by_signal = true, .code = WTERMSIG(status)};
  return {.by_signal = false, .code = WEXITSTATUS(status)};
}

void ChildProcess::Signal(int number) {
  const std::lock_guard lock(mutex_);
  if (!reaped_) kill(id_, number);
}

}  // namespace deconvoy::server
