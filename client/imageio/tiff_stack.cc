#include "client/imageio/tiff_stack.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <numeric>
#include <optional>
#include <utility>

#include "client/imageio/image_errors.h"
#include "client/imageio/imagej.h"
#include "client/imageio/ome.h"
#include "client/imageio/units.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::imageio {
namespace {

// ImageJ shows at most 7 channels; a stack of more channels and nothing else is a stack of planes whose axis was not
// given.
constexpr int64_t kImageJChannels = 7;
// Resolutions of scanners and screens are no voxel sizes: outside ImageJ and OME only pixels smaller than this count.
constexpr double kLargestPlainPixelUm = 20;
constexpr int64_t kPlanes = int64_t{1} << 22;

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
  return resolution > 0 ? PlausibleUm(RoundedResolution(unit_um / resolution)) : 0;
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
                                         int64_t directory_at) {
  if (images < 2 || page.compressed || TIFFIsTiled(file.handle()) != 0) return 1;
  const auto first_byte = static_cast<int64_t>(TIFFGetStrileOffset(file.handle(), 0));
  const int64_t there = (file.size() - first_byte) / page.bytes();
  // A directory behind the only page's pixels belongs to an ordinary file whose description is of another.
  if (there < 2 || directory_at > first_byte) return 1;
  if (images > kPlanes)
    return FileError(file.path(), fmt::format("has more than {} planes", kPlanes), "Split the file.");
  if (there >= images) return images;
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
    if (i < channels.size()) channel.set_name(ChannelName(labels[i], shape.c));
    if (channel.name() != ChannelName(labels[i], shape.c)) return {};
    any = any || !labels[i].empty();
  }
  return any ? channels : std::vector<v1::Channel>();
}

// Whether a tag that is not part of TIFF has values of one of these types (of TIFFDataType) in the file: libtiff gives
// them out as the file says they are, and the type may be any number.
bool HasType(TIFF* handle, uint32_t tag, std::initializer_list<int> types) {
  const TIFFField* field = TIFFFindField(handle, tag, TIFF_ANY);
  if (field == nullptr) return false;
  const int type = TIFFFieldDataType(field);
  return std::find(types.begin(), types.end(), type) != types.end();
}

std::vector<std::string> ReadLabels(const TiffFile& file) {
  uint32_t count_of_counts = 0, count_of_bytes = 0;
  const uint32_t* counts = nullptr;
  const std::byte* bytes = nullptr;
  const bool found = HasType(file.handle(), kImageJByteCountsTag, {TIFF_LONG}) &&
                     HasType(file.handle(), kImageJMetadataTag, {TIFF_BYTE, TIFF_UNDEFINED}) &&
                     TIFFGetField(file.handle(), kImageJByteCountsTag, &count_of_counts, &counts) == 1 &&
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
    const auto directory_at = static_cast<int64_t>(TIFFCurrentDirOffset(file.handle()));
    ASSIGN_OR_RETURN(const int64_t planes, ContiguousPlanes(file, page, text.images, directory_at));
    if (planes > 1) {
      stack.contiguous_at = static_cast<int64_t>(TIFFGetStrileOffset(file.handle(), 0));
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
  if (text.spacing > 0) stack.voxel_size.set_z_um(PlausibleUm(text.spacing * unit_um));
  return stack;
}

absl::StatusOr<Stack> OmeTiffStack(TiffFile& file, const std::vector<uint64_t>& offsets, const PageInfo& first) {
  ASSIGN_OR_RETURN(OmeStack ome, ParseOme(first.description, file.path(), static_cast<int64_t>(offsets.size()), first));
  Stack stack{.format = "OME-TIFF",
              .shape = ome.shape,
              .voxel_size = ome.voxel_size,
              .channels = std::move(ome.channels),
              .page_of_plane = std::move(ome.page_of_plane),
              .notes = std::move(ome.notes),
              .acquisition = std::move(ome.acquisition)};
  ASSIGN_OR_RETURN(const std::vector<int64_t> usable, CheckPages(file, offsets, stack.page_of_plane, first, stack));
  if (usable.size() != stack.page_of_plane.size()) {
    return FileError(file.path(), "its OME metadata point at a reduced copy as if it were a plane");
  }
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

absl::StatusOr<Stack> InterpretStack(TiffFile& file, const std::vector<uint64_t>& offsets, const PageInfo& first) {
  Stack stack;
  if (IsOme(first.description)) {
    ASSIGN_OR_RETURN(stack, OmeTiffStack(file, offsets, first));
    NoteOddities(first, stack);
    return stack;
  }
  Stack checked;
  ASSIGN_OR_RETURN(const std::vector<int64_t> pages,
                   CheckPages(file, offsets, Counting(offsets.size()), first, checked));
  if (const std::optional<ImageJDescription> text = ParseImageJ(first.description)) {
    if (TIFFSetSubDirectory(file.handle(), offsets[0]) == 0) return PageError(file, 0, "cannot be read", {});
    ASSIGN_OR_RETURN(stack, ImageJStack(file, *text, first, pages));
  } else {
    stack = PlainStack(pages, first);
  }
  stack.notes.insert(stack.notes.end(), checked.notes.begin(), checked.notes.end());
  NoteOddities(first, stack);
  return stack;
}

}  // namespace deconvoy::imageio
