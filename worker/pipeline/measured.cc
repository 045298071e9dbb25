#include "worker/pipeline/measured.h"

#include <algorithm>
#include <optional>

#include "proto/contract/deconvolution.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/pipeline/counts_loader.h"
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
        measured_(MeasuredPart(from.loaded, from.upsample).box),
        region_(RecordedRegion(from)),
        ops_(ops),
        image_(source, *from.image, region_),
        mask_(source, from.mask, from.saturation_counts, region_, &from.correction),
        ones_(static_cast<size_t>(region_.box.shape.y * region_.box.shape.x), 1.0F) {
    if (!from.displacement.any()) return;
    placed_.resize(static_cast<size_t>(measured_.shape.y * measured_.shape.x));
    weights_.resize(placed_.size());
  }

  absl::Status Load(Measured& to, const MeasuredPlane& visit) {
    if (region_.box.empty()) return ops_.Fill(*to.y, Fill());
    const Shape3& loaded = from_.loaded.box.shape;
    PlaneUploader y(ops_, loaded, *to.y);
    for (int64_t z = 0; z < measured_.shape.z; ++z) {
      ASSIGN_OR_RETURN(const Plane plane, Read(z));
      const int64_t at = (measured_.origin.z + z) * from_.upsample - from_.loaded.box.origin.z;
      visit(at, plane.photons, plane.m);
      ApplyReadNoise(from_.scale, plane.photons);
      const int64_t begin = z == 0 ? 0 : at, end = std::min(at + from_.upsample, loaded.z);
      for (int64_t fine = begin; fine < end; ++fine) RETURN_IF_ERROR(y.Upload(fine, plane.photons));
      if (to.mask == nullptr) continue;
      const Box3 box{{at, 0, 0}, {1, loaded.y, loaded.x}};
      RETURN_IF_ERROR(ops_.Upload(plane.m.empty() ? std::span<const float>(ones_) : plane.m, box, *to.mask));
    }
    return absl::OkStatus();
  }

 private:
  // Valid until the next one is read. m empty: 1 everywhere.
  struct Plane {
    std::span<float> photons;
    std::span<const float> m;
  };

  static FrameBox RecordedRegion(const ImageSource& from) {
    FrameBox region = MeasuredPart(from.loaded, from.upsample);
    region.box = RecordedBox(from.displacement, FrameShape(from.image->spec()), region.box);
    return region;
  }

  // Plane `z` of those that were measured.
  absl::StatusOr<Plane> Read(int64_t z) {
    if (!from_.displacement.any()) return ReadRecorded(z);
    const std::optional<int64_t> p = RecordedPlane(from_.displacement, region_.box, measured_, z);
    if (!p) {
      std::fill(placed_.begin(), placed_.end(), from_.fill);
      std::fill(weights_.begin(), weights_.end(), 0.0F);
      return Plane{placed_, weights_};
    }
    ASSIGN_OR_RETURN(const Plane read, ReadRecorded(*p));
    PlacePlane(from_.displacement, region_.box, *p, read.photons, measured_, from_.fill, placed_);
    PlacePlane(from_.displacement, region_.box, *p, read.m.empty() ? std::span<const float>(ones_) : read.m, measured_,
               0, weights_);
    return Plane{placed_, weights_};
  }

  // Plane `p` of the region, where it was recorded.
  absl::StatusOr<Plane> ReadRecorded(int64_t p) {
    ASSIGN_OR_RETURN(const std::span<float> plane, image_.Read(p));
    ASSIGN_OR_RETURN(const std::span<const float> m, mask_.Read(p, CountsOf(from_.scale, from_.fill), plane));
    RETURN_IF_ERROR(CheckFinite(plane, region_, p));
    ToPhotons(from_.scale, plane);
    from_.correction.light.Apply(p, plane);
    return Plane{plane, m};
  }

  // y where nothing was measured.
  float Fill() const {
    float y = from_.fill;
    ApplyReadNoise(from_.scale, {&y, 1});
    return y;
  }

  const ImageSource& from_;
  const Box3 measured_;    // planes of the image that belong to the loaded box
  const FrameBox region_;  // of the image: where those were recorded
  Ops& ops_;
  PlaneReader image_;
  MaskReader mask_;
  const std::vector<float> ones_;        // m of a plane of which every voxel counts
  std::vector<float> placed_, weights_;  // of a plane that was recorded elsewhere
};

}  // namespace

std::vector<int64_t> ChannelsOf(const v1::TileTask& tile) {
  if (tile.frames_size() <= 1) return {ToFrameBox(tile.core()).c};
  std::vector<int64_t> channels;
  for (const v1::FrameStatistics& frame : tile.frames()) channels.push_back(frame.c());
  return channels;
}

FrameBox ImageRegion(const v1::TileTask& tile, int64_t c, const Shape3& image) {
  FrameBox loaded = ToFrameBox(tile.loaded());
  loaded.c = c;
  FrameBox region = MeasuredPart(loaded, AxialUpsample(tile.spec()));
  const std::vector<int64_t> channels = ChannelsOf(tile);
  for (int view = 0; view < tile.frames_size(); ++view) {
    if (channels[static_cast<size_t>(view)] != c) continue;
    region.box = RecordedBox(DisplacementOf(tile.frames(view)), image, region.box);
  }
  return region;
}

FrameBox PreviousRegion(const v1::TileTask& tile) {
  FrameBox region = ToFrameBox(tile.loaded());
  --region.t;
  if (!tile.spec().has_region_shape()) return region;
  const Box3 result = ResultBox(tile.spec(), {});
  region.box = Intersect(region.box, result);
  region.box.origin = region.box.origin - result.origin;
  return region;
}

absl::StatusOr<Measured> LoadMeasured(const ImageSource& from, const Box3& box, Ops& ops, VolumeSource& source,
                                      const MeasuredPlane& visit, const MeasuredCounts& visit_counts) {
  Measured measured;
  ASSIGN_OR_RETURN(measured.y, ops.Allocate(box));
  if (visit_counts && LoadsCounts(from, box)) {
    RETURN_IF_ERROR(LoadCounts(from, *measured.y, ops, source, visit_counts));
    return measured;
  }
  if (from.mask != nullptr || from.saturation_counts > 0 || from.upsample > 1 || from.displacement.any() ||
      from.correction.masks()) {
    ASSIGN_OR_RETURN(measured.mask, ops.Allocate(box));
  }
  RETURN_IF_ERROR(Loader(from, ops, source).Load(measured, visit));
  return measured;
}

}  // namespace deconvoy::worker
