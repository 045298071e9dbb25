#include "worker/pipeline/model_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>
#include <span>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "worker/learned/script.h"
#include "worker/pipeline/model_file.h"
#include "worker/pipeline/plane_reader.h"

namespace deconvoy::worker {
namespace {

absl::StatusOr<std::unique_ptr<learned::Model>> LoadChecked(const v1::Task& task, const v1::ModelUse& use,
                                                            TaskContext& context) {
  ASSIGN_OR_RETURN(const v1::VolumeAccess* volume, FindInput(task, use.volume()));
  ASSIGN_OR_RETURN(const std::string file, ReadFile(context.source(), *volume, 0));
  if (DigestOf(file) != use.facts().digest()) {
    return MakeError({.reason = v1::CORRUPT_DATA, .remedy = "Import or train the model anew."},
                     fmt::format("the file of {} is not the one that was checked", Printable(use.name())));
  }
  const auto bytes = std::as_bytes(std::span(file));
  if (use.facts().format() != v1::TORCHSCRIPT) return learned::LoadModel(bytes);
  return learned::LoadScript(bytes, use.facts().descriptor_text(), use.facts().bytes_per_voxel(),
                             [&context] { return context.cancelled(); });
}

// `jobs/{id}`.
std::string_view JobOf(const v1::Task& task) {
  return std::string_view(task.name()).substr(0, task.name().find("/tasks/"));
}

// A model that is a program is another one with another descriptor, and in another job.
std::string KeyOf(const v1::Task& task, const v1::ModelUse& use) {
  if (use.facts().format() != v1::TORCHSCRIPT) return use.facts().digest();
  return fmt::format("{}{}/{}", use.facts().digest(), JobOf(task), use.facts().descriptor_text());
}

// The least step on which all models' boxes may begin.
int64_t StepOf(const std::vector<const learned::Model*>& models) {
  int64_t step = 1;
  for (const learned::Model* model : models) step = std::lcm(step, model->kind().step);
  return step;
}

int64_t NextMultiple(int64_t value, int64_t step) {
  return (value + step - 1) / step * step;
}

// The part of the box that begins on multiples of `step`, in the box's own voxels; all of it where it has none.
Box3 Aligned(const Shape3& box, const Voxel& origin, int64_t step) {
  const Voxel first{NextMultiple(origin.z, step) - origin.z, NextMultiple(origin.y, step) - origin.y,
                    NextMultiple(origin.x, step) - origin.x};
  const Box3 part{first, {box.z - first.z, box.y - first.y, box.x - first.x}};
  return part.empty() ? Box3{{}, box} : part;
}

void Copy(std::span<const float> from, const Box3& from_box, std::span<float> to, const Box3& to_box) {
  CopyBox(std::as_bytes(from).data(), from_box, std::as_writable_bytes(to).data(), to_box, sizeof(float));
}

// Mean and spread over models, one after another.
class Mixture {
 public:
  explicit Mixture(size_t voxels) : mean_(voxels), squares_(voxels) {}

  void Add(const learned::Estimate& estimate) {
    ++count_;
    tells_ = tells_ || !estimate.spread.empty();
    for (size_t i = 0; i < mean_.size(); ++i) {
      const float off = estimate.value[i] - mean_[i];
      mean_[i] += off / static_cast<float>(count_);
      squares_[i] += off * (estimate.value[i] - mean_[i]);
      if (!estimate.spread.empty()) squares_[i] += estimate.spread[i] * estimate.spread[i];
    }
  }
  const std::vector<float>& mean() const { return mean_; }
  // Empty where neither a model nor their number tells any. Once, last.
  std::vector<float> TakeSpread() {
    if (count_ < 2 && !tells_) return {};
    for (float& v : squares_) v = std::sqrt(v / static_cast<float>(count_));
    return std::move(squares_);
  }

 private:
  std::vector<float> mean_, squares_;
  int count_ = 0;
  bool tells_ = false;
};

}  // namespace

absl::Status ModelSet::Load(const v1::Task& task, TaskContext& context) {
  std::map<std::string, std::unique_ptr<learned::Model>> loaded;
  order_.clear();
  for (const v1::ModelUse& use : task.tile().models()) {
    std::unique_ptr<learned::Model>& model = loaded[KeyOf(task, use)];
    if (model == nullptr) {
      const auto known = models_.find(KeyOf(task, use));
      if (known != models_.end()) model = std::move(known->second);
    }
    if (model == nullptr) {
      ASSIGN_OR_RETURN(model, LoadChecked(task, use, context));
    }
    model->StopWhen([&context] { return context.cancelled(); });
    order_.push_back(model.get());
  }
  models_ = std::move(loaded);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<float>> ModelRestorer::Restore(std::span<const float> values, const Shape3& box,
                                                          const Voxel& origin) {
  const Box3 whole{{}, box};
  const Box3 part = Aligned(box, origin, StepOf(models_));
  std::vector<float> seen(static_cast<size_t>(part.shape.voxels()));
  Copy(values, whole, seen, part);
  patches_ = learned::FiguresOfPatches(seen, part.shape, scale_);
  Mixture mixture(seen.size());
  for (const learned::Model* model : models_) {
    ASSIGN_OR_RETURN(const learned::Estimate estimate, model->Apply(seen, part.shape, scale_));
    mixture.Add(estimate);
  }
  std::vector<float> restored(values.begin(), values.end());
  for (float& v : restored) v = std::max(v - scale_.offset, 0.0F);
  Copy(mixture.mean(), part, restored, whole);
  const std::vector<float> spread = mixture.TakeSpread();
  spread_.assign(spread.empty() ? 0 : restored.size(), 0.0F);
  if (!spread.empty()) Copy(spread, part, spread_, whole);
  return restored;
}

}  // namespace deconvoy::worker
