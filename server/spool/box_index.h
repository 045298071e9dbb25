// Finds which of many disjoint boxes of one frame meet a given box. Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "proto/contract/geometry.h"

namespace deconvoy::server {

struct IndexedBox {
  Box3 box;
  uint32_t crc32c = 0;
};

class BoxIndex {
 public:
  explicit BoxIndex(const std::vector<IndexedBox>& boxes = {});
  ~BoxIndex();
  BoxIndex(BoxIndex&&) noexcept;
  BoxIndex& operator=(BoxIndex&&) noexcept;

  // REQUIRES: `box` meets no box of the index, or is one of them already, which changes nothing.
  void Insert(const IndexedBox& box);
  // Does nothing when the box is not there.
  void Remove(const IndexedBox& box);
  // Any box that has voxels in common with `box`.
  std::optional<IndexedBox> FindOverlap(const Box3& box) const;
  size_t size() const;

 private:
  struct Tree;
  std::unique_ptr<Tree> tree_;
};

}  // namespace deconvoy::server
