#include "server/spool/retention.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/resource_name.h"
#include "server/spool/volume_store.h"

namespace deconvoy::server {
namespace {

constexpr int kBatch = 100;  // volumes looked at in one go

}  // namespace

bool RetentionRules::any() const {
  return high_water_percent > 0 || std::max({result, fetched, upload}) > absl::ZeroDuration();
}

absl::Duration RetentionRules::Of(VolumeKind kind) const {
  switch (kind) {
    case VolumeKind::kUpload:
      return upload;
    case VolumeKind::kResult:
      return result;
    case VolumeKind::kFetchedResult:
      return fetched;
  }
  return absl::ZeroDuration();
}

VolumeKind KindOf(const VolumeRecord& volume) {
  if (!volume.job_output) return VolumeKind::kUpload;
  return volume.fetched ? VolumeKind::kFetchedResult : VolumeKind::kResult;
}

std::optional<absl::Time> ExpiryOf(const VolumeRecord& volume, const RetentionRules& rules) {
  const absl::Duration rest = rules.Of(KindOf(volume));
  if (rest <= absl::ZeroDuration()) return std::nullopt;
  return volume.last_used + rest;
}

Sweeper::Sweeper(const Options& options, Store& store, VolumeStore& volumes, FileSystem& files, Clock& clock)
    : options_(options),
      store_(store),
      volumes_(volumes),
      files_(files),
      clock_(clock),
      start_wall_(clock.Wall()),
      start_steady_(clock.Steady()) {
  if (options_.rules.any() && options_.interval.count() > 0) thread_ = std::thread([this] { Run(); });
}

Sweeper::~Sweeper() {
  Stop();
}

void Sweeper::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopped_ = true;
  }
  stopping_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void Sweeper::Run() {
  std::unique_lock lock(mutex_);
  while (!stopped_) {
    lock.unlock();
    Sweep();
    lock.lock();
    stopping_.wait_for(lock, options_.interval, [this] { return stopped_; });
  }
}

void Sweeper::Sweep() {
  SweepByAge();
  SweepAtHighWater();
}

// The earlier of what the wall clock says and what it would say had it not been set since the start.
absl::Time Sweeper::Now() const {
  return std::min(clock_.Wall(), start_wall_ + absl::FromChrono(clock_.Steady() - start_steady_));
}

void Sweeper::SweepByAge() {
  const absl::Time now = Now();
  if (now - start_wall_ < options_.settle) return;
  for (const VolumeKind kind : {VolumeKind::kFetchedResult, VolumeKind::kUpload, VolumeKind::kResult}) {
    const absl::Duration rest = options_.rules.Of(kind);
    if (rest > absl::ZeroDuration()) RemoveIdle(kind, now - rest, "its time is over", [] { return false; });
  }
}

bool Sweeper::AboveHighWater() const {
  const absl::StatusOr<int64_t> free = files_.FreeBytes(options_.directory);
  const absl::StatusOr<int64_t> capacity = files_.CapacityBytes(options_.directory);
  if (!free.ok() || !capacity.ok() || *capacity <= 0) return false;
  const double used = 1 - static_cast<double>(*free) / static_cast<double>(*capacity);
  return used * 100 > static_cast<double>(options_.rules.high_water_percent);
}

void Sweeper::SweepAtHighWater() {
  if (options_.rules.high_water_percent <= 0) return;
  const auto below = [this] { return !AboveHighWater(); };
  for (const VolumeKind kind : {VolumeKind::kFetchedResult, VolumeKind::kUpload}) {
    if (below()) return;
    RemoveIdle(kind, Now() - options_.least_rest, "the disk is full above the high-water mark", below);
  }
}

template <typename Enough>
void Sweeper::RemoveIdle(VolumeKind kind, absl::Time before, std::string_view why, const Enough& enough) {
  for (bool more = true; more;) {
    const absl::StatusOr<std::vector<VolumeRecord>> idle = store_.IdleVolumes(kind, before, kBatch);
    if (!idle.ok()) {
      spdlog::error("cannot look for volumes to remove: {}", LogText(idle.status()));
      return;
    }
    more = false;
    for (const VolumeRecord& volume : *idle) {
      if (enough()) return;
      const absl::Status removed = volumes_.DeleteIdle(volume);
      if (removed.ok()) {
        spdlog::info("removed {}, last used {}: {}", VolumeName(volume.id), absl::FormatTime(volume.last_used), why);
        more = idle->size() == static_cast<size_t>(kBatch);
      } else if (ReasonOf(removed) != v1::VOLUME_IN_USE && !absl::IsNotFound(removed)) {
        spdlog::error("cannot remove {}: {}", VolumeName(volume.id), LogText(removed));
        return;
      }
    }
  }
}

}  // namespace deconvoy::server
