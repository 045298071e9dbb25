// OpenImage: which page holds which plane, and the pages' pixels.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "client/imageio/image_errors.h"
#include "client/imageio/image_file.h"
#include "client/imageio/imagej.h"
#include "client/imageio/ome.h"
#include "client/imageio/tiff_directories.h"
#include "client/imageio/tiff_file.h"
#include "client/imageio/tiff_page.h"
#include "client/imageio/units.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio {
namespace {

constexpr size_t kNameBytes = 255;
constexpr int64_t kNone = -1;
// ImageJ shows at most 7 channels; a stack of more channels and nothing else is a stack of planes whose axis was not
// given.
constexpr int64_t kImageJChannels = 7;
// Resolutions of scanners and screens are no voxel sizes: outside ImageJ and OME only pixels smaller than this count.
constexpr double kLargestPlainPixelUm = 20;

// A file as its metadata explain it.
struct Stack {
  std::string format;
  Shape5 shape;
  v1::VoxelSize voxel_size;
  std::vector<v1::Channel> channels;
  std::vector<int64_t> page_of_plane;  // in t,c,z order
  int64_t contiguous_at = kNone;       // byte of the first plane where one directory serves all planes
  std::vector<std::string> notes;
};

std::string Describe(const PageInfo& page) {
  return fmt::format("{} x {} {}", page.width, page.height, v1::VoxelType_Name(page.type));
}

absl::Status CheckAlike(const TiffFile& file, int64_t index, const PageInfo& page, const PageInfo& first) {
  if (page.width == first.width && page.height == first.height && page.type == first.type) return absl::OkStatus();
  return PageError(file, index,
                   fmt::format("is {}, but page 1 is {}; all planes must be alike", Describe(page), Describe(first)),
                   "Remove or split off the pages that differ.");
}

// Reads the directories of `pages` and checks that they are like the first page; leaves out reduced copies.
absl::StatusOr<std::vector<int64_t>> CheckPages(TiffFile& file, const std::vector<uint64_t>& offsets,
                                                const std::vector<int64_t>& pages, const PageInfo& first,
                                                Stack& stack) {
  std::vector<int64_t> usable;
  usable.reserve(pages.size());
  for (const int64_t index : pages) {
    ASSIGN_OR_RETURN(const PageInfo page, ReadPageInfo(file, index, offsets[static_cast<size_t>(index)]));
    if (page.reduced && index > 0) continue;
    RETURN_IF_ERROR(CheckAlike(file, index, page, first));
    usable.push_back(index);
  }
  if (usable.size() < pages.size()) {
    stack.notes.push_back(fmt::format("{} reduced copies (thumbnails) are left out.", pages.size() - usable.size()));
  }
  return usable;
}

std::vector<int64_t> Counting(size_t pages) {
  std::vector<int64_t> result(pages);
  std::iota(result.begin(), result.end(), 0);
  return result;
}

double PixelUm(double resolution, double unit_um) {
  return std::isfinite(resolution) && resolution > 0 ? RoundedResolution(unit_um / resolution) : 0;
}

void SetPlaneSize(const PageInfo& page, double unit_um, v1::VoxelSize& size) {
  const double x = PixelUm(page.x_resolution, unit_um), y = PixelUm(page.y_resolution, unit_um);
  size.set_x_um(x > 0 ? x : y);
  size.set_y_um(y > 0 ? y : x);
}

void SetPlainVoxelSize(const PageInfo& page, Stack& stack) {
  const double unit_um = page.resolution_unit == RESUNIT_CENTIMETER ? 1e4
                         : page.resolution_unit == RESUNIT_INCH     ? 25400
                                                                    : 0;
  v1::VoxelSize size;
  SetPlaneSize(page, unit_um, size);
  if (size.x_um() <= 0 || size.x_um() >= kLargestPlainPixelUm || size.y_um() >= kLargestPlainPixelUm) return;
  stack.voxel_size = size;
  stack.notes.push_back(fmt::format(
      "Pixel size {} um taken from the TIFF resolution; the distance of the planes is unknown.", size.x_um()));
}

Stack PlainStack(const std::vector<int64_t>& pages, const PageInfo& page) {
  Stack stack;
  stack.format = "TIFF";
  stack.shape = {1, 1, static_cast<int64_t>(pages.size()), page.height, page.width};
  stack.page_of_plane = pages;
  if (pages.size() > 1) stack.notes.push_back("The file does not name its axes; its pages are read as planes along z.");
  SetPlainVoxelSize(page, stack);
  return stack;
}

// Axes of an ImageJ stack of `images` planes; one frame of planes along z, and a note, where the numbers contradict.
Shape5 ImageJShape(const ImageJDescription& text, int64_t images, const PageInfo& page,
                   std::vector<std::string>& notes) {
  const auto at_least_one = [](int64_t count) { return std::max<int64_t>(count, 1); };
  Shape5 shape{at_least_one(text.frames), at_least_one(text.channels), at_least_one(text.slices), page.height,
               page.width};
  const Shape5 planes{1, 1, images, page.height, page.width};
  if (text.frames == 0 && text.channels == 0 && text.slices == 0) return planes;
  const bool sane = shape.t <= images && shape.c <= images && shape.z <= images;
  if (!sane || shape.frames() > images || shape.frames() * shape.z != images) {
    notes.push_back(fmt::format(
        "ImageJ says {} channels x {} slices x {} frames, but there are {} pages; they are read as planes along z.",
        shape.c, shape.z, shape.t, images));
    return planes;
  }
  if (shape.c > kImageJChannels && shape.z == 1 && shape.t == 1) {
    notes.push_back(
        fmt::format("ImageJ says {} channels of one plane each; they are read as planes along z.", shape.c));
    return planes;
  }
  if (shape.t > 1 && shape.z == 1)
    notes.push_back(fmt::format("A series of {} time points of one plane each.", shape.t));
  return shape;
}

// Pages of planes in t,c,z order, where pages run c fastest, then z, then t.
std::vector<int64_t> ImageJOrder(const Shape5& shape, const std::vector<int64_t>& pages) {
  std::vector<int64_t> result;
  result.reserve(pages.size());
  for (int64_t t = 0; t < shape.t; ++t) {
    for (int64_t c = 0; c < shape.c; ++c) {
      for (int64_t z = 0; z < shape.z; ++z) {
        result.push_back(pages[static_cast<size_t>((t * shape.z + z) * shape.c + c)]);
      }
    }
  }
  return result;
}

// Files of ImageJ beyond 4 GiB have one directory, and all planes one after the other from its first strip on. Number
// of planes that there are; 1 where the file is an ordinary one.
absl::StatusOr<int64_t> ContiguousPlanes(const TiffFile& file, const PageInfo& page, int64_t images,
                                         int64_t first_byte) {
  if (images < 2 || page.compressed || TIFFIsTiled(file.handle()) != 0) return 1;
  const int64_t there = (file.size() - first_byte) / page.bytes();
  if (there >= images) return images;
  if (there < 2) return 1;
  return FileError(file.path(),
                   fmt::format("is truncated: ImageJ's description says {} planes, but the bytes of only {} are there",
                               images, there),
                   "Copy or export the file again.");
}

// Channel names from the labels of planes, where all planes of a channel share one.
std::vector<v1::Channel> ChannelsOfLabels(const std::vector<std::string>& labels, const Shape5& shape) {
  std::vector<v1::Channel> channels(static_cast<size_t>(shape.c));
  if (static_cast<int64_t>(labels.size()) != shape.frames() * shape.z) return {};
  bool any = false;
  for (size_t i = 0; i < labels.size(); ++i) {
    v1::Channel& channel = channels[i % channels.size()];
    if (i < channels.size()) channel.set_name(TextField(labels[i], kNameBytes));
    if (channel.name() != TextField(labels[i], kNameBytes)) return {};
    any = any || !labels[i].empty();
  }
  return any ? channels : std::vector<v1::Channel>();
}

std::vector<std::string> ReadLabels(const TiffFile& file) {
  uint32_t count_of_counts = 0, count_of_bytes = 0;
  const uint32_t* counts = nullptr;
  const std::byte* bytes = nullptr;
  const bool found = TIFFGetField(file.handle(), kImageJByteCountsTag, &count_of_counts, &counts) == 1 &&
                     TIFFGetField(file.handle(), kImageJMetadataTag, &count_of_bytes, &bytes) == 1;
  if (!found || counts == nullptr || bytes == nullptr) return {};
  return DecodeLabels({counts, count_of_counts}, {bytes, count_of_bytes}, file.big_endian());
}

// REQUIRES: the first page's directory is current.
absl::StatusOr<Stack> ImageJStack(TiffFile& file, const ImageJDescription& text, const PageInfo& page,
                                  std::vector<int64_t> pages) {
  Stack stack;
  stack.format = "ImageJ TIFF";
  const std::vector<std::string> labels = ReadLabels(file);
  if (pages.size() == 1) {
    const auto first_byte = static_cast<int64_t>(TIFFGetStrileOffset(file.handle(), 0));
    ASSIGN_OR_RETURN(const int64_t planes, ContiguousPlanes(file, page, text.images, first_byte));
    if (planes > 1) {
      if (planes > limits::kFrames * kImageJChannels)
        return FileError(file.path(), fmt::format("has {} planes", planes), "Split it.");
      stack.contiguous_at = first_byte;
      pages = Counting(static_cast<size_t>(planes));
    }
  }
  const auto images = static_cast<int64_t>(pages.size());
  if (text.images > 0 && text.images != images) {
    stack.notes.push_back(fmt::format("ImageJ says {} images, but there are {} pages.", text.images, images));
  }
  stack.shape = ImageJShape(text, images, page, stack.notes);
  stack.page_of_plane = ImageJOrder(stack.shape, pages);
  stack.channels = ChannelsOfLabels(labels, stack.shape);
  const double unit_um = MicrometresPer(text.unit);
  SetPlaneSize(page, unit_um, stack.voxel_size);
  if (text.spacing > 0) stack.voxel_size.set_z_um(text.spacing * unit_um);
  return stack;
}

class TiffReader : public ImageReader {
 public:
  TiffReader(std::unique_ptr<TiffFile> file, std::vector<uint64_t> offsets, PageInfo page, Stack stack)
      : file_(std::move(file)), offsets_(std::move(offsets)), page_(std::move(page)), stack_(std::move(stack)) {
    page_.description.clear();
    spec_.set_display_name(TextField(file_->path().filename().string(), kNameBytes));
    *spec_.mutable_shape() = ToProto(stack_.shape);
    spec_.set_type(page_.type);
    *spec_.mutable_voxel_size() = stack_.voxel_size;
    spec_.mutable_channels()->Assign(stack_.channels.begin(), stack_.channels.end());
  }

  const v1::VolumeSpec& spec() const override { return spec_; }
  std::string format() const override { return stack_.format; }
  const std::vector<std::string>& notes() const override { return stack_.notes; }

  absl::Status ReadPlane(int64_t t, int64_t c, int64_t z, std::span<std::byte> target) override {
    const Shape5& shape = stack_.shape;
    if (t < 0 || t >= shape.t || c < 0 || c >= shape.c || z < 0 || z >= shape.z ||
        static_cast<int64_t>(target.size()) != page_.bytes()) {
      return FileError(file_->path(), fmt::format("has no plane t,c,z {},{},{} of {} bytes", t, c, z, target.size()));
    }
    const int64_t page = stack_.page_of_plane[static_cast<size_t>((t * shape.c + c) * shape.z + z)];
    if (stack_.contiguous_at != kNone) return ReadContiguous(page, target);
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

absl::StatusOr<Stack> OmeTiffStack(TiffFile& file, const std::vector<uint64_t>& offsets, const PageInfo& first) {
  ASSIGN_OR_RETURN(OmeStack ome, ParseOme(first.description, file.path(), static_cast<int64_t>(offsets.size()), first));
  Stack stack{.format = "OME-TIFF",
              .shape = ome.shape,
              .voxel_size = ome.voxel_size,
              .channels = std::move(ome.channels),
              .page_of_plane = std::move(ome.page_of_plane),
              .notes = std::move(ome.notes)};
  ASSIGN_OR_RETURN(const std::vector<int64_t> usable, CheckPages(file, offsets, stack.page_of_plane, first, stack));
  if (usable.size() != stack.page_of_plane.size()) {
    return FileError(file.path(), "its OME metadata point at a reduced copy as if it were a plane");
  }
  return stack;
}

absl::StatusOr<Stack> Interpret(TiffFile& file, const std::vector<uint64_t>& offsets, const PageInfo& first) {
  if (IsOme(first.description)) return OmeTiffStack(file, offsets, first);
  Stack checked;
  ASSIGN_OR_RETURN(const std::vector<int64_t> pages,
                   CheckPages(file, offsets, Counting(offsets.size()), first, checked));
  Stack stack;
  if (const std::optional<ImageJDescription> text = ParseImageJ(first.description)) {
    if (TIFFSetSubDirectory(file.handle(), offsets[0]) == 0) return PageError(file, 0, "cannot be read", {});
    ASSIGN_OR_RETURN(stack, ImageJStack(file, *text, first, pages));
  } else {
    stack = PlainStack(pages, first);
  }
  stack.notes.insert(stack.notes.end(), checked.notes.begin(), checked.notes.end());
  return stack;
}

void NoteOddities(const PageInfo& first, Stack& stack) {
  if (first.has_pyramid) stack.notes.push_back("The smaller copies of the resolution pyramid are left out.");
  if (first.white_is_zero)
    stack.notes.push_back("The file is meant to be shown inverted; its values are read as they stand.");
  if (first.turned)
    stack.notes.push_back("The file is meant to be shown turned or mirrored; its rows are read as they stand.");
}

}  // namespace

absl::StatusOr<std::unique_ptr<ImageReader>> OpenImage(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(std::unique_ptr<TiffFile> file, TiffFile::OpenForReading(path));
  ASSIGN_OR_RETURN(std::vector<uint64_t> offsets, ListDirectories(*file));
  ASSIGN_OR_RETURN(PageInfo first, ReadPageInfo(*file, 0, offsets[0]));
  ASSIGN_OR_RETURN(Stack stack, Interpret(*file, offsets, first));
  NoteOddities(first, stack);
  if (const auto shape = ToShape(ToProto(stack.shape), first.type, "shape"); !shape.ok()) {
    return AddContext(shape.status(), path.string());
  }
  return std::make_unique<TiffReader>(std::move(file), std::move(offsets), std::move(first), std::move(stack));
}

}  // namespace deconvoy::imageio
