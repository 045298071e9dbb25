#include "worker/pipeline/measured.h"

#include <algorithm>

#include "proto/contract/deconvolution.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/plane_uploader.h"

namespace deconvoy::worker {
namespace {

FrameBox MeasuredPart(const FrameBox& loaded, int64_t upsample) {
  return {loaded.t, loaded.c, MeasuredPlanes(loaded.box, upsample)};
}

// Counts of a voxel of so many photons, in the light of the first plane.
float CountsOf(const CountScale& scale, float photons) {
  return static_cast<float>((static_cast<double>(photons) + scale.dark) / scale.gain + scale.offset_counts);
}

class Loader {
 public:
  Loader(const ImageSource& from, Ops& ops, VolumeSource& source)
      : from_(from),
        region_(MeasuredPart(from.loaded, from.upsample)),
        ops_(ops),
        image_(source, *from.image, region_),
        mask_(source, from.mask, from.saturation_counts, region_, &from.correction),
        ones_(static_cast<size_t>(region_.box.shape.y * region_.box.shape.x), 1.0F) {}

  absl::Status Load(Measured& to, const MeasuredPlane& visit) {
    if (region_.box.empty()) return ops_.Fill(*to.y, Fill());
    const Shape3& loaded = from_.loaded.box.shape;
    PlaneUploader y(ops_, loaded, *to.y);
    for (int64_t z = 0; z < region_.box.shape.z; ++z) {
      ASSIGN_OR_RETURN(const std::span<float> plane, image_.Read(z));
      ASSIGN_OR_RETURN(const std::span<const float> m, mask_.Read(z, CountsOf(from_.scale, from_.fill), plane));
      RETURN_IF_ERROR(CheckFinite(plane, region_, z));
      ToPhotons(from_.scale, plane);
      from_.correction.light.Apply(z, plane);
      const int64_t at = (region_.box.origin.z + z) * from_.upsample - from_.loaded.box.origin.z;
      visit(at, plane, m);
      ApplyReadNoise(from_.scale, plane);
      const int64_t begin = z == 0 ? 0 : at, end = std::min(at + from_.upsample, loaded.z);
      for (int64_t fine = begin; fine < end; ++fine) RETURN_IF_ERROR(y.Upload(fine, plane));
      if (to.mask == nullptr) continue;
      const Box3 box{{at, 0, 0}, {1, loaded.y, loaded.x}};
      RETURN_IF_ERROR(ops_.Upload(m.empty() ? std::span<const float>(ones_) : m, box, *to.mask));
    }
    return absl::OkStatus();
  }

 private:
  // y where nothing was measured.
  float Fill() const {
    float y = from_.fill;
    ApplyReadNoise(from_.scale, {&y, 1});
    return y;
  }

  const ImageSource& from_;
  const FrameBox region_;  // of the image
  Ops& ops_;
  PlaneReader image_;
  MaskReader mask_;
  const std::vector<float> ones_;  // m of a plane of which every voxel counts
};

}  // namespace

std::vector<int64_t> ChannelsOf(const v1::TileTask& tile) {
  if (tile.frames_size() <= 1) return {ToFrameBox(tile.core()).c};
  std::vector<int64_t> channels;
  for (const v1::FrameStatistics& frame : tile.frames()) channels.push_back(frame.c());
  return channels;
}

FrameBox ImageRegion(const v1::TileTask& tile, int64_t c) {
  FrameBox loaded = ToFrameBox(tile.loaded());
  loaded.c = c;
  return MeasuredPart(loaded, AxialUpsample(tile.spec()));
}

absl::StatusOr<Measured> LoadMeasured(const ImageSource& from, const Box3& box, Ops& ops, VolumeSource& source,
                                      const MeasuredPlane& visit) {
  Measured measured;
  ASSIGN_OR_RETURN(measured.y, ops.Allocate(box));
  if (from.mask != nullptr || from.saturation_counts > 0 || from.upsample > 1 || from.correction.masks()) {
    ASSIGN_OR_RETURN(measured.mask, ops.Allocate(box));
  }
  RETURN_IF_ERROR(Loader(from, ops, source).Load(measured, visit));
  return measured;
}

}  // namespace deconvoy::worker
