// What the server says a volume misses. Internal to this library.
#pragma once

#include <cstdint>
#include <optional>
#include <tuple>
#include <vector>

#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// Which pieces of a volume the server still misses. Its list may be cut short: what comes after its last box counts as
// missing.
class MissingBoxes {
 public:
  explicit MissingBoxes(const v1::Volume& volume);

  bool Misses(const FrameBox& piece) const;

 private:
  using Position = std::tuple<int64_t, int64_t, int64_t>;
  static Position Place(const FrameBox& box) { return {box.t, box.c, box.box.origin.z}; }

  std::vector<FrameBox> boxes_;
  std::optional<Position> last_;
};

}  // namespace deconvoy::client
