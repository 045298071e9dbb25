#include "server/jobs/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/error.h"
#include "proto/contract/preview.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/task_builder.h"
#include "server/jobs/tile_planning.h"

namespace deconvoy::server {

absl::Status CheckPreview(const LiveJob& job, int64_t number, const v1::PreviewPart& part) {
  if (part.maximum().empty() && part.size_y() == 0 && part.size_x() == 0) return absl::OkStatus();
  const Box3 core = ToFrameBox(OutputsOf(job, number).front().box()).box;
  const Box3 due = PreviewPixels(core, PreviewStep(FrameOf(ResultOf(job))));
  const Box3 pixels{{0, part.y(), part.x()}, {1, part.size_y(), part.size_x()}};
  const bool whole = pixels == due && part.maximum_size() == due.shape.voxels();
  const auto finite = [](float value) { return std::isfinite(value); };
  if (whole && std::all_of(part.maximum().begin(), part.maximum().end(), finite)) return absl::OkStatus();
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result.tile.preview"},
                   fmt::format("the preview of {} has {} numbers for {} x {} pixels at {},{}, but its tile has {} x {} "
                               "at {},{}, each of them a number",
                               TaskName(job.id(), number), part.maximum_size(), part.size_y(), part.size_x(), part.y(),
                               part.x(), due.shape.y, due.shape.x, due.origin.y, due.origin.x));
}

PreviewAddition AdditionOf(const LiveJob& job, int64_t number, const v1::PreviewPart& part) {
  const Shape3 frame = FrameOf(ResultOf(job));
  const int64_t step = PreviewStep(frame);
  const Box3 pixels = PreviewPixels({{}, frame}, step);
  PreviewAddition addition;
  addition.preview.set_t(static_cast<uint32_t>(job.task(number).t));
  addition.preview.set_c(static_cast<uint32_t>(job.task(number).c));
  addition.preview.set_step(static_cast<uint32_t>(step));
  addition.preview.set_size_y(static_cast<uint32_t>(pixels.shape.y));
  addition.preview.set_size_x(static_cast<uint32_t>(pixels.shape.x));
  addition.part = part;
  return addition;
}

}  // namespace deconvoy::server
