#include "worker/session/task_io.h"

#include <utility>

#include "proto/contract/status_macros.h"
#include "worker/executor/crash_point.h"
#include "worker/pipeline/piece_writer.h"

namespace deconvoy::worker {

absl::StatusOr<std::unique_ptr<TaskIo>> TaskIo::Open(ServerLink& link, const std::string& worker, HeldTask& held) {
  std::unique_ptr<ScratchSink> scratch;
  if (!held.task().scratch_path().empty()) {
    ASSIGN_OR_RETURN(scratch, ScratchSink::Open(held.task().scratch_path()));
  }
  return std::unique_ptr<TaskIo>(new TaskIo(link, worker, held, std::move(scratch)));
}

TaskIo::TaskIo(ServerLink& link, const std::string& worker, HeldTask& held, std::unique_ptr<ScratchSink> scratch)
    : link_(link),
      worker_(worker),
      held_(held),
      fetch_(link, worker, held),
      scratch_(std::move(scratch)),
      buffer_(OutputBytes(held.task())) {}

OutputSink& TaskIo::sink() {
  if (scratch_ != nullptr) return *scratch_;
  return buffer_;
}

absl::Status TaskIo::Progress(int64_t done, int64_t total) {
  held_.SetProgress(done, total);
  if (held_.task().has_tile() && done == (total + 1) / 2) CrashPoint("worker-mid-iterations");
  return absl::OkStatus();
}

absl::Status TaskIo::Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  if (!volume.spool_path().empty()) return spool_.Read(volume, box, target);
  return fetch_.Read(volume, box, target);
}

absl::Status TaskIo::Deliver(const v1::TaskResult& result) {
  if (scratch_ != nullptr) RETURN_IF_ERROR(scratch_->Sync());
  CrashPoint("worker-before-delivery");
  RETURN_IF_ERROR(worker::Deliver(link_, worker_, held_, {buffer_.bytes(), scratch_ != nullptr, &result}));
  CrashPoint("worker-after-delivery");
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
