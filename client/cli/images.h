// Images between files and the server, with progress.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "client/cli/progress.h"
#include "client/cpp/client.h"
#include "client/imageio/image_file.h"

namespace deconvoy::client {

// A file that has been opened, and what is said of it to the server.
struct InputImage {
  std::unique_ptr<imageio::ImageReader> reader;
  v1::VolumeSpec spec;
};

// Opens an image; `voxel_size` replaces what the file says. Notes of the reader go to `progress`.
absl::StatusOr<InputImage> OpenInput(const std::filesystem::path& file, const std::optional<v1::VoxelSize>& voxel_size,
                                     Progress& progress);

// Uploads it and returns the volume's name.
absl::StatusOr<std::string> UploadImage(const Client& client, InputImage& image, Progress& progress,
                                        const std::stop_token& stop);

// The same, but sends nothing that the server has already.
absl::StatusOr<Client::Uploaded> UploadImageOnce(const Client& client, InputImage& image, Progress& progress,
                                                 const std::stop_token& stop);

// Downloads a volume into a file, which appears when it is whole. Returns what the volume is.
absl::StatusOr<v1::VolumeSpec> DownloadImage(const Client& client, const std::string& volume,
                                             const std::filesystem::path& file, const imageio::WriteOptions& options,
                                             Progress& progress, const std::stop_token& stop);

// "1 x 3 x 25 x 512 x 512 f32" (t, c, z, y, x), leading ones left out.
std::string ShapeText(const v1::VolumeSpec& spec);

}  // namespace deconvoy::client
