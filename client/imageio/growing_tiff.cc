#include "client/imageio/growing_tiff.h"

#include <fmt/format.h>

#include <algorithm>
#include <system_error>
#include <utility>
#include <vector>

#include "client/imageio/image_errors.h"
#include "client/imageio/tiff_directories.h"
#include "client/imageio/tiff_file.h"
#include "client/imageio/tiff_page.h"
#include "client/imageio/units.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio {

struct GrowingTiff::State {
  std::unique_ptr<TiffFile> file;  // as long as it was when it was opened
  std::vector<uint64_t> offsets;   // of directories
  PageInfo first;
};

GrowingTiff::GrowingTiff(std::filesystem::path path) : path_(std::move(path)), state_(std::make_unique<State>()) {}
GrowingTiff::~GrowingTiff() = default;

absl::StatusOr<int64_t> GrowingTiff::CountPages(int64_t resting_bytes) {
  constexpr int64_t kHeaderBytes = 16;  // of the longer kind
  std::error_code error;
  const auto size = static_cast<int64_t>(std::filesystem::file_size(path_, error));
  if (error || size < kHeaderBytes) return 0;
  if (size < size_) {
    return FileError(path_, fmt::format("has become smaller while it was read, from {} to {} bytes", size_, size),
                     "Have the microscope write a new file.");
  }
  if (size > size_ || state_->file == nullptr) {
    ASSIGN_OR_RETURN(state_->file, TiffFile::OpenForReading(path_));
    size_ = size;
  }
  // What lies inside of the file may be patched without its growing.
  RETURN_IF_ERROR(ExtendDirectories(*state_->file, state_->offsets));
  const auto pages = static_cast<int64_t>(state_->offsets.size()) - (size == resting_bytes ? 0 : 1);
  if (pages > 0 && !page_) RETURN_IF_ERROR(LookAtFirstPage());
  return std::max<int64_t>(pages, 0);
}

absl::Status GrowingTiff::LookAtFirstPage() {
  ASSIGN_OR_RETURN(state_->first, ReadPageInfo(*state_->file, 0, state_->offsets[0]));
  v1::VolumeSpec spec;
  spec.set_display_name(TextField(path_.filename().string(), limits::kDisplayNameBytes));
  *spec.mutable_shape() = ToProto(Shape5{1, 1, 1, state_->first.height, state_->first.width});
  spec.set_type(state_->first.type);
  page_ = std::move(spec);
  return absl::OkStatus();
}

absl::Status GrowingTiff::ReadPage(int64_t page, std::span<std::byte> target) {
  TiffFile& file = *state_->file;
  const PageInfo& first = state_->first;
  ASSIGN_OR_RETURN(const PageInfo info, ReadPageInfo(file, page, state_->offsets[static_cast<size_t>(page)]));
  if (info.reduced && page > 0)
    return PageError(file, page, "is a reduced copy (thumbnail) of another one", "Have it written without them.");
  if (info.width != first.width || info.height != first.height || info.type != first.type) {
    return PageError(
        file, page,
        fmt::format("is {} x {} {}, but page 1 is {} x {} {}; all planes must be alike", info.width, info.height,
                    v1::VoxelType_Name(info.type), first.width, first.height, v1::VoxelType_Name(first.type)),
        "Record all planes with the same camera settings.");
  }
  return ReadPagePixels(file, page, info, target);
}

}  // namespace deconvoy::imageio
