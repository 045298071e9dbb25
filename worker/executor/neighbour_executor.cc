#include "worker/executor/neighbour_executor.h"

#include <algorithm>

#include "worker/executor/guarded_executor.h"
#include "worker/pipeline/tile_task.h"

namespace deconvoy::worker {
namespace {

// Tiles for half of less are halo for a large part.
constexpr int64_t kLeastForTwo = int64_t{2} << 30;

std::vector<std::unique_ptr<Backend>> HalvesOf(Backend& backend, int64_t budget_bytes) {
  return budget_bytes < kLeastForTwo ? std::vector<std::unique_ptr<Backend>>() : backend.MakeHalves();
}

}  // namespace

bool MayShare(const v1::Task& task, int64_t share_bytes) {
  if (!RunsBesideAnother(task)) return false;
  const absl::StatusOr<int64_t> need = NeedBytes(task);
  return need.ok() && *need <= share_bytes;
}

NeighbourExecutor::NeighbourExecutor(Backend& backend, int64_t budget_bytes)
    : backends_(HalvesOf(backend, budget_bytes)), whole_(backend) {
  for (const std::unique_ptr<Backend>& half : backends_) halves_.push_back(std::make_unique<Place>(*half));
  if (!halves_.empty()) share_bytes_ = budget_bytes / static_cast<int64_t>(halves_.size());
}

NeighbourExecutor::Stay NeighbourExecutor::EnterHalf() {
  const auto is_free = [](const std::unique_ptr<Place>& half) { return !half->busy; };
  std::unique_lock lock(mutex_);
  left_.wait(lock, [&] { return !whole_.busy && std::ranges::any_of(halves_, is_free); });
  whole_.executor.Release();
  Place& half = **std::ranges::find_if(halves_, is_free);
  half.busy = true;
  return {&half, Leave{this}};
}

NeighbourExecutor::Stay NeighbourExecutor::EnterWhole() {
  const auto is_busy = [](const std::unique_ptr<Place>& half) { return half->busy; };
  std::unique_lock lock(mutex_);
  left_.wait(lock, [&] { return !whole_.busy && std::ranges::none_of(halves_, is_busy); });
  for (const std::unique_ptr<Place>& half : halves_) half->executor.Release();
  whole_.busy = true;
  return {&whole_, Leave{this}};
}

void NeighbourExecutor::Leave::operator()(Place* place) const {
  {
    const std::lock_guard lock(executor->mutex_);
    place->busy = false;
  }
  executor->left_.notify_all();
}

absl::StatusOr<v1::TaskResult> NeighbourExecutor::Execute(const v1::Task& task, TaskContext& context) {
  const Stay place = !halves_.empty() && MayShare(task, share_bytes_) ? EnterHalf() : EnterWhole();
  return place->executor.Execute(task, context);
}

}  // namespace deconvoy::worker
