#include "client/cli/psf_widths.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

bool Comparable(const PsfWidths& a, const PsfWidths& b) {
  return a.in_um == b.in_um && a.z > 0 && a.y > 0 && a.x > 0 && b.z > 0 && b.y > 0 && b.x > 0;
}

}  // namespace

std::vector<PsfWidths> WidthsOf(const v1::Job& job, const v1::VoxelSize& voxel) {
  const bool in_um = voxel.z_um() > 0 && voxel.y_um() > 0 && voxel.x_um() > 0;
  std::vector<PsfWidths> all;
  for (const v1::PsfReport& report : job.psfs()) {
    all.push_back({.c = report.c(),
                   .t = report.t(),
                   .z = report.fwhm_z() * (in_um ? voxel.z_um() : 1),
                   .y = report.fwhm_y() * (in_um ? voxel.y_um() : 1),
                   .x = report.fwhm_x() * (in_um ? voxel.x_um() : 1),
                   .in_um = in_um});
  }
  return all;
}

std::string WidthsText(const PsfWidths& widths) {
  return fmt::format("{:.3g} x {:.3g} x {:.3g} {}", widths.z, widths.y, widths.x, widths.in_um ? "um" : "voxels");
}

std::string DriftText(const PsfWidths& widths, const PsfWidths& before) {
  if (!Comparable(widths, before)) return "";
  const auto percent = [](double now, double then) { return 100 * (now / then - 1); };
  return fmt::format("{:+.0f} %, {:+.0f} %, {:+.0f} %", percent(widths.z, before.z), percent(widths.y, before.y),
                     percent(widths.x, before.x));
}

double Drift(const PsfWidths& widths, const PsfWidths& before) {
  if (!Comparable(widths, before)) return 0;
  return std::max(
      {std::abs(widths.z / before.z - 1), std::abs(widths.y / before.y - 1), std::abs(widths.x / before.x - 1)});
}

absl::StatusOr<v1::Job> CheckPsf(Session& session, const v1::CheckPsfSpec& check, Leftovers& leftovers,
                                 Progress& progress, const std::stop_token& stop) {
  v1::JobSpec spec;
  spec.set_display_name("check");
  *spec.mutable_check_psf() = check;
  return RunJob(session, spec, leftovers, progress, stop);
}

}  // namespace deconvoy::client
