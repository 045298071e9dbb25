// Where workers come from.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstdint>
#include <functional>

namespace deconvoy::server {

// One implementation per place. Workers that dial in by themselves (`external`) need none.
class Launcher {
 public:
  // Tells that a worker process of this host has ended, by a signal (other than those of Stop) or by itself. From any
  // thread.
  using ExitListener = std::function<void(uint32_t process_id, bool by_signal)>;

  virtual ~Launcher() = default;  // as Stop without grace

  // Begins to keep workers running; they come and go on their own from then on.
  virtual absl::Status Start() = 0;
  // Asks all workers to end, forces those that are still there after `grace`, and starts none any more. Returns when
  // all have ended.
  virtual void Stop(std::chrono::milliseconds grace) = 0;
};

}  // namespace deconvoy::server
