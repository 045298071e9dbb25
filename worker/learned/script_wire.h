// What a worker and the process that runs a model say to each other, over a socket. Both are the same program; still,
// what the process says is looked at as if it came from anywhere. For the sources of this room only.
//
//   worker  -> process: ScriptSetup, the file
//   process -> worker:  kReady once it can do nothing but compute; it has not looked into the file yet
//   worker  -> process: a ScriptBox of no voxels: load the file
//   process -> worker:  kLoaded, with the number of the model's parameters (8 bytes)
//   worker  -> process: ScriptBox and its values in z,y,x order, float32; again and again
//   process -> worker:  kResult and as many values
//
// In place of each answer: kFailed, kNoMemory or kBadOutput with a text for people.
#pragma once

#include <absl/status/status.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>

namespace deconvoy::worker::learned {

enum class ScriptSays : uint32_t { kReady = 1, kLoaded, kResult, kFailed, kNoMemory, kBadOutput };

struct ScriptSetup {
  uint32_t threads = 1;
  std::array<char, 6> input_axes{}, output_axes{};  // ended by zeros
  uint64_t file_bytes = 0;
};
struct ScriptBox {
  int64_t z = 0, y = 0, x = 0;
};
struct ScriptAnswer {
  ScriptSays says = ScriptSays::kFailed;
  uint32_t unused = 0;
  uint64_t bytes = 0;  // that follow
};

inline constexpr int kScriptSocket = 3;  // of the process
inline constexpr char kScriptFlag[] = "--run-model-of-worker";
inline constexpr uint64_t kMostScriptText = 4096;

using ScriptTime = std::chrono::steady_clock::time_point;

// How long to go on: until the deadline, and as long as `watch`, asked at once and then every kWatchEvery, says OK.
struct ScriptPatience {
  ScriptTime deadline{};
  std::function<absl::Status()> watch = {};
};
inline constexpr auto kWatchEvery = std::chrono::milliseconds(500);

// All of the bytes. Errors: DEADLINE_EXCEEDED, UNAVAILABLE where the other side has gone, those of `watch`.
absl::Status SendBy(int socket, std::span<const std::byte> bytes, const ScriptPatience& patience);
absl::Status ReceiveBy(int socket, std::span<std::byte> bytes, const ScriptPatience& patience);

}  // namespace deconvoy::worker::learned
