#include "proto/contract/prepared_psf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/tile_plan.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy {
namespace {

constexpr char kReports[] = "prepare_psf.psfs";
constexpr char kRemedy[] = "Take the reports of the job that has used the PSF as they are.";

absl::Status Wrong(v1::ErrorReason reason, std::string_view field, std::string_view what) {
  return MakeError({.reason = reason, .field = std::string(field), .remedy = kRemedy},
                   fmt::format("`{}` {}", field, what));
}

std::string NameOf(int report) {
  return fmt::format("{}[{}]", kReports, report);
}

std::string Text(const Voxel& voxel) {
  return fmt::format("{},{},{}", voxel.z, voxel.y, voxel.x);
}

bool IsInside(const Voxel& voxel, const Box3& box) {
  return box.Contains({voxel, {1, 1, 1}});
}

Box3 BoxOf(const v1::PsfReport& report) {
  return {ToVoxel(report.crop_origin()), ToShape3(report.crop_shape())};
}

// Among the voxels that the box counts in.
Voxel OriginOf(const v1::PsfReport& report) {
  return ToldOrigin(ToVoxel(report.centre()), StepsOf(report));
}

absl::Status CheckNumbers(const v1::PsfReport& report, const std::string& name) {
  std::vector<const google::protobuf::FieldDescriptor*> fields;
  report.GetReflection()->ListFields(report, &fields);  // those that are not 0
  for (const auto* field : fields) {
    if (field->cpp_type() != google::protobuf::FieldDescriptor::CPPTYPE_DOUBLE) continue;
    const double value = report.GetReflection()->GetDouble(report, field);
    if (std::isfinite(value) && value >= 0) continue;
    return Wrong(v1::INVALID_FIELD, fmt::format("{}.{}", name, field->name()),
                 fmt::format("is {}, but must be a number of at least 0", value));
  }
  if (report.sum() > 0) return absl::OkStatus();
  return Wrong(v1::INVALID_FIELD, name + ".sum", "is 0, but must be above 0");
}

// All of them, or none.
absl::Status CheckSteps(const v1::PsfReport& report, const std::string& name) {
  if (report.step_z() == 0 && report.step_y() == 0 && report.step_x() == 0) return absl::OkStatus();
  if (PsfSteps{report.step_z(), report.step_y(), report.step_x()}.usable()) return absl::OkStatus();
  return Wrong(v1::INVALID_FIELD, name + ".step_z",
               fmt::format("is {} beside {} along y and {} along x, but all must be 0, or all from {} to {}",
                           report.step_z(), report.step_y(), report.step_x(), kLeastPsfStep, kMostPsfStep));
}

absl::Status CheckBox(const v1::PsfReport& report, const std::string& name) {
  const Shape3 shape = ToShape3(report.crop_shape());
  const auto within = [](int64_t extent) { return extent >= 1 && extent <= limits::kAxisVoxels; };
  if (!within(shape.z) || !within(shape.y) || !within(shape.x)) {
    return Wrong(v1::INVALID_FIELD, name + ".crop_shape",
                 fmt::format("is z,y,x {},{},{}, but each must be from 1 to {}", shape.z, shape.y, shape.x,
                             limits::kAxisVoxels));
  }
  const Box3 anywhere{{}, {limits::kAxisVoxels, limits::kAxisVoxels, limits::kAxisVoxels}};
  if (!IsInside(ToVoxel(report.centre()), anywhere)) {
    return Wrong(
        v1::INVALID_FIELD, name + ".centre",
        fmt::format("is {}, but each must be from 0 to {}", Text(ToVoxel(report.centre())), limits::kAxisVoxels - 1));
  }
  if (IsInside(OriginOf(report), BoxOf(report))) return absl::OkStatus();
  return Wrong(v1::INVALID_FIELD, name + ".crop_origin",
               fmt::format("is {}, so that the box of {} x {} x {} voxels does not hold the PSF's origin, {}",
                           Text(BoxOf(report).origin), shape.z, shape.y, shape.x, Text(OriginOf(report))));
}

// The least extent with so many voxels before and after its voxel floor(n/2).
int64_t Extent(int64_t before, int64_t after) {
  return before > after ? 2 * before : 2 * after + 1;
}

}  // namespace

absl::Status ValidatePreparePsf(const v1::PreparePsfSpec& spec) {
  if (spec.psfs().empty()) return Wrong(v1::INVALID_FIELD, kReports, "is missing");
  for (int i = 0; i < spec.psfs_size(); ++i) {
    RETURN_IF_ERROR(CheckNumbers(spec.psfs(i), NameOf(i)));
    RETURN_IF_ERROR(CheckSteps(spec.psfs(i), NameOf(i)));
    RETURN_IF_ERROR(CheckBox(spec.psfs(i), NameOf(i)));
    if (StepsOf(spec.psfs(i)) == StepsOf(spec.psfs(0))) continue;
    return Wrong(v1::INVALID_FIELD, NameOf(i) + ".step_z", fmt::format("and y, x are not those of {}", NameOf(0)));
  }
  return absl::OkStatus();
}

absl::Status ValidatePreparedPsf(const v1::PreparePsfSpec& spec, const v1::VolumeSpec& psf) {
  const v1::Shape5& shape = psf.shape();
  const int64_t frames = int64_t{shape.t()} * shape.c();
  if (spec.psfs_size() != frames) {
    return Wrong(v1::SHAPE_MISMATCH, kReports,
                 fmt::format("has {} reports, but the PSF has {} frames (time points times channels)", spec.psfs_size(),
                             frames));
  }
  const Box3 frame{{}, {shape.z(), shape.y(), shape.x()}};
  for (int i = 0; i < spec.psfs_size(); ++i) {
    const v1::PsfReport& report = spec.psfs(i);
    const auto at = static_cast<uint32_t>(i);
    if (report.t() != at / shape.c() || report.c() != at % shape.c()) {
      return Wrong(v1::INVALID_FIELD, NameOf(i),
                   fmt::format("is of t={} c={}, but that of t={} c={} is due", report.t(), report.c(), at / shape.c(),
                               at % shape.c()));
    }
    if (IsInside(ToVoxel(report.centre()), frame)) continue;
    return Wrong(v1::INVALID_FIELD, NameOf(i) + ".centre",
                 fmt::format("is {}, outside the PSF of {} x {} x {} voxels", Text(ToVoxel(report.centre())),
                             frame.shape.z, frame.shape.y, frame.shape.x));
  }
  return absl::OkStatus();
}

Shape3 PreparedPsfShape(const v1::PreparePsfSpec& spec) {
  Voxel before, after;
  for (const v1::PsfReport& report : spec.psfs()) {
    const Voxel from = OriginOf(report) - BoxOf(report).origin, to = BoxOf(report).end() - OriginOf(report);
    before = {std::max(before.z, from.z), std::max(before.y, from.y), std::max(before.x, from.x)};
    after = {std::max(after.z, to.z - 1), std::max(after.y, to.y - 1), std::max(after.x, to.x - 1)};
  }
  return {Extent(before.z, after.z), Extent(before.y, after.y), Extent(before.x, after.x)};
}

Box3 PreparedPsfBox(const v1::PsfReport& report, const Shape3& frame) {
  const Voxel origin{frame.z / 2, frame.y / 2, frame.x / 2};
  return {origin - (OriginOf(report) - BoxOf(report).origin), BoxOf(report).shape};
}

v1::VolumeSpec PreparedPsfVolume(const v1::PreparePsfSpec& spec, const v1::VolumeSpec& psf) {
  const Shape3 shape = PreparedPsfShape(spec);
  const PsfSteps steps = StepsOf(spec.psfs(0));
  v1::VolumeSpec prepared;
  *prepared.mutable_shape() = ToProto(Shape5{psf.shape().t(), psf.shape().c(), shape.z, shape.y, shape.x});
  prepared.mutable_voxel_size()->set_z_um(psf.voxel_size().z_um() * steps.z);
  prepared.mutable_voxel_size()->set_y_um(psf.voxel_size().y_um() * steps.y);
  prepared.mutable_voxel_size()->set_x_um(psf.voxel_size().x_um() * steps.x);
  *prepared.mutable_channels() = psf.channels();
  prepared.set_type(v1::F32);
  return prepared;
}

int64_t PreparedPsfBytes(const v1::PreparePsfSpec& spec, const Shape3& given) {
  const Shape3 room = PsfRoom(given, StepsOf(spec.psfs(0)));
  return GivenPsfBytes(room) + GivenPsfBytes(PreparedPsfShape(spec));  // the box is no larger than its frame
}

}  // namespace deconvoy
