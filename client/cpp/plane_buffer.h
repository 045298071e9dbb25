// Planes on their way to the server, kept until they are durable there. Internal to this library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <vector>

#include "client/cpp/missing_boxes.h"
#include "deconvoy/v1/volumes.pb.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// A plane is cut into pieces that fit a chunk; over one call they are sent in order, and acknowledged in that order.
// Not thread safe.
class PlaneBuffer {
 public:
  using Bytes = std::shared_ptr<const std::vector<std::byte>>;
  struct Piece {
    FrameBox box;
    Bytes plane;         // that it is cut from
    int64_t offset = 0;  // of its bytes in the plane's; they follow one another
    int64_t bytes = 0;
  };

  explicit PlaneBuffer(v1::VoxelType type) : type_(type) {}

  void Add(const FrameBox& plane, Bytes bytes);

  // The next piece of this call; it counts as sent. Nothing where all are.
  std::optional<Piece> TakeNext();
  bool has_next() const { return next_ != planes_.end(); }

  // So many chunks of this call are durable. Returns the planes that are now, which the buffer forgets.
  std::vector<FrameBox> Acknowledge(uint64_t chunks);

  // A new call: what the server misses is to be sent again. Returns the planes of which it misses nothing, which the
  // buffer forgets.
  std::vector<FrameBox> Restart(const MissingBoxes& missing);

  bool empty() const { return planes_.empty(); }
  int64_t bytes() const { return bytes_; }

 private:
  struct Plane {
    FrameBox box;
    Bytes bytes;
    std::vector<FrameBox> pieces = {};  // to be sent over this call
    size_t sent = 0;                    // of them
    size_t acknowledged = 0;            // of them
  };
  using Planes = std::list<Plane>;

  std::vector<FrameBox> PiecesOf(const FrameBox& plane) const;
  Planes::iterator Forget(Planes::iterator plane);
  void SkipToUnsent();

  const v1::VoxelType type_;
  Planes planes_;
  Planes::iterator next_ = planes_.end();  // the first with pieces that are not sent
  std::deque<Planes::iterator> on_the_way_;
  uint64_t acknowledged_ = 0;  // chunks of this call
  int64_t bytes_ = 0;
};

}  // namespace deconvoy::client
