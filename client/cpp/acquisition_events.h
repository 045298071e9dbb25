// What an acquisition's stream has to tell and nobody has asked for yet. Internal to this library.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "client/cpp/acquisition_stream.h"

namespace deconvoy::client {

// Puts chunks of results together to boxes, and keeps their voxels as far as there is room. Not thread safe.
class AcquisitionEvents {
 public:
  // `received` are boxes that are not told again.
  AcquisitionEvents(int64_t result_bytes, std::vector<v1::Box> received);

  // A new call: parts of boxes that did not become whole are forgotten.
  void Open(const v1::SessionOpened& opened);
  void Tell(Outage outage) { outage_ = std::move(outage); }
  void Tell(v1::JobProgress progress) { progress_ = std::move(progress); }
  void Tell(v1::Backlog backlog) { backlog_ = std::move(backlog); }
  void Tell(v1::Finding finding) { queue_.emplace_back(std::move(finding)); }
  void Tell(v1::Job ended) { ended_ = std::move(ended); }

  // A part of a box. One that is damaged, or too much to keep, is left out.
  void Take(v1::Chunk part);
  // The box whose parts came.
  void Finish(const v1::Box& box);

  bool empty() const;

  // The next one; of a box whose voxels were not kept, the box without them. REQUIRES: not empty.
  AcquisitionEvent Next();

  // Boxes that have come.
  const std::vector<v1::Box>& received() const { return received_; }

 private:
  // The voxels of `box`; none where parts lack.
  std::vector<std::byte> PutTogether(const FrameBox& box) const;

  const int64_t result_bytes_;
  v1::VoxelType type_ = v1::VOXEL_TYPE_UNSPECIFIED;  // of the estimate
  std::optional<v1::SessionOpened> opened_;
  std::optional<Outage> outage_;
  std::optional<v1::JobProgress> progress_;
  std::optional<v1::Backlog> backlog_;
  std::optional<v1::Job> ended_;
  std::deque<std::variant<FinishedBox, v1::Finding>> queue_;
  std::vector<v1::Chunk> parts_;  // of boxes that are not finished
  int64_t kept_bytes_ = 0;        // of parts and boxes
  std::vector<v1::Box> received_;
  std::unordered_set<std::string> known_;  // the same, serialised
};

}  // namespace deconvoy::client
