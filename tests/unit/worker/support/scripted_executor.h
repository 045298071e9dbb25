// An executor that does what a test says. Safe for threads, as far as the script is.
#pragma once

#include <absl/status/statusor.h>

#include <atomic>
#include <functional>
#include <utility>

#include "worker/executor/task_executor.h"

namespace deconvoy::worker::testing {

class Scripted : public TaskExecutor {
 public:
  using Script = std::function<absl::StatusOr<v1::TaskResult>(const v1::Task&, TaskContext&)>;
  explicit Scripted(Script script) : script_(std::move(script)) {}
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override {
    ++calls;
    return script_(task, context);
  }
  std::atomic<int> calls = 0;

 private:
  const Script script_;
};

}  // namespace deconvoy::worker::testing
