#include "worker/pipeline/counts_loader.h"

#include <algorithm>
#include <array>
#include <memory>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::worker {
namespace {

constexpr int64_t kSlabBytes = 8 << 20;  // read at once, where a plane is not larger

CountRule RuleOf(const CountScale& scale) {
  return {.offset = scale.offset_counts, .gain = scale.gain, .dark = scale.dark, .raise = scale.variance()};
}

}  // namespace

bool LoadsCounts(const ImageSource& from, const Box3& box) {
  const v1::VoxelType type = from.image->spec().type();
  const RegionCorrection& correction = from.correction;
  return (type == v1::U8 || type == v1::U16) && from.mask == nullptr && from.saturation_counts == 0 &&
         from.upsample == 1 && !from.displacement.any() && correction.bad_pixels.empty() &&
         !correction.light.changes() && box.shape == from.loaded.box.shape;
}

absl::Status LoadCounts(const ImageSource& from, Array& y, Ops& ops, VolumeSource& source,
                        const MeasuredCounts& visit) {
  const v1::VoxelType type = from.image->spec().type();
  const Shape3& shape = from.loaded.box.shape;
  const int64_t plane_bytes = shape.y * shape.x * BytesPerVoxel(type);
  const int64_t at_once = std::clamp<int64_t>(kSlabBytes / plane_bytes, 1, shape.z);
  std::array<std::unique_ptr<Staging>, 2> stagings;
  for (std::unique_ptr<Staging>& staging : stagings) {
    ASSIGN_OR_RETURN(staging, ops.Stage(at_once * plane_bytes));
  }
  for (int64_t z = 0; z < shape.z; z += at_once) {
    std::swap(stagings[0], stagings[1]);
    FrameBox slab = from.loaded;
    slab.box.origin.z += z;
    slab.box.shape.z = std::min(at_once, shape.z - z);
    ASSIGN_OR_RETURN(const std::span<std::byte> room, stagings[0]->Bytes());
    const std::span<std::byte> counts = room.first(static_cast<size_t>(slab.box.shape.z * plane_bytes));
    RETURN_IF_ERROR(source.Read(*from.image, slab, counts));
    RETURN_IF_ERROR(ops.Load(*stagings[0], type, RuleOf(from.scale), {{z, 0, 0}, slab.box.shape}, y));
    for (int64_t i = 0; i < slab.box.shape.z; ++i) {
      visit(z + i, counts.subspan(static_cast<size_t>(i * plane_bytes), static_cast<size_t>(plane_bytes)));
    }
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
