// The tasks that a worker holds, each in its stage.
//
// One waits and is read ahead, one is computed, one is delivered; a task moves on when the next stage is free. Memory:
// what the three hold together stays within the budget. Where it would not, a task is not read ahead, or is begun only
// after the one before it was delivered.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "deconvoy/v1/workers.pb.h"
#include "worker/session/footprint.h"
#include "worker/session/held_task.h"
#include "worker/session/server_link.h"
#include "worker/session/task_io.h"

namespace deconvoy::worker {

// A held task with all that belongs to it.
struct Work {
  // Both must outlive the object.
  Work(ServerLink& link, const std::string& worker, v1::Task task)
      : held(std::move(task)), io(link, worker, held), footprint(FootprintOf(held.task())) {}

  HeldTask held;
  TaskIo io;
  const Footprint footprint;
  v1::TaskResult result;  // once it is computed
};

// Thread safe.
class TaskLine {
 public:
  explicit TaskLine(int64_t budget_bytes) : budget_bytes_(budget_bytes) {}

  // --- for the thread that talks ---
  // Takes a task that the server has given. Where there is no room for it, it goes back.
  void Add(std::shared_ptr<Work> work);
  // Puts what the server should hear into the request: every task, those given up, and whether there is room.
  void Describe(v1::SynchronizeRequest& request);
  // The server has heard of the tasks that this request gives up.
  void Heard(const v1::SynchronizeRequest& request);
  // The server does not want this task any more. One that waits is dropped, any other is told to stop.
  void Cancel(const std::string& task, uint64_t token);
  // Takes nothing more. A task that waits goes back: it was not begun.
  void Drain();
  // Stops every task; the stages below end.
  void End();
  bool draining();
  bool holds_any();
  // Whether it drains, and nothing is held or left to be said after what the request said.
  bool IsOver(const v1::SynchronizeRequest& last);
  // Until there is something new to be said since the last Describe.
  void WaitForNews(std::chrono::milliseconds most);

  // --- for the threads of the stages ---
  // Each waits for the next task and returns null at the end.
  std::shared_ptr<Work> NextToReadAhead();
  std::shared_ptr<Work> NextToCompute();
  std::shared_ptr<Work> NextToDeliver();
  // The task of NextToCompute has its result. Returns when it could move on, was stopped, or at the end.
  void Computed(const std::shared_ptr<Work>& work);
  // The task has left its stage for good: done, or dropped.
  void Remove(const std::shared_ptr<Work>& work);
  // The same, and the server is to be told why.
  void GiveUp(const std::shared_ptr<Work>& work, v1::TaskStatus report);

 private:
  // REQUIRES for all: mutex_ is held.
  bool MayReadAhead() const;
  bool MayBegin() const;
  void ReturnUnbegun(HeldTask& held, const char* why);
  void Forget(const std::shared_ptr<Work>& work);
  void Changed();

  const int64_t budget_bytes_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::shared_ptr<Work> waiting_, computing_, delivering_;  // null: the stage is free
  bool reading_ahead_ = false;                              // `waiting_` was handed to be read ahead
  std::vector<v1::TaskStatus> given_up_;                    // to be said
  bool draining_ = false;
  bool over_ = false;
  uint64_t news_ = 0;       // what the server should hear of soon
  uint64_t news_told_ = 0;  // of which the last Describe knew
};

}  // namespace deconvoy::worker
