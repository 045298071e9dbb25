// Reads a task's volumes through the server, for workers that do not see the spool.
#pragma once

#include <string>

#include "worker/pipeline/task_context.h"
#include "worker/session/held_task.h"
#include "worker/session/server_link.h"

namespace deconvoy::worker {

// Tries again while the server is away, and a few times after a wrong checksum, an answer that lacks voxels or a call
// that was broken off; stops when the task is cancelled.
class FetchSource : public VolumeSource {
 public:
  // All must outlive the source.
  FetchSource(ServerLink& link, const std::string& worker, HeldTask& held)
      : link_(link), worker_(worker), held_(held) {}

  // Errors: CANCELLED, CHECKSUM_MISMATCH, DATA_LOSS, INTERNAL, STALE_LEASE, NOT_FOUND.
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override;

 private:
  absl::Status ReadOnce(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target);

  ServerLink& link_;
  const std::string& worker_;
  HeldTask& held_;
};

}  // namespace deconvoy::worker
