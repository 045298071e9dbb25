#include "client/cli/figures/png_file.h"

#include <fmt/format.h>
#include <png.h>

#include <cstddef>
#include <memory>
#include <vector>

#include "client/imageio/output_file.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

absl::StatusOr<std::vector<std::byte>> EncodePng(const Canvas& canvas) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  image.width = static_cast<png_uint_32>(canvas.width());
  image.height = static_cast<png_uint_32>(canvas.height());
  image.format = PNG_FORMAT_GRAY;
  png_alloc_size_t bytes = PNG_IMAGE_PNG_SIZE_MAX(image);
  std::vector<std::byte> file(bytes);
  if (png_image_write_to_memory(&image, file.data(), &bytes, 0, canvas.pixels().data(), 0, nullptr) == 0) {
    return MakeError({.reason = v1::STORAGE_FAILURE}, fmt::format("the picture cannot be encoded: {}", image.message));
  }
  file.resize(bytes);
  return file;
}

}  // namespace

absl::Status WritePng(const std::filesystem::path& path, const Canvas& canvas) {
  ASSIGN_OR_RETURN(const std::vector<std::byte> png, EncodePng(canvas));
  ASSIGN_OR_RETURN(const std::unique_ptr<imageio::OutputFile> file,
                   imageio::OutputFile::Create(path, static_cast<int64_t>(png.size()), true));
  RETURN_IF_ERROR(file->WriteAt(0, png));
  return file->Commit();
}

}  // namespace deconvoy::client
