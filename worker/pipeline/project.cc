#include "worker/pipeline/project.h"

#include <vector>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/imaging/counts.h"
#include "worker/imaging/projection.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"

namespace deconvoy::worker {

absl::StatusOr<int64_t> ProjectionBytes(const v1::Task& task) {
  const v1::ProjectSpec& spec = task.project().spec();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, spec.input_volume()));
  const v1::VoxelType type = input->spec().type();
  const Shape3 shape = FrameShape(input->spec());
  const auto per_voxel = static_cast<int64_t>(sizeof(float)) + BytesPerVoxel(type);  // as float and as written
  return PlaneReadingBytes(type, shape) + ProjectedShape(shape, spec.axis()).voxels() * per_voxel;
}

absl::StatusOr<v1::TaskResult> RunProject(const v1::Task& task, TaskContext& context) {
  const v1::ProjectTask& work = task.project();
  ASSIGN_OR_RETURN(const v1::VolumeAccess* input, FindInput(task, work.spec().input_volume()));
  const Shape3 shape = FrameShape(input->spec());
  const FrameBox frame{work.t(), work.c(), {{}, shape}};
  Projection projection(shape, work.spec().axis());
  const auto add = [&](int64_t z, std::span<float> plane) {
    RETURN_IF_ERROR(CheckFinite(plane, frame, z));
    projection.AddPlane(plane);
    return context.Progress(z + 1, shape.z);
  };
  RETURN_IF_ERROR(ForEachPlane(context.source(), *input, frame, add));
  const v1::VoxelType type = input->spec().type();
  std::vector<std::byte> raw(projection.values().size() * static_cast<size_t>(BytesPerVoxel(type)));
  ToCounts({}, false, projection.values(), type, raw);
  PieceWriter writer(task, context.sink());
  RETURN_IF_ERROR(writer.Append(raw));
  v1::TaskResult result;
  RETURN_IF_ERROR(writer.Finish(result));
  return result;
}

}  // namespace deconvoy::worker
