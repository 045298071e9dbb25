#include "client/cli/preview.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "client/cli/figures/picture.h"
#include "client/cli/job_run.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

absl::StatusOr<Panel> MakePanel(const v1::Preview& preview, const v1::VoxelSize& voxel) {
  Panel panel{.title = fmt::format("t={} c={}, 1 of {} pixels", preview.t(), preview.c(), preview.step()),
              .width = preview.size_x(),
              .height = preview.size_y(),
              .pixels = {preview.maximum().begin(), preview.maximum().end()},
              .pixel_width_um = voxel.x_um() * preview.step(),
              .pixel_height_um = voxel.y_um() * preview.step()};
  if (panel.width * panel.height == static_cast<int64_t>(panel.pixels.size())) return panel;
  return absl::InternalError(fmt::format("the server sent a preview of {} x {} with {} pixels", panel.width,
                                         panel.height, panel.pixels.size()));
}

}  // namespace

absl::Status SavePreview(const Client& client, const v1::Job& job, const std::string& file) {
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, "estimate"));
  ASSIGN_OR_RETURN(const v1::Volume estimate, client.GetVolume(volume));
  std::vector<Panel> panels;
  for (uint32_t c = 0; c < estimate.spec().shape().c(); ++c) {
    const auto preview = client.GetPreview(job.name(), c);
    if (absl::IsNotFound(preview.status()) && c + 1 < estimate.spec().shape().c()) continue;
    if (absl::IsNotFound(preview.status()) && !panels.empty()) break;
    RETURN_IF_ERROR(preview.status());
    ASSIGN_OR_RETURN(Panel panel, MakePanel(*preview, estimate.spec().voxel_size()));
    panels.push_back(std::move(panel));
  }
  return WritePicture(file, {panels});
}

void PreviewKeeper::Hear(const std::string& job, const v1::JobEvent& event) {
  const uint32_t done = event.has_ended() ? event.ended().progress().tasks_done() : event.progress().tasks_done();
  if (file_.empty() || !status_.ok() || !(event.has_progress() || event.has_ended())) return;
  if (event.has_ended() && event.ended().state() != v1::SUCCEEDED) return;
  if (done <= tasks_drawn_ && !event.has_ended()) return;
  tasks_drawn_ = done;
  const auto now = client_.GetJob(job);
  status_ = now.ok() ? SavePreview(client_, *now, file_) : now.status();
  if (absl::IsNotFound(status_)) status_ = absl::OkStatus();  // nothing is computed yet
}

}  // namespace deconvoy::client
