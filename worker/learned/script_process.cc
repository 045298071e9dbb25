#include "worker/learned/script_process.h"

#include <fcntl.h>
#include <fmt/format.h>
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
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "worker/learned/sandbox.h"

namespace deconvoy::worker::learned {
namespace {

constexpr auto kStartTime = std::chrono::seconds(60);
constexpr auto kEndTime = std::chrono::seconds(5);
constexpr char kProgram[] = "/proc/self/exe";

absl::Status Bad(const std::string& what, v1::ErrorReason reason = v1::BAD_MODEL) {
  return MakeError({.reason = reason, .remedy = "Look at the model and its descriptor, and import it anew."}, what);
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

// Waits for the end, and leaves the process to be reaped.
std::string AwaitEnd(pid_t process) {
  siginfo_t how{};
  while (::waitid(P_PID, static_cast<id_t>(process), &how, WEXITED | WNOWAIT) != 0) {
    if (errno != EINTR) return fmt::format("in an unknown way: {}", std::strerror(errno));
  }
  if (how.si_code == CLD_EXITED) return fmt::format("with the exit code {}", how.si_status);
  return fmt::format("by signal {} ({}){}", how.si_status, ::strsignal(how.si_status),
                     how.si_status == SIGXCPU ? ": it took too much processor time" : "");
}

template <typename T>
std::span<const std::byte> BytesOf(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

}  // namespace

absl::Status ScriptProcess::Spawn(int other_end) {
  keeper_ = std::jthread([this, other_end] {
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
    std::string how = AwaitEnd(process);
    const std::lock_guard lock(mutex_);
    ended_ = true;
    how_ended_ = std::move(how);
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
  ScriptTime deadline = std::chrono::steady_clock::now() + allowed_;
  if (const absl::Status sent = SendBy(socket_, BytesOf(setup), deadline); !sent.ok()) return Lost(sent);
  if (const absl::Status sent = SendBy(socket_, file, deadline); !sent.ok()) return Lost(sent);
  RETURN_IF_ERROR(Receive(ScriptSays::kReady, {}, deadline));
  allowed_ = bounds.time;
  RETURN_IF_ERROR(BoundProcess(process_, bounds.bytes, static_cast<double>(bounds.time.count() * threads_)));
  deadline = std::chrono::steady_clock::now() + allowed_;
  if (const absl::Status sent = SendBy(socket_, BytesOf(ScriptBox()), deadline); !sent.ok()) return Lost(sent);
  RETURN_IF_ERROR(Receive(ScriptSays::kLoaded, std::as_writable_bytes(std::span(&parameters_, 1)), deadline));
  return parameters_ >= 0 ? absl::OkStatus() : Lost(absl::InvalidArgumentError("a number below 0"));
}

absl::StatusOr<std::vector<float>> ScriptProcess::Restore(const Shape3& box, std::span<const float> values,
                                                          const ScriptBounds& bounds) {
  allowed_ = bounds.time;
  RETURN_IF_ERROR(BoundProcess(process_, bounds.bytes, static_cast<double>(bounds.time.count() * threads_)));
  const ScriptTime deadline = std::chrono::steady_clock::now() + allowed_;
  const ScriptBox asked{box.z, box.y, box.x};
  if (const absl::Status sent = SendBy(socket_, BytesOf(asked), deadline); !sent.ok()) return Lost(sent);
  if (const absl::Status sent = SendBy(socket_, std::as_bytes(values), deadline); !sent.ok()) return Lost(sent);
  std::vector<float> restored(values.size());
  RETURN_IF_ERROR(Receive(ScriptSays::kResult, std::as_writable_bytes(std::span(restored)), deadline));
  return restored;
}

absl::Status ScriptProcess::Receive(ScriptSays wanted, std::span<std::byte> bytes, ScriptTime deadline) {
  ScriptAnswer answer;
  absl::Status status = ReceiveBy(socket_, std::as_writable_bytes(std::span(&answer, 1)), deadline);
  if (!status.ok()) return Lost(status);
  if (answer.says != wanted) return Refused(answer.says, answer.bytes, deadline);
  if (answer.bytes != bytes.size()) return Lost(absl::InvalidArgumentError(fmt::format("{} bytes", answer.bytes)));
  status = ReceiveBy(socket_, bytes, deadline);
  return status.ok() ? status : Lost(status);
}

absl::Status ScriptProcess::Refused(ScriptSays says, uint64_t bytes, ScriptTime deadline) {
  const bool known = says == ScriptSays::kFailed || says == ScriptSays::kNoMemory || says == ScriptSays::kBadOutput;
  if (!known || bytes > kMostScriptText) {
    return Lost(absl::InvalidArgumentError(fmt::format("message {}, {} bytes", static_cast<uint32_t>(says), bytes)));
  }
  std::string text(bytes, '\0');
  if (const absl::Status read = ReceiveBy(socket_, std::as_writable_bytes(std::span(text)), deadline); !read.ok()) {
    return Lost(read);
  }
  text = Printable(text);
  if (says == ScriptSays::kBadOutput) return Bad(text, v1::BAD_OUTPUT);
  if (says == ScriptSays::kFailed) return Bad(text);
  return MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Use a smaller model, or smaller tiles."}, text);
}

absl::Status ScriptProcess::Lost(const absl::Status& status) {
  alive_ = false;
  std::unique_lock lock(mutex_);
  const bool gone =
      status.code() == absl::StatusCode::kUnavailable && changed_.wait_for(lock, kEndTime, [this] { return ended_; });
  if (!ended_) ::kill(process_, SIGKILL);
  if (gone) return Bad(fmt::format("the model has ended its process {}", how_ended_));
  if (status.code() == absl::StatusCode::kDeadlineExceeded) {
    return Bad(fmt::format("the model took more than {} s, and was ended", allowed_.count()));
  }
  return Bad(fmt::format("the model's process gave an answer that is none: {}", std::string(status.message())),
             v1::BAD_OUTPUT);
}

absl::StatusOr<int64_t> ScriptProcess::StatusBytes(const std::string& key) const {
  std::ifstream file(fmt::format("/proc/{}/status", process_));
  for (std::string word; file >> word;) {
    int64_t kib = 0;
    if (word == key && file >> kib) return kib * 1024;
  }
  return absl::InternalError("the memory of a model's process cannot be read");
}

absl::StatusOr<int64_t> ScriptProcess::ResidentBytes() const {
  return StatusBytes("VmRSS:");
}

absl::StatusOr<int64_t> ScriptProcess::PeakBytes() const {
  return StatusBytes("VmHWM:");
}

}  // namespace deconvoy::worker::learned
