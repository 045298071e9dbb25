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
#include <string_view>
#include <thread>
#include <vector>

#include "proto/contract/geometry.h"
#include "worker/learned/network.h"
#include "worker/learned/script_wire.h"

namespace deconvoy::worker::learned {

// What the process may take for one answer.
struct ScriptBounds {
  int64_t bytes = 0;            // of address space, besides what it had when it was ready or, for boxes, loaded
  std::chrono::seconds time{};  // by the clock; with all threads as much processor time for each
  Stop stop = {};               // asked twice a second, and at once
};

// Tells on which processors this program may run before it ties threads to single ones: those of the processes.
void RememberProcessors();

// Between answers it stands still (SIGSTOP). An error ends it, but for one that the model itself has told and goes on
// after. Errors: CANCELLED; INTERNAL for all that goes wrong before the process has looked into the file;
// OUT_OF_MEMORY, also where the system has killed it; BAD_MODEL for a process that has ended, took too long or has
// started threads without end; BAD_OUTPUT for an answer that is none.
class ScriptProcess {
 public:
  // Starts the process and has the file loaded.
  static absl::StatusOr<std::unique_ptr<ScriptProcess>> Start(ScriptSetup setup, std::span<const std::byte> file,
                                                              const ScriptBounds& bounds);
  ~ScriptProcess();  // ends it
  ScriptProcess(const ScriptProcess&) = delete;
  ScriptProcess& operator=(const ScriptProcess&) = delete;

  // What the model makes of a box's values, in z,y,x order. REQUIRES: alive.
  absl::StatusOr<std::vector<float>> Restore(const Shape3& box, std::span<const float> values,
                                             const ScriptBounds& bounds);

  bool alive() const { return alive_; }
  int64_t parameters() const { return parameters_; }
  // Of its memory, the part that is in use now, and the most that ever was since the last ForgetPeak, by the kernel's
  // count. Where the kernel cannot forget, the most is that of all time. Errors: INTERNAL.
  absl::StatusOr<int64_t> ResidentBytes() const;
  absl::StatusOr<int64_t> PeakBytes() const;
  void ForgetPeak() const;

 private:
  ScriptProcess(int threads, int socket) : threads_(threads), socket_(socket) {}

  absl::Status Spawn(int other_end);
  absl::Status SetUp(const ScriptSetup& setup, std::span<const std::byte> file, const ScriptBounds& bounds);
  // Bounds what it takes for the answer that follows, besides the address space `taken`, and lets it go on.
  absl::StatusOr<ScriptPatience> GoOn(int64_t taken, const ScriptBounds& bounds);
  absl::Status Watch(const Stop& stop) const;
  absl::Status Send(std::span<const std::byte> bytes, const ScriptPatience& patience);
  // Of an answer of the kind, exactly `bytes` bytes. After it the process stands still.
  absl::Status Receive(ScriptSays wanted, std::span<std::byte> bytes, const ScriptPatience& patience);
  absl::Status Refused(ScriptSays says, uint64_t bytes, const ScriptPatience& patience);
  // Ends it, and says why.
  absl::Status Lost(const absl::Status& status);
  // The number after `KEY:` in what the kernel tells of the process.
  absl::StatusOr<int64_t> Told(std::string_view key) const;

  const int threads_;
  const int socket_;
  bool alive_ = true;
  bool ready_ = false;  // it can do nothing but compute
  int64_t parameters_ = 0;
  int64_t taken_ = 0;               // of address space, when the model was loaded
  int64_t most_threads_ = 0;        // 0: not known yet
  std::chrono::seconds allowed_{};  // for the answer at hand

  // Starts the process and lives as long as it: the kernel ends the process with the thread that has started it.
  std::jthread keeper_;
  std::mutex mutex_;
  std::condition_variable changed_;
  pid_t process_ = 0;      // 0: not started; guarded by mutex_ until it is
  int start_error_ = 0;    // guarded by mutex_
  bool ended_ = false;     // guarded by mutex_
  std::string how_ended_;  // guarded by mutex_
  bool killed_ = false;    // guarded by mutex_; it has ended by SIGKILL
};

}  // namespace deconvoy::worker::learned
