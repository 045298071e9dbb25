// A result that comes box by box, in any order, as a file.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "client/cpp/coverage.h"
#include "client/imageio/image_file.h"
#include "client/imageio/output_file.h"
#include "proto/contract/geometry.h"

namespace deconvoy::client {

// Voxels wait in a file without a name beside the result's; planes are written into the image, in their order, as soon
// as they and all before them are whole. The image gets its name with Finish; dropped before, nothing stays. Room on
// the disk: twice the voxels. One thread at a time.
class ResultFile {
 public:
  // Errors: those of imageio::CreateImage.
  static absl::StatusOr<std::unique_ptr<ResultFile>> Create(const std::filesystem::path& path,
                                                            const v1::VolumeSpec& spec,
                                                            const imageio::WriteOptions& options);

  // Takes a box inside the volume (C order z,y,x, little endian), which may come again.
  absl::Status Put(const FrameBox& box, std::span<const std::byte> voxels);

  // How much of the result is there, 0 to 1.
  double fraction() const;
  bool complete() const { return coverage_.complete(); }

  // Gives the image its name. An error where something has not come.
  absl::Status Finish();

 private:
  ResultFile(const v1::VolumeSpec& spec, const Shape5& shape, std::unique_ptr<imageio::OutputFile> spool,
             std::unique_ptr<imageio::ImageWriter> image);
  absl::Status WriteWholePlanes();

  const Shape5 shape_;
  const v1::VoxelType type_;
  const std::unique_ptr<imageio::OutputFile> spool_;
  const std::unique_ptr<imageio::ImageWriter> image_;
  Coverage coverage_;
  std::vector<std::byte> plane_;
  int64_t planes_written_ = 0;
};

}  // namespace deconvoy::client
