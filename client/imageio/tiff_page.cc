#include "client/imageio/tiff_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <vector>

#include "client/imageio/image_errors.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio {
namespace {

constexpr std::string_view kCopyAgain = "Copy or export the file again.";
constexpr std::string_view kToGrey =
    "Convert it to one grey sample of 8 or 16 bit or 32-bit float; in Fiji: Image > Type > 16-bit.";
constexpr std::string_view kSplitColours =
    "Split the colours (Fiji: Image > Color > Split Channels) or convert with Image > Type > 16-bit.";
constexpr std::string_view kPaletteToGrey =
    "In Fiji choose Image > Lookup Tables > Grays, or convert with Image > Type > 8-bit, and save it again.";

// A plane this large must not come out of a file this many times smaller: more than any accepted compression reaches.
constexpr int64_t kLargePlaneBytes = int64_t{256} << 20;
constexpr int64_t kHighestRatio = 40'000;
constexpr int64_t kTileBytes = int64_t{256} << 20;

struct Codec {
  uint16_t code;
  std::string_view name;
  bool accepted;
};

constexpr auto kCodecs = std::to_array<Codec>({
    {COMPRESSION_NONE, "no", true},
    {COMPRESSION_LZW, "LZW", true},
    {COMPRESSION_ADOBE_DEFLATE, "deflate", true},
    {COMPRESSION_DEFLATE, "deflate", true},
    {COMPRESSION_ZSTD, "zstd", true},
    {COMPRESSION_PACKBITS, "PackBits", true},
    {COMPRESSION_JPEG, "JPEG", false},
    {COMPRESSION_OJPEG, "JPEG", false},
    {COMPRESSION_CCITTFAX3, "fax", false},
    {COMPRESSION_CCITTFAX4, "fax", false},
    {COMPRESSION_LZMA, "LZMA", false},
    {COMPRESSION_WEBP, "WebP", false},
    {COMPRESSION_LERC, "LERC", false},
    {33003, "JPEG 2000", false},
    {33005, "JPEG 2000", false},
    {34712, "JPEG 2000", false},
    {22610, "JPEG XR", false},
});

template <typename T>
T Tag(TIFF* handle, uint32_t tag, T otherwise) {
  T value{};
  return TIFFGetFieldDefaulted(handle, tag, &value) == 1 ? value : otherwise;
}

std::string_view NameOfPhotometric(uint16_t photometric) {
  switch (photometric) {
    case PHOTOMETRIC_RGB:
      return "RGB";
    case PHOTOMETRIC_MASK:
      return "a transparency mask";
    case PHOTOMETRIC_SEPARATED:
      return "CMYK";
    case PHOTOMETRIC_YCBCR:
      return "YCbCr colour";
    case PHOTOMETRIC_CFA:
      return "a raw camera mosaic";
    default:
      return "of an unusual colour space";
  }
}

absl::Status CheckGrey(const TiffFile& file, int64_t page) {
  TIFF* handle = file.handle();
  const auto samples = Tag<uint16_t>(handle, TIFFTAG_SAMPLESPERPIXEL, 1);
  const auto photometric = Tag<uint16_t>(handle, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK);
  if (photometric == PHOTOMETRIC_PALETTE) {
    return PageError(file, page, "is a palette image (indexed colour), not grey", kPaletteToGrey);
  }
  if (photometric == PHOTOMETRIC_RGB || (samples >= 3 && photometric <= PHOTOMETRIC_MINISBLACK)) {
    return PageError(file, page, fmt::format("is an RGB image ({} samples per pixel), not grey", samples),
                     kSplitColours);
  }
  if (photometric > PHOTOMETRIC_MINISBLACK) {
    return PageError(
        file, page,
        fmt::format("is {}, not grey (photometric interpretation {})", NameOfPhotometric(photometric), photometric),
        kToGrey);
  }
  if (samples != 1) {
    return PageError(file, page,
                     fmt::format("has {} samples per pixel (grey with alpha, or interleaved channels)", samples),
                     kSplitColours);
  }
  if (Tag<uint32_t>(handle, TIFFTAG_IMAGEDEPTH, 1) > 1) {
    return PageError(file, page, "holds a 3-D image inside one page", "Save the stack as one page per plane.");
  }
  return absl::OkStatus();
}

absl::StatusOr<v1::VoxelType> TypeOf(const TiffFile& file, int64_t page) {
  const auto bits = Tag<uint16_t>(file.handle(), TIFFTAG_BITSPERSAMPLE, 1);
  const auto format = Tag<uint16_t>(file.handle(), TIFFTAG_SAMPLEFORMAT, SAMPLEFORMAT_UINT);
  const bool whole = format == SAMPLEFORMAT_UINT || format == SAMPLEFORMAT_VOID;
  if (whole && bits == 8) return v1::U8;
  if (whole && bits == 16) return v1::U16;
  if (format == SAMPLEFORMAT_IEEEFP && bits == 32) return v1::F32;
  std::string_view kind = "unsigned integer";
  if (format == SAMPLEFORMAT_INT) kind = "signed integer";
  if (format == SAMPLEFORMAT_IEEEFP) kind = "floating-point";
  if (format == SAMPLEFORMAT_COMPLEXINT || format == SAMPLEFORMAT_COMPLEXIEEEFP) kind = "complex";
  return PageError(
      file, page,
      fmt::format("has {}-bit {} pixels; 8- and 16-bit unsigned integers and 32-bit float are read", bits, kind),
      bits == 64 && format == SAMPLEFORMAT_IEEEFP ? "Convert it to 32-bit float; in Fiji: Image > Type > 32-bit."
                                                  : kToGrey);
}

absl::StatusOr<bool> IsCompressed(const TiffFile& file, int64_t page) {
  const auto compression = Tag<uint16_t>(file.handle(), TIFFTAG_COMPRESSION, COMPRESSION_NONE);
  const auto codec =
      std::find_if(kCodecs.begin(), kCodecs.end(), [&](const Codec& known) { return known.code == compression; });
  const bool accepted = codec != kCodecs.end() && codec->accepted && TIFFIsCODECConfigured(compression) != 0;
  if (accepted) return compression != COMPRESSION_NONE;
  return PageError(file, page,
                   fmt::format("has {} compression (code {}), which is not read",
                               codec != kCodecs.end() ? codec->name : "an unknown", compression),
                   "Save it again without compression, or with LZW, deflate or zstd.");
}

absl::Status CheckSize(const TiffFile& file, int64_t page, const PageInfo& info) {
  for (const int64_t extent : {info.width, info.height}) {
    if (extent < 1 || extent > limits::kAxisVoxels) {
      return PageError(file, page,
                       fmt::format("says it is {} x {} pixels; each side must be 1 to {}", info.width, info.height,
                                   limits::kAxisVoxels),
                       kCopyAgain);
    }
  }
  if (info.bytes() > kLargePlaneBytes && info.bytes() / kHighestRatio > file.size()) {
    return PageError(file, page,
                     fmt::format("says it is {} x {} pixels, which a file of {} bytes cannot hold", info.width,
                                 info.height, file.size()),
                     kCopyAgain);
  }
  return absl::OkStatus();
}

// Whether all strips or tiles lie inside the file, so that truncation is told before any work is done.
absl::Status CheckPieces(const TiffFile& file, int64_t page) {
  TIFF* handle = file.handle();
  const uint32_t pieces = TIFFIsTiled(handle) != 0 ? TIFFNumberOfTiles(handle) : TIFFNumberOfStrips(handle);
  const auto size = static_cast<uint64_t>(file.size());
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    const uint64_t offset = TIFFGetStrileOffset(handle, piece);
    const uint64_t bytes = TIFFGetStrileByteCount(handle, piece);
    if (offset <= size && bytes <= size - offset) continue;
    return FileError(file.path(),
                     fmt::format("is truncated: page {} has {} bytes at byte {}, but the file has {} bytes", page + 1,
                                 bytes, offset, size),
                     kCopyAgain);
  }
  return absl::OkStatus();
}

absl::Status Unreadable(TiffFile& file, int64_t page) {
  const std::string messages = file.TakeMessages();
  return PageError(file, page,
                   fmt::format("cannot be read, its data are damaged or cut off ({})",
                               messages.empty() ? "too few bytes" : messages),
                   kCopyAgain);
}

absl::Status ReadStrips(TiffFile& file, int64_t page, const PageInfo& info, std::span<std::byte> target) {
  const int64_t row_bytes = info.bytes() / info.height;
  const int64_t rows =
      std::clamp<int64_t>(Tag<uint32_t>(file.handle(), TIFFTAG_ROWSPERSTRIP, UINT32_MAX), 1, info.height);
  uint32_t strip = 0;
  for (int64_t row = 0; row < info.height; row += rows, ++strip) {
    const int64_t bytes = std::min(rows, info.height - row) * row_bytes;
    if (TIFFReadEncodedStrip(file.handle(), strip, target.data() + row * row_bytes, bytes) != bytes) {
      return Unreadable(file, page);
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTiles(TiffFile& file, int64_t page, const PageInfo& info, std::span<std::byte> target) {
  TIFF* handle = file.handle();
  const int64_t width = Tag<uint32_t>(handle, TIFFTAG_TILEWIDTH, 0),
                height = Tag<uint32_t>(handle, TIFFTAG_TILELENGTH, 0);
  const int64_t voxel_bytes = BytesPerVoxel(info.type), tile_bytes = TIFFTileSize(handle);
  const bool sound = width > 0 && height > 0 && tile_bytes == width * height * voxel_bytes && tile_bytes <= kTileBytes;
  if (!sound) return PageError(file, page, fmt::format("has tiles of {} x {} pixels", width, height), kCopyAgain);
  std::vector<std::byte> tile(static_cast<size_t>(tile_bytes));
  for (int64_t y = 0; y < info.height; y += height) {
    for (int64_t x = 0; x < info.width; x += width) {
      const uint32_t index = TIFFComputeTile(handle, static_cast<uint32_t>(x), static_cast<uint32_t>(y), 0, 0);
      if (TIFFReadEncodedTile(handle, index, tile.data(), tile_bytes) != tile_bytes) return Unreadable(file, page);
      CopyBox(tile.data(), {{0, y, x}, {1, height, width}}, target.data(), {{0, 0, 0}, {1, info.height, info.width}},
              voxel_bytes);
    }
  }
  return absl::OkStatus();
}

void ReadDescription(TIFF* handle, PageInfo& info) {
  const char* text = nullptr;
  if (TIFFGetField(handle, TIFFTAG_IMAGEDESCRIPTION, &text) == 1 && text != nullptr) info.description = text;
  info.x_resolution = Tag<float>(handle, TIFFTAG_XRESOLUTION, 0);
  info.y_resolution = Tag<float>(handle, TIFFTAG_YRESOLUTION, 0);
  info.resolution_unit = Tag<uint16_t>(handle, TIFFTAG_RESOLUTIONUNIT, RESUNIT_INCH);
}

bool HasPyramid(TIFF* handle) {
  uint16_t count = 0;
  const uint64_t* offsets = nullptr;
  return TIFFGetField(handle, TIFFTAG_SUBIFD, &count, &offsets) == 1 && count > 0;
}

}  // namespace

int64_t PageInfo::bytes() const {
  return width * height * BytesPerVoxel(type);
}

absl::Status PageError(const TiffFile& file, int64_t page, std::string_view reason, std::string_view remedy) {
  return FileError(file.path(), fmt::format("page {} {}", page + 1, reason), remedy);
}

absl::StatusOr<PageInfo> ReadPageInfo(TiffFile& file, int64_t page, uint64_t offset) {
  TIFF* handle = file.handle();
  file.TakeMessages();
  if (TIFFSetSubDirectory(handle, offset) == 0) return Unreadable(file, page);
  PageInfo info;
  info.reduced = (Tag<uint32_t>(handle, TIFFTAG_SUBFILETYPE, 0) & FILETYPE_REDUCEDIMAGE) != 0;
  if (info.reduced && page > 0) return info;
  RETURN_IF_ERROR(CheckGrey(file, page));
  ASSIGN_OR_RETURN(info.type, TypeOf(file, page));
  ASSIGN_OR_RETURN(info.compressed, IsCompressed(file, page));
  info.width = Tag<uint32_t>(handle, TIFFTAG_IMAGEWIDTH, 0);
  info.height = Tag<uint32_t>(handle, TIFFTAG_IMAGELENGTH, 0);
  RETURN_IF_ERROR(CheckSize(file, page, info));
  RETURN_IF_ERROR(CheckPieces(file, page));
  info.white_is_zero = Tag<uint16_t>(handle, TIFFTAG_PHOTOMETRIC, PHOTOMETRIC_MINISBLACK) == PHOTOMETRIC_MINISWHITE;
  info.turned = Tag<uint16_t>(handle, TIFFTAG_ORIENTATION, ORIENTATION_TOPLEFT) != ORIENTATION_TOPLEFT;
  info.has_pyramid = HasPyramid(handle);
  ReadDescription(handle, info);
  return info;
}

absl::Status ReadPagePixels(TiffFile& file, int64_t page, const PageInfo& info, std::span<std::byte> target) {
  file.TakeMessages();
  return TIFFIsTiled(file.handle()) != 0 ? ReadTiles(file, page, info, target) : ReadStrips(file, page, info, target);
}

}  // namespace deconvoy::imageio
