#include "worker/backends/cuda/cuda_finishing.h"

#include <algorithm>
#include <string_view>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/backends/cuda/cuda_array.h"
#include "worker/backends/cuda/kernels.h"
#include "worker/backends/cuda/require.h"
#include "worker/backends/cuda/staging_pool.h"
#include "worker/backends/cuda/sums.h"

namespace deconvoy::worker::cuda {
namespace {

VoxelsOf MakeVoxelsOf(const Array& array, const Box3& box, const VoxelRule& rule) {
  Require(array.box().Contains(box) && rule.gain > 0, "the array covers the box, and the gain is positive");
  return {.array = FieldOf(&array),
          .box = box,
          .bytes = static_cast<int32_t>(BytesPerVoxel(rule.type)),
          .gain = rule.gain,
          .offset = rule.offset};
}

void RequireCovered(const FinishedCore& core) {
  Require(core.result->box().Contains(core.core) && core.image->box().Contains(core.core) &&
              (core.mask == nullptr || core.mask->box().Contains(core.core)),
          "all arrays cover the core");
}

uint64_t Count(double exact) {
  return static_cast<uint64_t>(exact);
}

}  // namespace

template <typename Sums, typename Run>
absl::StatusOr<Sums> CudaFinishing::Sum(const Shape3& shape, std::string_view call, const Run& run) const {
  static_assert(kMostSums * int64_t{sizeof(Sums)} <= kSumBytes);
  return SumOver<Sums>(convolver_, shape, call, static_cast<Sums*>(sums_), run);
}

absl::Status CudaFinishing::Unload(const Array& array, const Box3& box, const VoxelRule& rule, Staging& to) {
  const VoxelsOf of = MakeVoxelsOf(array, box, rule);
  Stream& stream = convolver_.stream();
  void* const voxels = convolver_.room();  // for floats of the whole domain
  RETURN_IF_ERROR(stream.Check(RunVoxels(stream.place(), of, voxels), "making voxels"));
  return stream.Fetch(voxels, box.shape.voxels() * of.bytes, static_cast<StagingPool::Lent&>(to).memory());
}

absl::StatusOr<CountTotals> CudaFinishing::CountVoxels(const Array& array, const Box3& box, const VoxelRule& rule) {
  const VoxelsOf of = MakeVoxelsOf(array, box, rule);
  ASSIGN_OR_RETURN(const VoxelSums sums, Sum<VoxelSums>(box.shape, "counting voxels", [&](VoxelSums* into) {
                     return RunCountVoxels(convolver_.stream().place(), of, into);
                   }));
  return CountTotals{.minimum = sums.voxels > 0 ? sums.minimum : 0,
                     .maximum = sums.voxels > 0 ? sums.maximum : 0,
                     .sum = sums.sum,
                     .clipped = Count(sums.clipped),
                     .not_finite = Count(sums.not_finite),
                     .voxels = Count(sums.voxels),
                     .all_zero = sums.lit == 0};
}

absl::StatusOr<NoiseSums> CudaFinishing::SumNoise(const FinishedCore& core, const NoiseRule& rule) {
  RequireCovered(core);
  Require(rule.first_plane >= 0 && rule.every_planes > 0, "flat regions are looked for every so many planes");
  const LaunchPlace place = convolver_.stream().place();
  NoiseSums noise;
  if (rule.brightest > 0) {
    const auto brightest = static_cast<float>(rule.brightest);
    const RingsOf rings{.result = FieldOf(core.result),
                        .core = core.core,
                        .dark = -kRingDark * brightest,
                        .bright = kRingBright * brightest};
    ASSIGN_OR_RETURN(const Totals<1> sums, Sum<Totals<1>>(core.core.shape, "looking for rings", [&](Totals<1>* into) {
                       return RunRings(place, rings, into);
                     }));
    noise.ring_voxels = Count(sums.value[0]);
  }
  const FlatOf flat{.result = FieldOf(core.result),
                    .image = FieldOf(core.image),
                    .mask = FieldOf(core.mask),
                    .core = core.core,
                    .first_plane = rule.first_plane,
                    .every_planes = rule.every_planes};
  const Shape3& shape = core.core.shape;
  const int64_t left = std::max<int64_t>(shape.z - rule.first_plane, 0);
  // A block needs the column beside it.
  const Shape3 blocks{(left + rule.every_planes - 1) / rule.every_planes, shape.y / kFlatBlock,
                      (shape.x - 1) / kFlatBlock};
  ASSIGN_OR_RETURN(const Totals<3> sums, Sum<Totals<3>>(blocks, "looking for flat regions", [&](Totals<3>* into) {
                     return RunFlat(place, flat, blocks, into);
                   }));
  noise.flat_voxels = Count(sums.value[0]);
  noise.flat_before = sums.value[1];
  noise.flat_after = sums.value[2];
  return noise;
}

absl::StatusOr<ResidualSums> CudaFinishing::SumResidual(const FinishedCore& core, const ResidualScale& scale) {
  RequireCovered(core);
  const LaunchPlace place = convolver_.stream().place();
  const ResidualOf of{.model = FieldOf(core.result),
                      .image = FieldOf(core.image),
                      .mask = FieldOf(core.mask),
                      .core = core.core,
                      .floor = static_cast<float>(scale.floor)};
  const Shape3& shape = core.core.shape;
  ASSIGN_OR_RETURN(const Totals<9> r, Sum<Totals<9>>(shape, "summing residuals",
                                                     [&](Totals<9>* into) { return RunResidual(place, of, into); }));
  const Shape3 blocks{shape.z, shape.y / kFaintBlock, shape.x / kFaintBlock};
  ASSIGN_OR_RETURN(const Totals<3> faint, Sum<Totals<3>>(blocks, "looking for faint structures", [&](Totals<3>* into) {
                     return RunFaint(place, of, scale.background, scale.brightest, blocks, into);
                   }));
  return ResidualSums{.voxels = Count(r.value[0]),
                      .sum = r.value[1],
                      .squares = r.value[2],
                      .x = {Count(r.value[3]), r.value[4]},
                      .y = {Count(r.value[5]), r.value[6]},
                      .z = {Count(r.value[7]), r.value[8]},
                      .faint_voxels = Count(faint.value[0]),
                      .faint_light = faint.value[1],
                      .faint_model = faint.value[2]};
}

}  // namespace deconvoy::worker::cuda
