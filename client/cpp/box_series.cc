#include "client/cpp/box_series.h"

#include <algorithm>
#include <cstdint>
#include <tuple>

namespace deconvoy::client {
namespace {

constexpr size_t kBoxFramingBytes = 2;  // around each one in a message

auto PlaceOf(const v1::Box& box) {
  return std::tuple(box.c(), box.z(), box.y(), box.x(), box.size_z(), box.size_y(), box.size_x());
}

uint64_t VoxelsOf(const v1::BoxSeries& series) {
  const v1::Box& box = series.box();
  return uint64_t{series.times()} * box.size_z() * box.size_y() * box.size_x();
}

// Grows by the box if that comes next in it, or is in it already.
bool Takes(v1::BoxSeries& series, const v1::Box& box) {
  const uint64_t end = uint64_t{series.box().t()} + series.times();
  if (PlaceOf(series.box()) != PlaceOf(box) || box.t() > end) return false;
  if (box.t() == end) series.set_times(series.times() + 1);
  return true;
}

}  // namespace

std::vector<v1::BoxSeries> SeriesOf(const std::vector<v1::Box>& boxes, size_t room) {
  std::vector<const v1::Box*> sorted;
  sorted.reserve(boxes.size());
  for (const v1::Box& box : boxes) sorted.push_back(&box);
  std::sort(sorted.begin(), sorted.end(), [](const v1::Box* a, const v1::Box* b) {
    return std::tuple(PlaceOf(*a), a->t()) < std::tuple(PlaceOf(*b), b->t());
  });
  std::vector<v1::BoxSeries> all;
  for (const v1::Box* box : sorted) {
    if (!all.empty() && Takes(all.back(), *box)) continue;
    *all.emplace_back().mutable_box() = *box;
    all.back().set_times(1);
  }
  std::stable_sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return VoxelsOf(a) > VoxelsOf(b); });
  const auto end = std::find_if(all.begin(), all.end(), [&room](const v1::BoxSeries& series) {
    const size_t bytes = series.ByteSizeLong() + kBoxFramingBytes;
    if (bytes > room) return true;
    room -= bytes;
    return false;
  });
  all.erase(end, all.end());
  return all;
}

}  // namespace deconvoy::client
