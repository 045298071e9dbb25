// Brings the voxels of a tile's core from a device that makes them where the result lies.
#pragma once

#include <absl/status/statusor.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "worker/ops/backend.h"
#include "worker/ops/finishing.h"

namespace deconvoy::worker {

// While the host works on some planes, the device brings the next ones. One thread at a time.
class CoreReader {
 public:
  // All must outlive the reader; the array stays as it is meanwhile. REQUIRES: `ops` have a `Finishing`, core inside
  // the array's box.
  CoreReader(Ops& ops, const Array& array, const Box3& core, const VoxelRule& rule, int64_t slab_bytes = kSlabBytes);

  // The next planes of the core, all of them whole, in z,y,x order; none after the last. Valid until the next call.
  // Errors: those of ops.
  absl::StatusOr<std::span<const std::byte>> Next();

 private:
  static constexpr int64_t kSlabBytes = 8 << 20;  // copied at once, where a plane is not larger

  int64_t slabs() const;
  Box3 Slab(int64_t index) const;
  absl::Status Begin(int64_t index);

  Ops& ops_;
  const Array& array_;
  const Box3 core_;
  const VoxelRule rule_;
  const int64_t plane_bytes_;
  const int64_t at_once_;                             // planes of a slab
  std::array<std::unique_ptr<Staging>, 2> stagings_;  // of even and odd slabs
  int64_t begun_ = 0, read_ = 0;                      // slabs
};

}  // namespace deconvoy::worker
