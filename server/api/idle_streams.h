// Ends streams on which a caller has not said anything for too long: each holds a thread and a place among the open
// calls.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <mutex>
#include <thread>

#include "server/observe/environment.h"

namespace deconvoy::server {

// Thread safe.
class IdleStreams {
 public:
  // `allowed` zero: for ever. `clock` must outlive this. `tick`: how often streams are looked at; zero: only by Tick().
  IdleStreams(std::chrono::milliseconds allowed, const Clock& clock,
              std::chrono::milliseconds tick = std::chrono::seconds(1));
  ~IdleStreams();

  // One stream, as long as it is watched. Touch by the thread that reads it.
  class Watched {
   public:
    // `cancel` ends the stream; it may be called from another thread, once, until the destructor has returned.
    Watched(IdleStreams& streams, std::function<void()> cancel);
    ~Watched();
    Watched(const Watched&) = delete;
    Watched& operator=(const Watched&) = delete;

    // Something has come.
    void Touch() { last_ = streams_.Now(); }
    // Whether the stream was ended for being idle.
    bool ended() const { return ended_; }

   private:
    friend class IdleStreams;
    IdleStreams& streams_;
    const std::function<void()> cancel_;
    std::atomic<int64_t> last_;  // steady time, ms
    std::atomic<bool> ended_ = false;
    std::list<Watched*>::iterator place_;
  };

  std::chrono::milliseconds allowed() const { return allowed_; }
  // Ends what is idle.
  void Tick();

 private:
  int64_t Now() const;

  const std::chrono::milliseconds allowed_;
  const Clock& clock_;
  std::mutex mutex_;
  std::condition_variable stopping_;
  bool stopped_ = false;         // guarded by mutex_, as is what follows
  std::list<Watched*> streams_;  // that are watched
  std::thread ticker_;
};

}  // namespace deconvoy::server
