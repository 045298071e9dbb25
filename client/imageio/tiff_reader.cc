// OpenImage: the planes of a TIFF's stack.
#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "client/imageio/image_errors.h"
#include "client/imageio/image_file.h"
#include "client/imageio/tiff_directories.h"
#include "client/imageio/tiff_file.h"
#include "client/imageio/tiff_page.h"
#include "client/imageio/tiff_stack.h"
#include "client/imageio/units.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio {
namespace {

class TiffReader : public ImageReader {
 public:
  TiffReader(std::unique_ptr<TiffFile> file, std::vector<uint64_t> offsets, PageInfo page, Stack stack)
      : file_(std::move(file)), offsets_(std::move(offsets)), page_(std::move(page)), stack_(std::move(stack)) {
    page_.description.clear();
    spec_.set_display_name(TextField(file_->path().filename().string(), limits::kDisplayNameBytes));
    *spec_.mutable_shape() = ToProto(stack_.shape);
    spec_.set_type(page_.type);
    *spec_.mutable_voxel_size() = stack_.voxel_size;
    spec_.mutable_channels()->Assign(stack_.channels.begin(), stack_.channels.end());
  }

  const v1::VolumeSpec& spec() const override { return spec_; }
  std::string format() const override { return stack_.format; }
  const std::vector<std::string>& notes() const override { return stack_.notes; }
  const Acquisition& acquisition() const override { return stack_.acquisition; }

  absl::Status ReadPlane(int64_t t, int64_t c, int64_t z, std::span<std::byte> target) override {
    const Shape5& shape = stack_.shape;
    if (t < 0 || t >= shape.t || c < 0 || c >= shape.c || z < 0 || z >= shape.z ||
        static_cast<int64_t>(target.size()) != page_.bytes()) {
      return FileError(file_->path(), fmt::format("has no plane t,c,z {},{},{} of {} bytes", t, c, z, target.size()));
    }
    const int64_t page = stack_.page_of_plane[static_cast<size_t>((t * shape.c + c) * shape.z + z)];
    if (stack_.contiguous_at != Stack::kManyDirectories) return ReadContiguous(page, target);
    const uint64_t offset = offsets_[static_cast<size_t>(page)];
    if (offset != TIFFCurrentDirOffset(file_->handle()) && TIFFSetSubDirectory(file_->handle(), offset) == 0) {
      return PageError(*file_, page, fmt::format("cannot be read ({})", file_->TakeMessages()), "Copy it again.");
    }
    return ReadPagePixels(*file_, page, page_, target);
  }

 private:
  absl::Status ReadContiguous(int64_t page, std::span<std::byte> target) const {
    if (!file_->ReadAt(stack_.contiguous_at + page * page_.bytes(), target)) {
      return PageError(*file_, page, "is cut off", "Copy the file again.");
    }
    const int64_t width = BytesPerVoxel(page_.type);
    if (!file_->big_endian() || width == 1) return absl::OkStatus();
    for (auto voxel = target.begin(); voxel != target.end(); voxel += width) std::reverse(voxel, voxel + width);
    return absl::OkStatus();
  }

  const std::unique_ptr<TiffFile> file_;
  const std::vector<uint64_t> offsets_;  // of directories, by page
  PageInfo page_;                        // like all pages
  Stack stack_;
  v1::VolumeSpec spec_;
};

absl::StatusOr<std::unique_ptr<ImageReader>> Open(std::unique_ptr<TiffFile> file) {
  ASSIGN_OR_RETURN(std::vector<uint64_t> offsets, ListDirectories(*file));
  ASSIGN_OR_RETURN(PageInfo first, ReadPageInfo(*file, 0, offsets[0]));
  ASSIGN_OR_RETURN(Stack stack, InterpretStack(*file, offsets, first));
  if (const auto shape = ToShape(ToProto(stack.shape), first.type, "shape"); !shape.ok()) {
    return AddContext(shape.status(), file->path().string());
  }
  return std::make_unique<TiffReader>(std::move(file), std::move(offsets), std::move(first), std::move(stack));
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> OpenImage(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<TiffFile> file, TiffFile::OpenForReading(path));
  return Open(std::move(file));
}

absl::StatusOr<std::unique_ptr<ImageReader>> OpenImage(int descriptor, const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<TiffFile> file, TiffFile::OpenForReading(descriptor, path));
  return Open(std::move(file));
}

}  // namespace deconvoy::imageio
