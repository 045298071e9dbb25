// A held task as its executor sees it: files of the spool where this worker sees them, streams otherwise.
#pragma once

#include <absl/status/statusor.h>

#include <memory>
#include <string>

#include "worker/pipeline/spool_files.h"
#include "worker/pipeline/task_context.h"
#include "worker/session/delivery.h"
#include "worker/session/fetch_source.h"
#include "worker/session/held_task.h"
#include "worker/session/server_link.h"

namespace deconvoy::worker {

class TaskIo : public TaskContext, private VolumeSource {
 public:
  // All must outlive the object. Errors: STALE_LEASE or STORAGE_FAILURE when the scratch file cannot be opened.
  static absl::StatusOr<std::unique_ptr<TaskIo>> Open(ServerLink& link, const std::string& worker, HeldTask& held);

  VolumeSource& source() override { return *this; }
  OutputSink& sink() override;
  absl::Status Progress(int64_t done, int64_t total) override;
  bool cancelled() const override { return held_.stop().stopped(); }

  // Makes the outputs durable or sends them, and returns when the server has committed the result.
  absl::Status Deliver(const v1::TaskResult& result);

 private:
  TaskIo(ServerLink& link, const std::string& worker, HeldTask& held, std::unique_ptr<ScratchSink> scratch);
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override;

  ServerLink& link_;
  const std::string& worker_;
  HeldTask& held_;
  SpoolSource spool_;
  FetchSource fetch_;
  const std::unique_ptr<ScratchSink> scratch_;  // null: `buffer_` is used
  BufferSink buffer_;
};

}  // namespace deconvoy::worker
