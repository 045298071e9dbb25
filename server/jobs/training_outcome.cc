#include "server/jobs/training_outcome.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <string_view>
#include <utility>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/model_spec.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

// Extents that a halo or multiple of a model may have.
constexpr int32_t kMostExtent = 1024;
constexpr int kMostFigures = 64;  // of patches

absl::Status WrongResult(std::string_view what) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = "result"}, what);
}

bool InRange(const v1::Voxel3& extents, int32_t least) {
  const auto fits = [least](int32_t extent) { return extent >= least && extent <= kMostExtent; };
  return fits(extents.z()) && fits(extents.y()) && fits(extents.x());
}

// What plans and other jobs rely on; `format` is that of the file, so that a program stays one.
absl::Status CheckFacts(const v1::ModelFacts& facts, v1::ModelFormat format) {
  if (facts.format() != format) {
    return WrongResult(fmt::format("the facts are of a model of the format {}, and its file is {}",
                                   static_cast<int>(facts.format()), v1::ModelFormat_Name(format)));
  }
  if (facts.digest().size() != Sha256Digest().size()) return WrongResult("the facts of a model lack its digest");
  if (facts.size_bytes() == 0 || facts.size_bytes() > static_cast<uint64_t>(limits::kModelBytes)) {
    return WrongResult(fmt::format("the file of a model has {} bytes", facts.size_bytes()));
  }
  if (facts.network().empty()) return WrongResult("the facts of a model do not name its network");
  const bool program = facts.format() == v1::TORCHSCRIPT;
  if (facts.descriptor_text().empty() == program || facts.descriptor_text().size() > kMostDescriptorBytes) {
    return WrongResult(fmt::format("a model of the format {} has a descriptor of {} bytes",
                                   v1::ModelFormat_Name(facts.format()), facts.descriptor_text().size()));
  }
  if (facts.recipe().size() > kMostModelTextBytes) {
    return WrongResult(fmt::format("the recipe of a model has {} bytes", facts.recipe().size()));
  }
  if (!InRange(facts.halo(), 0) || !InRange(facts.multiple(), 1)) {
    return WrongResult("the halo of a model, or the multiple of its extents, is out of range");
  }
  if (facts.patches().mean_size() > kMostFigures || facts.patches().deviation_size() != facts.patches().mean_size()) {
    return WrongResult("the figures of patches of a model are too many, or lack their deviations");
  }
  const double bytes = facts.bytes_per_voxel();
  if (!(bytes >= 0 && bytes <= 1e9)) return WrongResult(fmt::format("a model takes {} bytes per voxel", bytes));
  return absl::OkStatus();
}

// A task of that part: the part itself, or the end after it.
void AddTask(JobStep& step, TaskKind kind, int64_t part) {
  TaskRecord& task = step.change.new_tasks.emplace_back();
  task.job_id = step.live().id();
  task.number = step.live().task_count();
  task.kind = kind;
  task.t = part;
}

}  // namespace

absl::Status TakeTrainedPart(JobStep& step, int64_t number, const v1::TrainResult& result) {
  const v1::TrainModelSpec& spec = step.live().spec().train_model();
  const auto part = static_cast<uint32_t>(step.live().task(number).t);
  const v1::TrainingPoint& point = result.point();
  if (point.step() <= FirstStep(spec, part) || point.step() > FirstStep(spec, part + 1)) {
    return WrongResult(fmt::format("part {} of a training ends after step {}", part, point.step()));
  }
  if (!std::isfinite(point.loss()) || !std::isfinite(point.held_back_loss())) {
    return WrongResult(fmt::format("part {} of a training has no finite loss", part));
  }
  v1::TrainingReport& report = *step.job().mutable_training();
  *report.add_points() = point;
  report.set_best_step(result.best_step());
  for (const v1::Finding& finding : result.findings()) step.AddFinding(finding);
  const bool last = part + 1 == spec.parts();
  if (!last && !result.ended()) {
    AddTask(step, TaskKind::kTrain, part + 1);
    return absl::OkStatus();
  }
  report.set_ended_early(!last);
  step.job().mutable_progress()->set_tasks_total(static_cast<uint32_t>(step.live().task_count() + 1));
  AddTask(step, TaskKind::kFinishTraining, part);
  return absl::OkStatus();
}

absl::Status TakeTrainedModel(JobStep& step, const v1::FinishTrainingResult& result) {
  RETURN_IF_ERROR(CheckFacts(result.facts(), v1::SAFETENSORS));
  *step.job().mutable_model() = result.facts();
  *step.job().mutable_model()->mutable_training() = step.job().training();
  return absl::OkStatus();
}

absl::Status TakeModelCheck(JobStep& step, const v1::CheckModelResult& result) {
  RETURN_IF_ERROR(CheckFacts(result.facts(), step.live().spec().check_model().format()));
  *step.job().mutable_model() = result.facts();
  for (const v1::Finding& finding : result.findings()) step.AddFinding(finding);
  return absl::OkStatus();
}

}  // namespace deconvoy::server
