#include "client/cpp/acquisition_events.h"

#include <span>
#include <utility>

#include "client/cpp/coverage.h"
#include "proto/contract/checksum.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {
namespace {

bool Contains(const FrameBox& box, const FrameBox& part) {
  return part.t == box.t && part.c == box.c && box.box.Contains(part.box);
}

}  // namespace

AcquisitionEvents::AcquisitionEvents(int64_t result_bytes, std::vector<v1::Box> received)
    : result_bytes_(result_bytes), received_(std::move(received)) {
  for (const v1::Box& box : received_) known_.insert(box.SerializeAsString());
}

void AcquisitionEvents::Open(const v1::SessionOpened& opened) {
  type_ = opened.job().spec().deconvolve().output_type();
  for (const v1::Chunk& part : parts_) kept_bytes_ -= static_cast<int64_t>(part.data().size());
  parts_.clear();
  opened_ = opened;
}

void AcquisitionEvents::Take(v1::Chunk part) {
  const int64_t bytes = ToFrameBox(part.box()).box.shape.voxels() * BytesPerVoxel(type_);
  const auto data = std::as_bytes(std::span(part.data()));
  const bool sound = part.compression() == v1::COMPRESSION_UNSPECIFIED && static_cast<int64_t>(data.size()) == bytes &&
                     Crc32c(data) == part.crc32c();
  if (!sound || kept_bytes_ + bytes > result_bytes_) return;
  kept_bytes_ += bytes;
  parts_.push_back(std::move(part));
}

void AcquisitionEvents::Finish(const v1::Box& box) {
  const FrameBox finished = ToFrameBox(box);
  const bool is_new = known_.insert(box.SerializeAsString()).second;
  FinishedBox event{.box = finished, .type = type_, .voxels = {}};
  if (is_new) event.voxels = PutTogether(finished);
  std::erase_if(parts_, [&](const v1::Chunk& part) {
    const bool belongs = Contains(finished, ToFrameBox(part.box()));
    if (belongs) kept_bytes_ -= static_cast<int64_t>(part.data().size());
    return belongs;
  });
  if (!is_new) return;
  kept_bytes_ += static_cast<int64_t>(event.voxels.size());
  received_.push_back(box);
  queue_.emplace_back(std::move(event));
}

bool AcquisitionEvents::empty() const {
  return !opened_ && !outage_ && !progress_ && !backlog_ && !ended_ && queue_.empty();
}

AcquisitionEvent AcquisitionEvents::Next() {
  if (opened_) return *std::exchange(opened_, std::nullopt);
  if (outage_) return *std::exchange(outage_, std::nullopt);
  if (!queue_.empty()) {
    auto next = std::move(queue_.front());
    queue_.pop_front();
    if (auto* box = std::get_if<FinishedBox>(&next)) {
      kept_bytes_ -= static_cast<int64_t>(box->voxels.size());
      return std::move(*box);
    }
    return std::get<v1::Finding>(std::move(next));
  }
  if (backlog_) return *std::exchange(backlog_, std::nullopt);
  if (progress_) return *std::exchange(progress_, std::nullopt);
  return *std::exchange(ended_, std::nullopt);
}

std::vector<std::byte> AcquisitionEvents::PutTogether(const FrameBox& box) const {
  const int64_t voxel_bytes = BytesPerVoxel(type_);
  const Box3& whole = box.box;
  std::vector<const v1::Chunk*> inside;
  Coverage coverage({1, 1, whole.end().z, whole.end().y, whole.end().x});
  for (const v1::Chunk& part : parts_) {
    if (!Contains(box, ToFrameBox(part.box()))) continue;
    inside.push_back(&part);
    coverage.Add({0, 0, ToFrameBox(part.box()).box});
  }
  if (inside.empty() || coverage.voxels() < whole.shape.voxels()) return {};
  std::vector<std::byte> voxels(static_cast<size_t>(whole.shape.voxels() * voxel_bytes));
  for (const v1::Chunk* part : inside) {
    CopyBox(std::as_bytes(std::span(part->data())).data(), ToFrameBox(part->box()).box, voxels.data(), whole,
            voxel_bytes);
  }
  return voxels;
}

}  // namespace deconvoy::client
