#include "worker/calibration/held_out.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

#include "proto/contract/status_macros.h"
#include "worker/imaging/random.h"
#include "worker/imaging/reflection.h"

namespace deconvoy::worker {
namespace {

constexpr uint64_t kSeed = 0x6865'6c64;
constexpr uint64_t kPhotonStream = 1, kVoxelStream = 2;
constexpr int64_t kMostExact = 256;  // photons
constexpr int64_t kOneOf = 16;       // voxels
constexpr int kPositionBits = 20;    // of a frame's extents

int64_t Binomial(Random& random, int64_t n, double share) {
  if (n <= kMostExact) {
    int64_t kept = 0;
    for (int64_t i = 0; i < n; ++i) kept += static_cast<int64_t>(random.Uniform() < share);
    return kept;
  }
  const double mean = share * static_cast<double>(n);
  return std::clamp(std::llround(mean + std::sqrt(mean * (1 - share)) * random.Normal()), 0LL,
                    static_cast<long long>(n));
}

// Calls `visit(index in the plane, generator)` for each voxel of plane z, and hands the planes on in between.
class Voxels {
 public:
  Voxels(const Problem& problem, const Shape3& loaded)
      : shape_(problem.measured->box().shape),
        origin_(problem.frame_origin),
        planes_(ReflectedAxis(loaded.z, shape_.z)),
        rows_(ReflectedAxis(loaded.y, shape_.y)),
        columns_(ReflectedAxis(loaded.x, shape_.x)) {}

  int64_t planes() const { return shape_.z; }
  size_t plane_voxels() const { return static_cast<size_t>(shape_.y * shape_.x); }
  Box3 Plane(int64_t z) const { return {{z, 0, 0}, {1, shape_.y, shape_.x}}; }

  template <typename Visit>
  void ForEach(int64_t z, uint64_t stream, const Visit& visit) const {
    size_t i = 0;
    for (const int64_t y : rows_) {
      const int64_t row = Joined(Joined(origin_.z + planes_[static_cast<size_t>(z)], origin_.y + y), 0);
      for (const int64_t x : columns_) {
        Random random = Random::OfVoxel(kSeed, stream, static_cast<uint64_t>(row + origin_.x + x));
        visit(i++, random);
      }
    }
  }

 private:
  static int64_t Joined(int64_t high, int64_t low) { return (high << kPositionBits) + low; }

  const Shape3 shape_;
  const Voxel origin_;
  const std::vector<int64_t> planes_, rows_, columns_;
};

Problem OfShare(Problem problem, float share) {
  problem.variance = share * share * (problem.variance - problem.mean) + share * problem.mean;
  problem.mean *= share;
  problem.background *= share;
  return problem;
}

}  // namespace

absl::StatusOr<HeldOut> HoldOutPhotons(const Problem& problem, const Shape3& loaded, Array& y) {
  Ops& ops = *problem.ops;
  HeldOut result{.problem = OfShare(problem, static_cast<float>(kKeptShare))};
  result.scale = (1 - kKeptShare) / kKeptShare;
  ASSIGN_OR_RETURN(result.photons, ops.Allocate(y.box()));
  const Voxels voxels(problem, loaded);
  std::vector<float> kept(voxels.plane_voxels()), rest(voxels.plane_voxels());
  for (int64_t z = 0; z < voxels.planes(); ++z) {
    RETURN_IF_ERROR(ops.Download(y, voxels.Plane(z), kept));
    voxels.ForEach(z, kPhotonStream, [&](size_t i, Random& random) {
      const auto n = static_cast<int64_t>(std::floor(kept[i] + random.Uniform()));
      const int64_t k = Binomial(random, n, kKeptShare);
      kept[i] = static_cast<float>(k);
      rest[i] = static_cast<float>(static_cast<double>(n - k) / result.scale);
    });
    RETURN_IF_ERROR(ops.Upload(kept, voxels.Plane(z), y));
    RETURN_IF_ERROR(ops.Upload(rest, voxels.Plane(z), *result.photons));
  }
  return result;
}

absl::StatusOr<HeldOut> HoldOutVoxels(const Problem& problem, const Shape3& loaded) {
  Ops& ops = *problem.ops;
  HeldOut result{.problem = problem};
  ASSIGN_OR_RETURN(result.kept, ops.Allocate(problem.measured->box()));
  ASSIGN_OR_RETURN(result.judged, ops.Allocate(problem.measured->box()));
  const Voxels voxels(problem, loaded);
  std::vector<float> kept(voxels.plane_voxels()), judged(voxels.plane_voxels());
  for (int64_t z = 0; z < voxels.planes(); ++z) {
    std::fill(kept.begin(), kept.end(), 1.0F);
    if (problem.mask != nullptr) RETURN_IF_ERROR(ops.Download(*problem.mask, voxels.Plane(z), kept));
    voxels.ForEach(z, kVoxelStream, [&](size_t i, Random& random) {
      const bool held_out = random.Below(kOneOf) == 0;
      judged[i] = held_out ? kept[i] : 0.0F;
      if (held_out) kept[i] = 0;
    });
    RETURN_IF_ERROR(ops.Upload(kept, voxels.Plane(z), *result.kept));
    RETURN_IF_ERROR(ops.Upload(judged, voxels.Plane(z), *result.judged));
  }
  result.problem.mask = result.kept.get();
  return result;
}

}  // namespace deconvoy::worker
