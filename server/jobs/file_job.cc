#include "server/jobs/file_job.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/job_step.h"
#include "server/jobs/task_builder.h"

namespace deconvoy::server {
namespace {

constexpr char kImportField[] = "import_file.file";
constexpr char kExportField[] = "export_file.file";

// Of a part: what is lost when its worker is, and what its scratch file takes.
constexpr int64_t kPartBytes = 64 << 20;
// Each frame that a part touches is a piece of its task.
constexpr int64_t kPartFrames = 1024;

absl::Status WrongLook(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result.look_at_file"}, what);
}

int64_t PlanesOf(const v1::Shape5& shape) {
  return int64_t{shape.t()} * shape.c() * shape.z();
}

int64_t PlaneBytes(const v1::VolumeSpec& spec) {
  return int64_t{spec.shape().y()} * spec.shape().x() * BytesPerVoxel(spec.type());
}

int64_t PartsOf(const v1::VolumeSpec& spec) {
  const int64_t planes = PlanesPerPart(spec);
  return (PlanesOf(spec.shape()) + planes - 1) / planes;
}

}  // namespace

bool IsFileJob(const v1::JobSpec& spec) {
  return spec.has_import_file() || spec.has_export_file();
}

absl::Status CheckFile(const FileRoots& roots, const std::string& owner, const v1::JobSpec& spec) {
  return spec.has_import_file() ? roots.Check(owner, spec.import_file().file(), kImportField, /*write=*/false)
                                : roots.Check(owner, spec.export_file().file(), kExportField, /*write=*/true);
}

absl::StatusOr<v1::FileAccess> AccessOf(const FileRoots& roots, const LiveJob& job) {
  const v1::JobSpec& spec = job.spec();
  const std::string& owner = job.record().owner;
  return spec.has_import_file() ? roots.Access(owner, spec.import_file().file(), kImportField, /*write=*/false)
                                : roots.Access(owner, spec.export_file().file(), kExportField, /*write=*/true);
}

void SetAccess(const v1::FileAccess& file, v1::Task& task) {
  if (task.has_look_at_file()) *task.mutable_look_at_file()->mutable_file() = file;
  if (task.has_read_file()) *task.mutable_read_file()->mutable_file() = file;
  if (task.has_write_file()) *task.mutable_write_file()->mutable_file() = file;
}

absl::StatusOr<v1::VolumeSpec> ImportedSpec(const v1::ImportSpec& spec, const v1::LookAtFileResult& found) {
  v1::VolumeSpec volume = found.spec();
  if (!spec.display_name().empty()) volume.set_display_name(spec.display_name());
  if (spec.has_voxel_size()) *volume.mutable_voxel_size() = spec.voxel_size();
  const absl::Status valid = ValidateVolumeSpec(volume);
  if (!valid.ok()) return WrongLook(fmt::format("the file's volume is refused: {}", std::string(valid.message())));
  if (volume.digest().size() != Sha256Digest().size()) return WrongLook("the file's volume has no digest");
  return volume;
}

absl::Status TakeLook(JobStep& step, const v1::LookAtFileResult& found, const ImportDecision& decision) {
  for (const v1::Finding& finding : found.findings()) step.AddFinding(finding);
  if (!decision.error.ok()) return step.FailJob(decision.error, "");
  v1::JobOutput& output = *step.job().add_outputs();
  output.set_role("volume");
  if (!decision.made) {
    output.set_volume(VolumeName(decision.equal));
    v1::Finding finding;
    finding.set_severity(v1::INFO);
    finding.set_message(fmt::format("the volume was there already, as {}", output.volume()));
    step.AddFinding(finding);
    return absl::OkStatus();
  }
  const v1::VolumeSpec& spec = decision.made->spec;
  output.set_volume(VolumeName(decision.made->id));
  step.change.new_volumes.push_back(*decision.made);
  const int64_t first = step.live().task_count();
  for (int64_t part = 0; part < PartsOf(spec); ++part) {
    TaskRecord& task = step.change.new_tasks.emplace_back();
    task.job_id = step.live().id();
    task.number = first + part;
    task.kind = TaskKind::kReadFile;
    task.tile = part;
  }
  step.job().mutable_progress()->set_tasks_total(static_cast<uint32_t>(first + PartsOf(spec)));
  JobPlan plan{.tiles = {}, .analysis = {}, .import = ImportPlan{.spec = spec, .stamp = found.stamp()}};
  plan.tiles.memory_bytes = 2 * PlaneBytes(spec);
  step.change.job.plan = EncodePlan(plan);
  step.plan = std::move(plan);
  return absl::OkStatus();
}

void AddMovedBytes(const LiveJob& job, int64_t number, UsageRecord& usage) {
  const TaskKind kind = job.task(number).kind;
  if (kind == TaskKind::kReadFile) {
    for (const v1::OutputPiece& piece : OutputsOf(job, number)) {
      usage.bytes_in += ToFrameBox(piece.box()).box.shape.voxels() * BytesPerVoxel(piece.type());
    }
  }
  if (kind != TaskKind::kWriteFile) return;
  const v1::VolumeSpec& volume = job.volume(VolumeId(job.spec().export_file().volume(), "volume").value());
  usage.bytes_out += PlanesOf(volume.shape()) * PlaneBytes(volume);
}

int64_t PlanesPerPart(const v1::VolumeSpec& spec) {
  const int64_t planes = std::max<int64_t>(kPartBytes / PlaneBytes(spec), 1);
  return std::min(planes, (kPartFrames - 1) * int64_t{spec.shape().z()});
}

std::vector<v1::OutputPiece> PiecesOfPart(const v1::VolumeSpec& spec, const std::string& volume, int64_t part) {
  const v1::Shape5& shape = spec.shape();
  const int64_t depth = shape.z();
  const int64_t begin = part * PlanesPerPart(spec);
  const int64_t end = std::min(begin + PlanesPerPart(spec), PlanesOf(shape));
  std::vector<v1::OutputPiece> pieces;
  for (int64_t plane = begin; plane < end;) {
    const int64_t frame = plane / depth, z = plane % depth;
    const int64_t planes = std::min(depth - z, end - plane);
    v1::OutputPiece& piece = pieces.emplace_back();
    piece.set_volume(volume);
    piece.set_type(spec.type());
    *piece.mutable_box() =
        ToProto(FrameBox{frame / shape.c(), frame % shape.c(), {{z, 0, 0}, {planes, shape.y(), shape.x()}}});
    plane += planes;
  }
  return pieces;
}

}  // namespace deconvoy::server
