// Bringing a result to the server.
#pragma once

#include <absl/status/status.h>

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "worker/pipeline/task_context.h"
#include "worker/session/held_task.h"
#include "worker/session/server_link.h"

namespace deconvoy::worker {

// Keeps the outputs in memory until they are delivered. For workers that do not see the spool.
class BufferSink : public OutputSink {
 public:
  explicit BufferSink(int64_t expected_bytes) : expected_bytes_(static_cast<size_t>(expected_bytes)) {}
  absl::Status Append(std::span<const std::byte> data) override {
    if (bytes_.empty()) bytes_.reserve(expected_bytes_);
    bytes_.insert(bytes_.end(), data.begin(), data.end());
    return absl::OkStatus();
  }
  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  const size_t expected_bytes_;
  std::vector<std::byte> bytes_;
};

struct Delivery {
  std::span<const std::byte> outputs;  // empty when they lie in the scratch file
  bool in_scratch_file = false;
  const v1::TaskResult* result = nullptr;
};

// Delivers and returns when the result is committed. Delivering twice is harmless, so it is tried again while the
// server is away. Errors: CANCELLED, STALE_LEASE, DISK_FULL, and whatever else the server refuses it for.
absl::Status Deliver(ServerLink& link, const std::string& worker, HeldTask& held, const Delivery& delivery);

}  // namespace deconvoy::worker
