#include "server/fleet/worker_command.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <google/protobuf/util/json_util.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/fleet/child_process.h"

namespace deconvoy::server {
namespace {

constexpr std::chrono::seconds kDescribeLimit{30};
constexpr size_t kDescriptionBytes = 16 << 20;

int64_t MemoryBytes() {
  int64_t bytes = int64_t{sysconf(_SC_PHYS_PAGES)} * sysconf(_SC_PAGE_SIZE);
  for (const char* file : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    int64_t limit = 0;
    if (std::ifstream(file) >> limit && limit > 0) bytes = std::min(bytes, limit);
  }
  return bytes;
}

// Everything that comes from `pipe` until its end, or nothing when that takes too long.
absl::StatusOr<std::string> ReadAll(int pipe, std::chrono::steady_clock::time_point limit) {
  std::string text;
  char buffer[1 << 16];
  for (;;) {
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(limit - std::chrono::steady_clock::now());
    pollfd poll_set{.fd = pipe, .events = POLLIN, .revents = 0};
    if (left.count() <= 0 || poll(&poll_set, 1, static_cast<int>(left.count())) <= 0) {
      return absl::DeadlineExceededError("does not answer");
    }
    const ssize_t count = read(pipe, buffer, sizeof buffer);
    if (count <= 0) return text;
    text.append(buffer, static_cast<size_t>(count));
    if (text.size() > kDescriptionBytes) return absl::ResourceExhaustedError("answers without end");
  }
}

// What `command` prints, once it has ended well.
absl::StatusOr<std::string> OutputOf(const Command& command) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return absl::InternalError("cannot be asked: no pipe");
  auto child = ChildProcess::Start(command, ends[1]);
  close(ends[1]);
  absl::StatusOr<std::string> text =
      child.ok() ? ReadAll(ends[0], std::chrono::steady_clock::now() + kDescribeLimit) : child.status();
  close(ends[0]);
  if (!text.ok()) return text;
  const ProcessEnd end = (*child)->Wait();
  if (end.by_signal || end.code != 0) return absl::InternalError("failed: " + end.Text());
  return text;
}

}  // namespace

absl::Status UnusableWorker(const std::filesystem::path& program, std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD,
                    .field = "workers.command",
                    .remedy = "install deconvoy-worker beside deconvoyd, name it with --worker-command, or start no "
                              "workers here with --workers 0 and --gpus none"},
                   fmt::format("the worker program {} {}", Printable(program.string()), what));
}

absl::StatusOr<std::string> AskWorker(const Command& command) {
  absl::StatusOr<std::string> text = OutputOf(command);
  if (!text.ok()) return UnusableWorker(command.program, std::string(text.status().message()));
  return text;
}

MachineShare ShareOfMachine(int64_t count) {
  const int64_t workers = std::max<int64_t>(count, 1);
  const int64_t processors = std::max<int64_t>(std::thread::hardware_concurrency(), 1);
  return {.threads = std::max<int64_t>(processors / workers, 1), .memory_bytes = MemoryBytes() / 4 * 3 / workers};
}

absl::StatusOr<std::filesystem::path> FindWorkerProgram(const std::string& configured) {
  std::filesystem::path program = configured;
  std::error_code error;
  if (program.empty()) {
    program = std::filesystem::read_symlink("/proc/self/exe", error).parent_path() / "deconvoy-worker";
  }
  program = std::filesystem::absolute(program, error);
  if (!std::filesystem::is_regular_file(program, error)) return UnusableWorker(program, "is not there");
  if (access(program.c_str(), X_OK) != 0) return UnusableWorker(program, "may not be run");
  return program;
}

absl::StatusOr<std::vector<v1::Method>> DescribeMethods(const std::filesystem::path& program) {
  ASSIGN_OR_RETURN(const std::string text, AskWorker({.program = program, .arguments = {"--describe", "--json"}}));
  v1::ListMethodsResponse description;
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = true;
  if (!google::protobuf::util::JsonStringToMessage(text, &description, options).ok()) {
    return UnusableWorker(program, "does not describe its methods");
  }
  if (description.methods().empty()) return UnusableWorker(program, "has no methods");
  return std::vector<v1::Method>(description.methods().begin(), description.methods().end());
}

}  // namespace deconvoy::server
