// Prologues and epilogues of convolutions, each in one pass over the planes that matter.
#include "worker/backends/cuda/kernels.h"

#include <type_traits>

namespace deconvoy::worker::cuda {
namespace {

template <typename StartOf>
struct StartVisit {
  StartOf start;
  Grid grid;
  int64_t first;
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x) const {
    const int64_t z = first + plane;
    grid.at(z, y, x) = x < grid.domain.x ? start(z, y, x) : 0.0F;
  }
};

// The position in the domain of the one visited.
template <bool kTells, typename EndOf>
struct EndVisit {
  EndOf end;
  Grid grid;
  Voxel origin;
  Field output;
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx, typename EndOf::Sums& sums) const {
    const int64_t z = origin.z + dz, y = origin.y + dy, x = origin.x + dx;
    output.at(z, y, x) = end.template Value<kTells>(z, y, x, grid.at(z, y, x), sums);
  }
  DECONVOY_DEVICE void operator()(int64_t dz, int64_t dy, int64_t dx) const {
    typename EndOf::Sums none;
    (*this)(dz, dy, dx, none);
  }
};

template <bool kTells, typename EndOf>
struct OnwardVisit {
  EndOf end;
  Grid grid;
  int64_t first;
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x, typename EndOf::Sums& sums) const {
    const int64_t z = first + plane;
    float& v = grid.at(z, y, x);
    v = x < grid.domain.x ? end.template Value<kTells>(z, y, x, v, sums) : 0.0F;
  }
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x) const {
    typename EndOf::Sums none;
    (*this)(plane, y, x, none);
  }
};

struct TableVisit {
  TableEnd end;
  Grid grid;
  int64_t first;
  DECONVOY_DEVICE void operator()(int64_t plane, int64_t y, int64_t x) const {
    const int64_t z = first + plane;
    const int32_t k = end.z[z], j = end.y[y], i = end.x[x];
    if (k >= 0 && j >= 0 && i >= 0) end.table[(k * end.classes_y + j) * end.classes_x + i] = grid.at(z, y, x);
  }
};

Shape3 WholePlanes(const Grid& grid, const Planes& planes) {
  return {planes.count, grid.domain.y, 2 * grid.row};
}

// With or without sums.
template <template <bool, typename> typename Visit, typename EndOf, typename... Rest>
int Run(const LaunchPlace& place, const Shape3& shape, void* sums, const EndOf& end, const Rest&... rest) {
  if (sums == nullptr) return ForEach(place, shape, Visit<false, EndOf>{end, rest...});
  return Sum(place, shape, /*onto=*/true, static_cast<typename EndOf::Sums*>(sums), Visit<true, EndOf>{end, rest...});
}

template <typename EndOf>
constexpr bool kGoesOnward =
    std::is_same_v<EndOf, RatioEnd> || std::is_same_v<EndOf, ResidualEnd> || std::is_same_v<EndOf, DataEnd>;

template <typename EndOf>
constexpr bool kTellsNothing =
    std::is_same_v<EndOf, StoreEnd> || std::is_same_v<EndOf, DivideEnd> || std::is_same_v<EndOf, ConsensusEnd>;

}  // namespace

int RunStart(const LaunchPlace& place, const Start& start, const Grid& grid, const Planes& planes) {
  return std::visit(
      [&](const auto& of) {
        return ForEach(place, WholePlanes(grid, planes),
                       StartVisit<std::decay_t<decltype(of)>>{of, grid, planes.first});
      },
      start);
}

int RunEnd(const LaunchPlace& place, const End& end, const Grid& grid, const Box3& box, const Field& output,
           void* sums) {
  return std::visit(
      [&](const auto& of) {
        using EndOf = std::decay_t<decltype(of)>;
        if constexpr (kTellsNothing<EndOf>) {
          return ForEach(place, box.shape, EndVisit<false, EndOf>{of, grid, box.origin, output});
        } else {
          return Run<EndVisit>(place, box.shape, sums, of, grid, box.origin, output);
        }
      },
      end);
}

int RunOnward(const LaunchPlace& place, const End& end, const Grid& grid, const Planes& planes, void* sums) {
  return std::visit(
      [&](const auto& of) {
        using EndOf = std::decay_t<decltype(of)>;
        if constexpr (kGoesOnward<EndOf>) {
          return Run<OnwardVisit>(place, WholePlanes(grid, planes), sums, of, grid, planes.first);
        } else {
          return 0;
        }
      },
      end);
}

int RunKeepWeights(const LaunchPlace& place, const TableEnd& end, const Grid& grid, const Planes& planes) {
  return ForEach(place, Shape3{planes.count, grid.domain.y, grid.domain.x}, TableVisit{end, grid, planes.first});
}

}  // namespace deconvoy::worker::cuda
