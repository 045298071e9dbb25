#include "worker/executor/cancellable_executor.h"

#include "proto/contract/status_macros.h"

namespace deconvoy::worker {
namespace {

absl::Status Check(const TaskContext& context) {
  return context.cancelled() ? absl::CancelledError("the task was cancelled") : absl::OkStatus();
}

// Another context with a check before everything.
class CheckedContext : public TaskContext, private VolumeSource, private OutputSink {
 public:
  explicit CheckedContext(TaskContext& next) : next_(next) {}

  VolumeSource& source() override { return *this; }
  OutputSink& sink() override { return *this; }
  void Objective(const v1::ObjectiveValue& value) override { next_.Objective(value); }
  absl::Status Progress(int64_t done, int64_t total) override {
    RETURN_IF_ERROR(Check(next_));
    return next_.Progress(done, total);
  }
  bool cancelled() const override { return next_.cancelled(); }
  absl::Status BeginComputing() override { return next_.BeginComputing(); }
  void EndComputing() override { next_.EndComputing(); }
  std::chrono::duration<double> Aside() const override { return next_.Aside(); }

 private:
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override {
    RETURN_IF_ERROR(Check(next_));
    return next_.source().Read(volume, box, target);
  }
  absl::Status Append(std::span<const std::byte> data) override {
    RETURN_IF_ERROR(Check(next_));
    return next_.sink().Append(data);
  }

  TaskContext& next_;
};

}  // namespace

absl::StatusOr<v1::TaskResult> CancellableExecutor::Execute(const v1::Task& task, TaskContext& context) {
  RETURN_IF_ERROR(Check(context));
  CheckedContext checked(context);
  return next_.Execute(task, checked);
}

}  // namespace deconvoy::worker
