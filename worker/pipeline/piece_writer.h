// Writes a task's output pieces one after another and keeps their checksums.
#pragma once

#include <absl/status/status.h>

#include <cstdint>
#include <span>
#include <vector>

#include "worker/pipeline/task_context.h"

namespace deconvoy::worker {

// Bytes of all pieces together.
int64_t OutputBytes(const v1::Task& task);

class PieceWriter {
 public:
  // Both must outlive the writer.
  PieceWriter(const v1::Task& task, OutputSink& sink);

  // The next bytes; they may span pieces. A byte more than the pieces hold is a bug of the task and gives INTERNAL.
  absl::Status Append(std::span<const std::byte> data);
  // Puts the checksums into `result`. INTERNAL when bytes are missing.
  absl::Status Finish(v1::TaskResult& result) const;

 private:
  OutputSink& sink_;
  std::vector<int64_t> piece_bytes_;
  std::vector<uint32_t> checksums_;
  size_t piece_ = 0;
  int64_t in_piece_ = 0;
};

}  // namespace deconvoy::worker
