#include "client/cli/result_file.h"

#include <utility>

#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::client {

ResultFile::ResultFile(const v1::VolumeSpec& spec, const Shape5& shape, std::unique_ptr<imageio::OutputFile> spool,
                       std::unique_ptr<imageio::ImageWriter> image)
    : shape_(shape),
      type_(spec.type()),
      spool_(std::move(spool)),
      image_(std::move(image)),
      coverage_(shape),
      plane_(static_cast<size_t>(shape.y * shape.x * BytesPerVoxel(spec.type()))) {}

absl::StatusOr<std::unique_ptr<ResultFile>> ResultFile::Create(const std::filesystem::path& path,
                                                               const v1::VolumeSpec& spec,
                                                               const imageio::WriteOptions& options) {
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), "shape"));
  RETURN_IF_ERROR(
      imageio::CheckWritable(path, VolumeBytes(shape, spec.type()) + imageio::RoomFor(path, spec, options)));
  ASSIGN_OR_RETURN(auto image, imageio::CreateImage(path, spec, options));
  ASSIGN_OR_RETURN(auto spool, imageio::OutputFile::Create(path, 0, /*overwrite=*/true));
  return std::unique_ptr<ResultFile>(new ResultFile(spec, shape, std::move(spool), std::move(image)));
}

absl::Status ResultFile::Put(const FrameBox& box, std::span<const std::byte> voxels) {
  RETURN_IF_ERROR(CheckBox(ToProto(box), shape_, "box"));
  RETURN_IF_ERROR(ForEachRun(shape_, type_, box, [&](const ByteRun& run) {
    return spool_->WriteAt(run.volume_offset,
                           voxels.subspan(static_cast<size_t>(run.box_offset), static_cast<size_t>(run.bytes)));
  }));
  coverage_.Add(box);
  return WriteWholePlanes();
}

double ResultFile::fraction() const {
  return static_cast<double>(coverage_.voxels()) / static_cast<double>(shape_.voxels());
}

absl::Status ResultFile::Finish() {
  return image_->Finish();
}

absl::Status ResultFile::WriteWholePlanes() {
  for (; coverage_.IsComplete(planes_written_); ++planes_written_) {
    RETURN_IF_ERROR(spool_->ReadAt(planes_written_ * static_cast<int64_t>(plane_.size()), plane_));
    RETURN_IF_ERROR(image_->WritePlane(plane_));
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::client
