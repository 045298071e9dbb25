#include "server/spool/box_index.h"

#include <boost/geometry.hpp>
#include <boost/geometry/index/rtree.hpp>
#include <utility>

namespace deconvoy::server {
namespace {

namespace bg = boost::geometry;

// Corners are the first and the last voxel, so that boxes that only touch do not meet. Coordinates are below 2^20 and
// exact.
using Corner = bg::model::point<double, 3, bg::cs::cartesian>;
using Value = std::pair<bg::model::box<Corner>, uint32_t>;

bg::model::box<Corner> ToCorners(const Box3& box) {
  const Voxel last = box.end() - Voxel{1, 1, 1};
  return {
      Corner(static_cast<double>(box.origin.z), static_cast<double>(box.origin.y), static_cast<double>(box.origin.x)),
      Corner(static_cast<double>(last.z), static_cast<double>(last.y), static_cast<double>(last.x))};
}

Voxel ToVoxel(const Corner& corner) {
  return {static_cast<int64_t>(corner.get<0>()), static_cast<int64_t>(corner.get<1>()),
          static_cast<int64_t>(corner.get<2>())};
}

IndexedBox FromValue(const Value& value) {
  const Voxel first = ToVoxel(value.first.min_corner());
  const Voxel extent = ToVoxel(value.first.max_corner()) - first + Voxel{1, 1, 1};
  return {{first, {extent.z, extent.y, extent.x}}, value.second};
}

std::vector<Value> ToValues(const std::vector<IndexedBox>& boxes) {
  std::vector<Value> values;
  values.reserve(boxes.size());
  for (const IndexedBox& box : boxes) values.emplace_back(ToCorners(box.box), box.crc32c);
  return values;
}

}  // namespace

struct BoxIndex::Tree {
  // Built from all boxes at once, the tree is packed.
  explicit Tree(const std::vector<Value>& values) : tree(values) {}
  bg::index::rtree<Value, bg::index::quadratic<16>> tree;
};

BoxIndex::BoxIndex(const std::vector<IndexedBox>& boxes) : tree_(std::make_unique<Tree>(ToValues(boxes))) {}
BoxIndex::~BoxIndex() = default;
BoxIndex::BoxIndex(BoxIndex&&) noexcept = default;
BoxIndex& BoxIndex::operator=(BoxIndex&&) noexcept = default;

void BoxIndex::Insert(const IndexedBox& box) {
  if (FindOverlap(box.box)) return;
  tree_->tree.insert(Value(ToCorners(box.box), box.crc32c));
}

void BoxIndex::Remove(const IndexedBox& box) {
  tree_->tree.remove(Value(ToCorners(box.box), box.crc32c));
}

std::optional<IndexedBox> BoxIndex::FindOverlap(const Box3& box) const {
  const auto found = tree_->tree.qbegin(bg::index::intersects(ToCorners(box)));
  if (found == tree_->tree.qend()) return std::nullopt;
  return FromValue(*found);
}

size_t BoxIndex::size() const {
  return tree_->tree.size();
}

}  // namespace deconvoy::server
