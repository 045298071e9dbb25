#include "worker/pipeline/model_set.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
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

// Mean and spread over models, one after another, each of a part of a box.
class Mixture {
 public:
  explicit Mixture(const Shape3& box) : box_(box), mean_(Voxels(box)), squares_(Voxels(box)) {}

  void Add(const learned::Estimate& estimate, const Box3& part) {
    ++count_;
    tells_ = tells_ || !estimate.spread.empty();
    const Voxel& first = part.origin;
    common_ = count_ == 1 ? part : Intersect(common_, part);
    size_t from = 0;
    for (int64_t z = first.z; z < part.end().z; ++z) {
      for (int64_t y = first.y; y < part.end().y; ++y) {
        auto to = static_cast<size_t>((z * box_.y + y) * box_.x + first.x);
        for (int64_t x = 0; x < part.shape.x; ++x) AddAt(to++, estimate, from++);
      }
    }
  }
  // Where every model has told its value.
  const Box3& common() const { return common_; }
  const std::vector<float>& mean() const { return mean_; }
  // Empty where neither a model nor their number tells any. Once, last.
  std::vector<float> TakeSpread() {
    if (count_ < 2 && !tells_) return {};
    for (float& v : squares_) v = std::sqrt(v / static_cast<float>(count_));
    return std::move(squares_);
  }

 private:
  static size_t Voxels(const Shape3& box) { return static_cast<size_t>(box.voxels()); }

  void AddAt(size_t to, const learned::Estimate& estimate, size_t from) {
    const float value = estimate.value[from], off = value - mean_[to];
    mean_[to] += off / static_cast<float>(count_);
    squares_[to] += off * (value - mean_[to]);
    if (!estimate.spread.empty()) squares_[to] += estimate.spread[from] * estimate.spread[from];
  }

  const Shape3 box_;
  std::vector<float> mean_, squares_;
  Box3 common_;
  int count_ = 0;
  bool tells_ = false;
};

// Copies a part of one box to the same part of another of the same extents.
void CopyPart(const std::vector<float>& from, const Shape3& box, const Box3& part, std::vector<float>& to) {
  for (int64_t z = part.origin.z; z < part.end().z; ++z) {
    for (int64_t y = part.origin.y; y < part.end().y; ++y) {
      const auto row = (z * box.y + y) * box.x + part.origin.x;
      std::copy_n(from.begin() + row, part.shape.x, to.begin() + row);
    }
  }
}

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
  Mixture mixture(box);
  std::vector<float> seen;
  for (const learned::Model* model : models_) {
    const Box3 part = Aligned(box, origin, model->kind().step);
    seen.resize(static_cast<size_t>(part.shape.voxels()));
    Copy(values, {{}, box}, seen, part);
    if (model == models_.front()) patches_ = learned::FiguresOfPatches(seen, part.shape, scale_);
    ASSIGN_OR_RETURN(const learned::Estimate estimate, model->Apply(seen, part.shape, scale_));
    mixture.Add(estimate, part);
  }
  std::vector<float> restored(values.begin(), values.end());
  for (float& v : restored) v = std::max(v - scale_.offset, 0.0F);
  CopyPart(mixture.mean(), box, mixture.common(), restored);
  const std::vector<float> spread = mixture.TakeSpread();
  spread_.assign(spread.empty() ? 0 : restored.size(), 0.0F);
  if (!spread.empty()) CopyPart(spread, box, mixture.common(), spread_);
  return restored;
}

}  // namespace deconvoy::worker
