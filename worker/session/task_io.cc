#include "worker/session/task_io.h"

#include <utility>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/executor/crash_point.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/session/footprint.h"

namespace deconvoy::worker {

TaskIo::TaskIo(ServerLink& link, const std::string& worker, HeldTask& held)
    : link_(link),
      worker_(worker),
      held_(held),
      fetch_(link, worker, held),
      staged_(fetch_),
      buffer_(OutputBytes(held.task())) {}

void TaskIo::AnnounceReadAhead() {
  std::vector<InputBox> streamed = BoxesToReadAhead(held_.task());
  std::erase_if(streamed, [](const InputBox& input) { return !input.volume->spool_path().empty(); });
  staged_.Announce(streamed);
}

absl::Status TaskIo::ReadAhead() {
  absl::Status status;
  for (const InputBox& input : BoxesToReadAhead(held_.task())) {
    if (!input.volume->spool_path().empty()) status.Update(Prefetch(input));
  }
  status.Update(staged_.Fill());  // whatever was before: the executor waits for it
  return status;
}

// Plane by plane, so that it ends soon when the task does.
absl::Status TaskIo::Prefetch(const InputBox& input) {
  FrameBox plane = input.box;
  plane.box.shape.z = 1;
  for (; plane.box.origin.z < input.box.box.end().z && !cancelled(); ++plane.box.origin.z) {
    RETURN_IF_ERROR(spool_.Prefetch(*input.volume, plane));
  }
  return absl::OkStatus();
}

absl::Status TaskIo::Open() {
  if (held_.task().scratch_path().empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(scratch_, ScratchSink::Open(held_.task().scratch_path()));
  return absl::OkStatus();
}

OutputSink& TaskIo::sink() {
  if (scratch_ != nullptr) return *scratch_;
  return buffer_;
}

absl::Status TaskIo::Progress(int64_t done, int64_t total) {
  held_.SetProgress(done, total);
  if (held_.task().has_tile() && done == (total + 1) / 2) CrashPoint("worker-mid-iterations");
  if (held_.task().has_write_file() && done == (total + 1) / 2) CrashPoint("worker-mid-file");
  return absl::OkStatus();
}

absl::Status TaskIo::Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) {
  if (!volume.spool_path().empty()) return spool_.Read(volume, box, target);
  return staged_.Read(volume, box, target);
}

void TaskIo::CloseInput() {
  staged_.Close();
}

absl::Status TaskIo::Deliver(const v1::TaskResult& result) {
  if (scratch_ != nullptr) RETURN_IF_ERROR(scratch_->Close());
  CrashPoint("worker-before-delivery");
  RETURN_IF_ERROR(worker::Deliver(link_, worker_, held_, {buffer_.bytes(), scratch_ != nullptr, &result}));
  CrashPoint("worker-after-delivery");
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
