// One piece of work at a time beside the thread that asks for it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <thread>

namespace deconvoy::server {

// Start and Wait by one thread. Its thread is made with the first work.
class Beside {
 public:
  ~Beside();  // waits

  // Begins `work`. REQUIRES: Wait was called after what was begun before.
  void Start(std::function<void()> work);
  // Until it is done.
  void Wait();

 private:
  void Run();

  std::mutex mutex_;
  std::condition_variable changed_;
  // --- guarded by mutex_ ---
  std::function<void()> work_;  // empty when there is none
  bool ending_ = false;

  std::thread thread_;
};

}  // namespace deconvoy::server
