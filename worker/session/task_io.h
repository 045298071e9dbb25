// A held task as its executor sees it: files of the spool where this worker sees them, streams otherwise.
#pragma once

#include <absl/status/status.h>

#include <memory>
#include <string>

#include "worker/pipeline/spool_files.h"
#include "worker/pipeline/task_context.h"
#include "worker/session/delivery.h"
#include "worker/session/fetch_source.h"
#include "worker/session/held_task.h"
#include "worker/session/server_link.h"
#include "worker/session/staged_source.h"

namespace deconvoy::worker {

// In order: reading ahead where there is time for it, then Open, then what an executor does, then CloseInput, then
// Deliver. Reading ahead may go on in a thread of its own until CloseInput.
class TaskIo : public TaskContext, private VolumeSource {
 public:
  // All must outlive the object.
  TaskIo(ServerLink& link, const std::string& worker, HeldTask& held);

  // Tells that ReadAhead follows: the executor then waits for what that brings instead of reading it once more. Quick.
  void AnnounceReadAhead();
  // Brings the input nearer: from the disk into the system's cache, or from the server into this process. Returns early
  // when the task is stopped or its input closed. Errors are those of reading, and harmless: the executor tries again.
  absl::Status ReadAhead();

  // Makes ready for the outputs. Errors: STALE_LEASE or STORAGE_FAILURE when the scratch file cannot be opened.
  absl::Status Open();
  VolumeSource& source() override { return *this; }
  OutputSink& sink() override;
  void Objective(const v1::ObjectiveValue& value) override { held_.SetObjective(value); }
  absl::Status Progress(int64_t done, int64_t total) override;
  bool cancelled() const override { return held_.stop().stopped(); }
  // The executor has read all that it wants.
  void CloseInput();

  // Brings the outputs to the server, and returns when it has committed the result.
  absl::Status Deliver(const v1::TaskResult& result);

 private:
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override;
  absl::Status Prefetch(const InputBox& input);

  ServerLink& link_;
  const std::string& worker_;
  HeldTask& held_;
  SpoolSource spool_;
  FetchSource fetch_;
  StagedSource staged_;
  std::unique_ptr<ScratchSink> scratch_;  // null: `buffer_` is used
  BufferSink buffer_;
};

}  // namespace deconvoy::worker
