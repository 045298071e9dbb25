#include "worker/learned/script_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/sandbox.h"

namespace deconvoy::worker::learned {
namespace {

constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kEndTime = std::chrono::seconds(5);
constexpr char kProgram[] = "/proc/self/exe";
// The pools of the libraries may end threads and start them again; a model starts none by itself but for tasks of its
// own, which share a pool.
constexpr int64_t kThreadsOverReady = 2, kSpareThreads = 16;

// Of this program; empty: not known.
cpu_set_t processors{};

absl::Status Bad(const std::string& what, v1::ErrorReason reason = v1::BAD_MODEL) {
  return MakeError({.reason = reason, .remedy = "Look at the model and its descriptor, and import it anew."}, what);
}

absl::Status NoMemory(const std::string& what) {
  return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use a smaller model, or smaller tiles."}, what);
}

// Of this process's environment only where libraries lie, as a program that is started by a loader needs it.
std::vector<std::string> Environment() {
  const char* libraries = std::getenv("LD_LIBRARY_PATH");
  if (libraries == nullptr) return {};
  return {fmt::format("LD_LIBRARY_PATH={}", libraries)};
}

// What posix_spawn is told.
class SpawnSettings {
 public:
  explicit SpawnSettings(int socket) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions_, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, socket, kScriptSocket);
    // Signals as a program usually finds them, and none of those that a terminal sends to this program's group.
    sigset_t none{}, all{};
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  // An error number.
  int Spawn(pid_t& process) const {
    std::string program = "deconvoy-worker", flag = kScriptFlag;
    std::vector<std::string> texts = Environment();
    std::vector<char*> environment;
    for (std::string& text : texts) environment.push_back(text.data());
    environment.push_back(nullptr);
    const std::array<char*, 3> arguments = {program.data(), flag.data(), nullptr};
    return ::posix_spawn(&process, kProgram, &actions_, &attributes_, arguments.data(), environment.data());
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

struct End {
  std::string how;
  bool killed = false;
};

// Waits for the end, and leaves the process to be reaped.
End AwaitEnd(pid_t process) {
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(process), &how, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) return {fmt::format("in an unknown way: {}", std::strerror(errno))};
  }
  if (how.si_code == CLD_EXITED) return {fmt::format("with the exit code {}", how.si_status)};
  return {fmt::format("by signal {} ({}){}", how.si_status, ::strsignal(how.si_status),
                      how.si_status == SIGXCPU ? ": it took too much processor time" : ""),
          how.si_status == SIGKILL};
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

void RememberProcessors() {
  if (::sched_getaffinity(0, sizeof processors, &processors) != 0) CPU_ZERO(&processors);
}

absl::Status ScriptProcess::Spawn(int other_end) {
  keeper_ = std::jthread([this, other_end] {
    // The thread that asks for the process may be tied to one processor.
    if (CPU_COUNT(&processors) > 0) ::sched_setaffinity(0, sizeof processors, &processors);
    pid_t process = 0;
    const int error = SpawnSettings(other_end).Spawn(process);
    {
      const std::lock_guard lock(mutex_);
      process_ = process;
      start_error_ = error;
      ended_ = error != 0;
    }
    changed_.notify_all();
    if (error != 0) return;
    End end = AwaitEnd(process);
    const std::lock_guard lock(mutex_);
    ended_ = true;
    how_ended_ = std::move(end.how);
    killed_ = end.killed;
    changed_.notify_all();
  });
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return process_ != 0 || start_error_ != 0; });
  if (start_error_ == 0) return absl::OkStatus();
  process_ = 0;
  return absl::InternalError(fmt::format("no process for a model can be started: {}", std::strerror(start_error_)));
}

absl::StatusOr<std::unique_ptr<ScriptProcess>> ScriptProcess::Start(ScriptSetup setup, std::span<const std::byte> file,
                                                                    const ScriptBounds& bounds) {
  std::array<int, 2> ends{};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    return absl::InternalError(fmt::format("no socket for a model can be made: {}", std::strerror(errno)));
  }
  std::unique_ptr<ScriptProcess> process(new ScriptProcess(static_cast<int>(setup.threads), ends[0]));
  const absl::Status spawned = process->Spawn(ends[1]);
  ::close(ends[1]);
  RETURN_IF_ERROR(spawned);
  setup.file_bytes = file.size();
  RETURN_IF_ERROR(process->SetUp(setup, file, bounds));
  return process;
}

ScriptProcess::~ScriptProcess() {
  if (process_ != 0) ::kill(process_, SIGKILL);  // it has not been reaped, so the number is still its own
  if (keeper_.joinable()) keeper_.join();
  if (process_ != 0) ::waitpid(process_, nullptr, 0);
  ::close(socket_);
}

absl::Status ScriptProcess::SetUp(const ScriptSetup& setup, std::span<const std::byte> file,
                                  const ScriptBounds& bounds) {
  allowed_ = kStartTime;
  const ScriptPatience starting{.deadline = std::chrono::steady_clock::now() + allowed_,
                                .watch = [&] { return Watch(bounds.stop); }};
  RETURN_IF_ERROR(Send(BytesOf(setup), starting));
  RETURN_IF_ERROR(Send(file, starting));
  RETURN_IF_ERROR(Receive(ScriptSays::kReady, {}, starting));
  ready_ = true;
  ASSIGN_OR_RETURN(const int64_t threads, Told("Threads"));
  most_threads_ = kThreadsOverReady * threads + kSpareThreads;
  ASSIGN_OR_RETURN(const int64_t before, AddressSpace(process_));
  ASSIGN_OR_RETURN(const ScriptPatience loading, GoOn(before, bounds));
  RETURN_IF_ERROR(Send(BytesOf(ScriptBox()), loading));
  RETURN_IF_ERROR(Receive(ScriptSays::kLoaded, std::as_writable_bytes(std::span(&parameters_, 1)), loading));
  if (parameters_ < 0) return Lost(absl::InvalidArgumentError("a number below 0"));
  ASSIGN_OR_RETURN(taken_, AddressSpace(process_));
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> ScriptProcess::Restore(const Shape3& box, std::span<const float> values,
                                                          const ScriptBounds& bounds) {
  ASSIGN_OR_RETURN(const ScriptPatience patience, GoOn(taken_, bounds));
  const ScriptBox asked{box.z, box.y, box.x};
  RETURN_IF_ERROR(Send(BytesOf(asked), patience));
  RETURN_IF_ERROR(Send(std::as_bytes(values), patience));
  std::vector<float> restored(values.size());
  RETURN_IF_ERROR(Receive(ScriptSays::kResult, std::as_writable_bytes(std::span(restored)), patience));
  return restored;
}

absl::StatusOr<ScriptPatience> ScriptProcess::GoOn(int64_t taken, const ScriptBounds& bounds) {
  allowed_ = bounds.time;
  const absl::Status bounded =
      BoundProcess(process_, taken + bounds.bytes, static_cast<double>(bounds.time.count() * threads_));
  if (!bounded.ok()) return Lost(bounded);
  ::kill(process_, SIGCONT);
  return ScriptPatience{.deadline = std::chrono::steady_clock::now() + allowed_,
                        .watch = [this, stop = bounds.stop] { return Watch(stop); }};
}

absl::Status ScriptProcess::Watch(const Stop& stop) const {
  if (stop && stop()) return absl::CancelledError("the task was cancelled");
  if (most_threads_ == 0) return absl::OkStatus();
  const absl::StatusOr<int64_t> threads = Told("Threads");
  if (!threads.ok() || *threads <= most_threads_) return absl::OkStatus();  // one that has ended is seen at its socket
  return absl::ResourceExhaustedError(fmt::format("the model has started {} threads, and was ended", *threads));
}

absl::Status ScriptProcess::Send(std::span<const std::byte> bytes, const ScriptPatience& patience) {
  const absl::Status sent = SendBy(socket_, bytes, patience);
  return sent.ok() ? sent : Lost(sent);
}

absl::Status ScriptProcess::Receive(ScriptSays wanted, std::span<std::byte> bytes, const ScriptPatience& patience) {
  ScriptAnswer answer;
  absl::Status status = ReceiveBy(socket_, std::as_writable_bytes(std::span(&answer, 1)), patience);
  if (!status.ok()) return Lost(status);
  if (answer.says != wanted) return Refused(answer.says, answer.bytes, patience);
  if (answer.bytes != bytes.size()) return Lost(absl::InvalidArgumentError(fmt::format("{} bytes", answer.bytes)));
  status = ReceiveBy(socket_, bytes, patience);
  if (!status.ok()) return Lost(status);
  ::kill(process_, SIGSTOP);
  return status;
}

absl::Status ScriptProcess::Refused(ScriptSays says, uint64_t bytes, const ScriptPatience& patience) {
  const bool known = says == ScriptSays::kFailed || says == ScriptSays::kNoMemory || says == ScriptSays::kBadOutput;
  if (!known || bytes > kMostScriptText) {
    return Lost(absl::InvalidArgumentError(fmt::format("message {}, {} bytes", static_cast<uint32_t>(says), bytes)));
  }
  std::string text(bytes, '\0');
  const absl::Status read = ReceiveBy(socket_, std::as_writable_bytes(std::span(text)), patience);
  if (!read.ok()) return Lost(read);
  // One that has no memory left may hold more than it needs: the next box is given to a new process.
  const bool ends = !ready_ || says == ScriptSays::kNoMemory;
  alive_ = alive_ && !ends;
  ::kill(process_, ends ? SIGKILL : SIGSTOP);
  text = Printable(text);
  if (!ready_) return absl::InternalError(fmt::format("a model's process cannot be prepared: {}", text));
  if (says == ScriptSays::kBadOutput) return Bad(text, v1::BAD_OUTPUT);
  if (says == ScriptSays::kFailed) return Bad(text);
  return NoMemory(text);
}

absl::Status ScriptProcess::Lost(const absl::Status& status) {
  alive_ = false;
  std::unique_lock lock(mutex_);
  const bool internal = status.code() == absl::StatusCode::kInternal;  // as when there is no process to bound any more
  const bool gone = (internal || status.code() == absl::StatusCode::kUnavailable) &&
                    changed_.wait_for(lock, kEndTime, [this] { return ended_; });
  if (!ended_) ::kill(process_, SIGKILL);
  if (status.code() == absl::StatusCode::kCancelled) return status;
  if (!ready_) {
    return absl::InternalError(fmt::format("a model's process could not be prepared: {}",
                                           gone ? "it ended " + how_ended_ : std::string(status.message())));
  }
  if (gone && killed_) return NoMemory("the system has killed the model's process, as it does when memory runs short");
  if (gone) return Bad(fmt::format("the model has ended its process {}", how_ended_));
  if (internal) return status;
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return Bad(fmt::format("the model took more than {} s, and was ended", allowed_.count()));
  }
  if (status.code() == absl::StatusCode::kResourceExhausted) return Bad(std::string(status.message()));
  return Bad(fmt::format("the model's process gave an answer that is none: {}", std::string(status.message())),
             v1::BAD_OUTPUT);
}

absl::StatusOr<int64_t> ScriptProcess::Told(std::string_view key) const {
  std::ifstream file(fmt::format("/proc/{}/status", process_));
  const std::string start = fmt::format("{}:", key);
  for (std::string line; std::getline(file, line);) {
    int64_t number = 0;
    if (line.starts_with(start) && std::istringstream(line.substr(start.size())) >> number) return number;
  }
  return absl::InternalError(fmt::format("the kernel does not tell `{}` of a model's process", key));
}

absl::StatusOr<int64_t> ScriptProcess::ResidentBytes() const {
  ASSIGN_OR_RETURN(const int64_t kib, Told("VmRSS"));
  return kib * 1024;
}

absl::StatusOr<int64_t> ScriptProcess::PeakBytes() const {
  ASSIGN_OR_RETURN(const int64_t kib, Told("VmHWM"));
  return kib * 1024;
}

void ScriptProcess::ForgetPeak() const {
  std::ofstream(fmt::format("/proc/{}/clear_refs", process_)) << "5";
}

}  // namespace deconvoy::worker::learned
