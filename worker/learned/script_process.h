// The process that runs a model, as its worker sees it. For the sources of this room only.
//
// Threads: one at a time.
#pragma once

#include <absl/status/statusor.h>
#include <sys/types.h>

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/learned/script_wire.h"

namespace deconvoy::worker::learned {

// What the process may take for one answer, besides what it has.
struct ScriptBounds {
  int64_t bytes = 0;            // of address space
  std::chrono::seconds time{};  // by the clock; with all threads as much processor time for each
};

class ScriptProcess {
 public:
  // Starts the process and has the file loaded. Errors: BAD_MODEL, OUT_OF_MEMORY, INTERNAL.
  static absl::StatusOr<std::unique_ptr<ScriptProcess>> Start(ScriptSetup setup, std::span<const std::byte> file,
                                                              const ScriptBounds& bounds);
  ~ScriptProcess();  // ends it
  ScriptProcess(const ScriptProcess&) = delete;
  ScriptProcess& operator=(const ScriptProcess&) = delete;

  // What the model makes of a box's values, in z,y,x order. After an error that is none of the model's own (BAD_MODEL
  // for a process that has ended or took too long, BAD_OUTPUT for an answer that is none) it is not alive any more.
  // REQUIRES: alive.
  absl::StatusOr<std::vector<float>> Restore(const Shape3& box, std::span<const float> values,
                                             const ScriptBounds& bounds);

  bool alive() const { return alive_; }
  int64_t parameters() const { return parameters_; }
  // Of its memory, the part that is in use now, and the most that ever was, by the kernel's count. Errors: INTERNAL.
  absl::StatusOr<int64_t> ResidentBytes() const;
  absl::StatusOr<int64_t> PeakBytes() const;

 private:
  ScriptProcess(int threads, int socket) : threads_(threads), socket_(socket) {}

  absl::Status Spawn(int other_end);
  absl::Status SetUp(const ScriptSetup& setup, std::span<const std::byte> file, const ScriptBounds& bounds);
  // Of an answer of the kind, exactly `bytes` bytes.
  absl::Status Receive(ScriptSays wanted, std::span<std::byte> bytes, ScriptTime deadline);
  absl::Status Refused(ScriptSays says, uint64_t bytes, ScriptTime deadline);
  // Ends it, and says why.
  absl::Status Lost(const absl::Status& status);
  absl::StatusOr<int64_t> StatusBytes(const std::string& key) const;

  const int threads_;
  const int socket_;
  bool alive_ = true;
  int64_t parameters_ = 0;
  std::chrono::seconds allowed_{};  // for the answer at hand

  // Starts the process and lives as long as it: the kernel ends the process with the thread that has started it.
  std::jthread keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  pid_t process_ = 0;      // 0: not started; guarded by mutex_ until it is
  int start_error_ = 0;    // guarded by mutex_
  bool ended_ = false;     // guarded by mutex_
  std::string how_ended_;  // guarded by mutex_
};

}  // namespace deconvoy::worker::learned
