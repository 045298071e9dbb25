#include "worker/backends/cuda/chunks.h"

#include <algorithm>
#include <bit>

namespace deconvoy::worker::cuda {
namespace {

constexpr int64_t kNumber = 8;  // bytes of a complex number

int64_t PowerOfTwoIn(int64_t n) {
  return static_cast<int64_t>(std::bit_floor(static_cast<uint64_t>(n)));
}

}  // namespace

Chunks::Chunks(const Shape3& domain, int64_t bytes)
    : domain_(domain),
      most_planes_(PowerOfTwoIn(std::clamp<int64_t>(bytes / kNumber / plane(), 1, domain.z))),
      most_columns_(std::clamp<int64_t>(bytes / kNumber / domain.z, 1, plane())) {}

std::vector<Columns> Chunks::OfColumns() const {
  const int64_t chunks = (plane() + most_columns_ - 1) / most_columns_, each = (plane() + chunks - 1) / chunks;
  std::vector<Columns> columns;
  for (int64_t first = 0; first < plane(); first += each) {
    columns.push_back({.first = first, .count = std::min(each, plane() - first)});
  }
  return columns;
}

std::vector<Planes> Chunks::OfPlanes(const Planes& planes) const {
  std::vector<Planes> chunks;
  const int64_t end = planes.first + planes.count;
  for (int64_t first = planes.first; first < end;) {
    const int64_t count = std::min(most_planes_, PowerOfTwoIn(end - first));
    chunks.push_back({.first = first, .count = count});
    first += count;
  }
  return chunks;
}

std::optional<FftShape> Chunks::PlaneFft(int64_t count) const {
  FftShape shape{.real = domain_.x > 1, .extents = {}, .stride = 1, .distance = plane(), .batch = count};
  if (domain_.y > 1) shape.extents.push_back(domain_.y);
  if (domain_.x > 1) shape.extents.push_back(domain_.x);
  if (shape.extents.empty()) return std::nullopt;
  return shape;
}

std::optional<FftShape> Chunks::ColumnFft(int64_t count) const {
  if (domain_.z == 1) return std::nullopt;
  return FftShape{.real = false, .extents = {domain_.z}, .stride = plane(), .distance = 1, .batch = count};
}

}  // namespace deconvoy::worker::cuda
