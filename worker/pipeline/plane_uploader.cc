#include "worker/pipeline/plane_uploader.h"

#include "proto/contract/status_macros.h"
#include "worker/imaging/reflection.h"

namespace deconvoy::worker {

PlaneUploader::PlaneUploader(Ops& ops, const Shape3& measured, Array& array)
    : ops_(ops), measured_(measured), array_(array), reflects_(!(array.box().shape == measured)) {
  if (!reflects_) return;
  const Shape3& domain = array.box().shape;
  planes_ = ReflectedAxis(measured.z, domain.z);
  rows_ = ReflectedAxis(measured.y, domain.y);
  columns_ = ReflectedAxis(measured.x, domain.x);
  reflected_.resize(static_cast<size_t>(domain.y * domain.x));
}

absl::Status PlaneUploader::Upload(int64_t z, std::span<const float> plane) {
  const Shape3& shape = array_.box().shape;
  if (!reflects_) return ops_.Upload(plane, {{z, 0, 0}, {1, shape.y, shape.x}}, array_);
  ReflectPlane(plane, measured_.x, rows_, columns_, reflected_);
  for (size_t target = 0; target < planes_.size(); ++target) {
    if (planes_[target] != z) continue;
    RETURN_IF_ERROR(ops_.Upload(reflected_, {{static_cast<int64_t>(target), 0, 0}, {1, shape.y, shape.x}}, array_));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::worker
