// What a task is given to work with: where its volumes are read, where its result goes, and who listens.
#pragma once

#include <absl/status/status.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "deconvoy/v1/workers.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::worker {

// Reads the volumes of a task. One thread at a time.
class VolumeSource {
 public:
  virtual ~VolumeSource() = default;
  // The voxels of `box` in z,y,x order. REQUIRES: box inside the volume, target of its size in bytes.
  // Errors: STORAGE_FAILURE (file), CHECKSUM_MISMATCH (stream), CANCELLED, STALE_LEASE.
  virtual absl::Status Read(const v1::VolumeAccess& volume, const FrameBox& box, std::span<std::byte> target) = 0;
};

// Takes the bytes of a task's outputs laid end to end. One thread at a time.
class OutputSink {
 public:
  virtual ~OutputSink() = default;
  virtual absl::Status Append(std::span<const std::byte> data) = 0;
};

// Lives as long as the task is executed.
class TaskContext {
 public:
  virtual ~TaskContext() = default;

  virtual VolumeSource& source() = 0;
  virtual OutputSink& sink() = 0;
  // Objective and residuals of the iteration that Progress tells of next, where the method tells them.
  virtual void Objective(const v1::ObjectiveValue& value) = 0;
  // Step `done` of `total` (iterations, planes) is over. An error ends the task with it.
  virtual absl::Status Progress(int64_t done, int64_t total) = 0;
  // Whether the task should end; may become true at any time.
  virtual bool cancelled() const = 0;

  // Of tiles that are executed at once, one computes while the others are loaded or unloaded.
  // All is loaded: waits until no other tile computes and it is this one's turn. CANCELLED when the task should end.
  virtual absl::Status BeginComputing() { return absl::OkStatus(); }
  // What is left is to bring the result out. The task may begin to compute once more.
  virtual void EndComputing() {}
  // For how long so far the task was executed without being the one that computes. One that is executed alone computes
  // from its beginning on.
  virtual std::chrono::duration<double> Aside() const { return {}; }
};

}  // namespace deconvoy::worker
