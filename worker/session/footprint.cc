#include "worker/session/footprint.h"

#include "proto/contract/volume_layout.h"
#include "worker/executor/guarded_executor.h"
#include "worker/pipeline/mask.h"
#include "worker/pipeline/measured.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/pipeline/plane_reader.h"
#include "worker/pipeline/region_correction.h"
#include "worker/pipeline/tile_task.h"

namespace deconvoy::worker {
namespace {

void AddBox(const v1::Task& task, const std::string& volume, const FrameBox& box, std::vector<InputBox>& boxes) {
  const absl::StatusOr<const v1::VolumeAccess*> access = FindInput(task, volume);
  if (access.ok() && !box.box.empty()) boxes.push_back({*access, box});
}

int64_t BytesOf(const InputBox& input) {
  return input.box.box.shape.voxels() * BytesPerVoxel(input.volume->spec().type());
}

}  // namespace

std::vector<InputBox> BoxesToReadAhead(const v1::Task& task) {
  std::vector<InputBox> boxes;
  const v1::TileTask* const tile_task = TileOf(task);
  if (tile_task == nullptr) return boxes;
  const v1::TileTask& tile = *tile_task;
  const std::string& mask_name = tile.spec().mask_volume();
  const absl::StatusOr<const v1::VolumeAccess*> mask = FindInput(task, mask_name);
  const std::string& flat_name = tile.spec().flat_field_volume();
  const absl::StatusOr<const v1::VolumeAccess*> flat = FindInput(task, flat_name);
  const absl::StatusOr<const v1::VolumeAccess*> image = FindInput(task, tile.spec().input_volume());
  if (!image.ok()) return boxes;
  for (const int64_t c : ChannelsOf(tile)) {
    const FrameBox region = ImageRegion(tile, c, FrameShape((*image)->spec()));
    AddBox(task, tile.spec().input_volume(), region, boxes);
    if (!mask_name.empty() && mask.ok()) AddBox(task, mask_name, RegionOfMask(**mask, region), boxes);
    if (!flat_name.empty() && flat.ok()) AddBox(task, flat_name, RegionOfFlatField(**flat, region), boxes);
  }
  if (!tile.previous_volume().empty()) AddBox(task, tile.previous_volume(), PreviousRegion(tile), boxes);
  return boxes;
}

Footprint FootprintOf(const v1::Task& task) {
  Footprint footprint;
  for (const InputBox& input : BoxesToReadAhead(task)) {
    if (input.volume->spool_path().empty()) footprint.staged += BytesOf(input);
  }
  // A task that cannot be understood fails when it is computed.
  footprint.computing = NeedBytes(task).value_or(0);
  if (task.scratch_path().empty()) footprint.delivering = OutputBytes(task);
  footprint.beside = RunsBesideAnother(task);
  return footprint;
}

}  // namespace deconvoy::worker
