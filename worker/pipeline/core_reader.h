// Brings the planes of a tile's core from the device.
#pragma once

#include <absl/status/status.h>

#include <array>
#include <cstdint>
#include <memory>
#include <span>

#include "worker/ops/backend.h"

namespace deconvoy::worker {

// While the host works on a plane, the device brings the next one. One thread at a time.
class CoreReader {
 public:
  // Both must outlive the reader; the array stays as it is meanwhile. REQUIRES: core inside the array's box.
  CoreReader(Ops& ops, const Array& array, const Box3& core) : ops_(ops), array_(array), core_(core) {}

  // Plane `z` of the core, from its first one. Cheapest in order. Errors: those of ops. REQUIRES: room for a plane.
  absl::Status Read(int64_t z, std::span<float> plane);

 private:
  absl::Status Begin(int64_t z);

  Ops& ops_;
  const Array& array_;
  const Box3 core_;
  std::array<std::unique_ptr<Staging>, 2> stagings_;  // of even and odd planes
  std::array<int64_t, 2> planes_ = {-1, -1};          // that they hold, or will
};

}  // namespace deconvoy::worker
