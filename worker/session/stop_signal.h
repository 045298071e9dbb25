// A way to stop waits and calls of one activity from another thread.
#pragma once

#include <grpcpp/client_context.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <vector>

namespace deconvoy::worker {

// Thread safe. Once stopped, always stopped.
class StopSignal {
 public:
  void Stop();
  bool stopped() const;
  // Waits; true at once when stopped.
  bool WaitFor(std::chrono::milliseconds duration) const;

  // Makes a call end with CANCELLED when the signal stops, also when it has stopped before.
  class Guard {
   public:
    Guard(StopSignal& signal, grpc::ClientContext& call);
    ~Guard();
    Guard(const Guard&) = delete;
    Guard& operator=(const Guard&) = delete;

   private:
    StopSignal& signal_;
    grpc::ClientContext& call_;
  };

 private:
  mutable std::mutex mutex_;
  mutable std::condition_variable changed_;
  // Guarded by mutex_:
  bool stopped_ = false;
  std::vector<grpc::ClientContext*> calls_;
};

}  // namespace deconvoy::worker
