// How a worker of this machine is started: the program, its share of the machine, and what it can do.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::server {

// The variable by which a process is given its GPU.
inline constexpr char kVisibleDevices[] = "CUDA_VISIBLE_DEVICES";

// A program, its arguments, and what its environment has besides this process's, or instead.
struct Command {
  std::filesystem::path program;
  std::vector<std::string> arguments;
  std::vector<std::pair<std::string, std::string>> environment = {};
};

// What one of `count` workers may use when they share this machine evenly: all processors, and three quarters of the
// memory, also where a container limits it.
struct MachineShare {
  int64_t threads = 1;
  int64_t memory_bytes = 0;
};
MachineShare ShareOfMachine(int64_t count);

// The worker program: `configured`, or `deconvoy-worker` beside this program when that is empty. INVALID_FIELD when
// it is not there or cannot be run.
absl::StatusOr<std::filesystem::path> FindWorkerProgram(const std::string& configured);

// INVALID_FIELD of workers.command: what is wrong with the program.
absl::Status UnusableWorker(const std::filesystem::path& program, std::string_view what);

// What the program prints when asked like this. An error, as UnusableWorker, when it cannot be started, fails, or takes
// longer than half a minute.
absl::StatusOr<std::string> AskWorker(const Command& command);

// The methods that the program says it has (`--describe --json`). An error when it cannot be started, fails, takes
// longer than half a minute, or answers something else.
absl::StatusOr<std::vector<v1::Method>> DescribeMethods(const std::filesystem::path& program);

}  // namespace deconvoy::server
