// Volumes and scratch files on a disk that the server shares with this worker.
#pragma once

#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Reads volumes from their `spool_path`. Errors: STORAGE_FAILURE with path and system message, also when the file is
// shorter than the volume. Thread safe.
class SpoolSource : public VolumeSource {
 public:
  absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) override;
  // Has the system begin to read the box into its cache. Takes none of this process's memory. Errors: as Read.
  absl::Status Prefetch(const v1::VolumeAccess& volume, const FrameBox& box) const;
};

// Writes a lease's scratch file, which the server has made and whose space it has reserved.
class ScratchSink : public OutputSink {
 public:
  // Errors: STALE_LEASE when the file is not there any more, STORAGE_FAILURE.
  static absl::StatusOr<std::unique_ptr<ScratchSink>> Open(const std::filesystem::path& path);
  ~ScratchSink() override;
  ScratchSink(const ScratchSink&) = delete;
  ScratchSink& operator=(const ScratchSink&) = delete;

  // Errors: DISK_FULL, STORAGE_FAILURE.
  absl::Status Append(std::span<const std::byte> data) override;
  // Ends writing, so that the server reads what was appended also where a network lies between: closing flushes there.
  // It need not be durable: the server syncs what it makes of it before it records anything. Call once, last.
  absl::Status Close();

 private:
  ScratchSink(int file, std::filesystem::path path) : file_(file), path_(std::move(path)) {}

  int file_;  // -1 once closed
  const std::filesystem::path path_;
  int64_t position_ = 0;
};

}  // namespace deconvoy::worker
