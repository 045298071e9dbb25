// The tasks that a worker holds, each in its stage.
//
// One waits and is read ahead, one is executed, one is delivered; a task moves on when the next stage is free. Memory:
// what they hold together stays within the budget. Where it would not, a task is not read ahead, or is begun only after
// the one before it was delivered.
//
// Where two may be executed at once, a tile is begun beside another one that has all its input and has begun to compute
// or waits for that. They compute in turn, in the order in which they were begun: one that is executed but does not
// compute is STAGED before its turn and DELIVERING after it, so that progress and shares are those of the one that
// does.
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
  bool loaded = false;    // guarded by the line's mutex: it has asked to compute
};

// Thread safe.
class TaskLine {
 public:
  // `at_once` tasks may be executed at once, each within its part of the budget, which is then that of a device.
  explicit TaskLine(int64_t budget_bytes, int at_once = 1)
      : budget_bytes_(budget_bytes), at_once_(static_cast<size_t>(at_once)) {}

  int at_once() const { return static_cast<int>(at_once_); }

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
  // The task of NextToCompute has its input: waits until it is its turn to compute. False when it was stopped, or at
  // the end.
  bool BeginComputing(const std::shared_ptr<Work>& work);
  // It leaves the turn to the next one, where there may be one. It may begin to compute again.
  void EndComputing(const std::shared_ptr<Work>& work);
  // The task of NextToCompute has its result. Returns when it could move on, was stopped, or at the end.
  void Computed(const std::shared_ptr<Work>& work);
  // The task has left its stage for good: done, or dropped.
  void Remove(const std::shared_ptr<Work>& work);
  // The same, and the server is to be told why.
  void GiveUp(const std::shared_ptr<Work>& work, v1::TaskStatus report);

 private:
  // REQUIRES for all: mutex_ is held.
  // All of them: the one that is delivered, those that are executed, the one that waits.
  std::vector<std::shared_ptr<Work>> Held() const;
  // Whether all of this together stays within the budget: what tasks need that are executed, and what is held besides.
  bool Fits(std::vector<int64_t> executed, const std::vector<int64_t>& held) const;
  std::vector<int64_t> Executed() const;
  int64_t Delivering() const;
  std::vector<int64_t> HeldBesideExecuted() const;
  bool MayReadAhead() const;
  bool MayBegin() const;
  // Whether the one that waits may be executed beside those that are.
  bool MayShare() const;
  // Whether it is executed within its part of the budget, maybe beside another one.
  bool Shares(const Work& work) const;
  // Whoever is first of those that wait for it computes, if none does.
  void PassTurn();
  void LeaveTurn(Work& work);
  void ReturnUnbegun(HeldTask& held, const char* why);
  void Forget(const std::shared_ptr<Work>& work);
  void Changed();

  const int64_t budget_bytes_;
  const size_t at_once_;

  std::mutex mutex_;
  std::condition_variable changed_;
  // Guarded by mutex_:
  std::shared_ptr<Work> waiting_, delivering_;    // null: the stage is free
  std::vector<std::shared_ptr<Work>> executing_;  // at most `at_once_`, as they were begun
  bool reading_ahead_ = false;                    // `waiting_` was handed to be read ahead
  std::vector<v1::TaskStatus> given_up_;          // to be said
  bool draining_ = false;
  bool over_ = false;
  uint64_t news_ = 0;       // what the server should hear of soon
  uint64_t news_told_ = 0;  // of which the last Describe knew
};

}  // namespace deconvoy::worker
