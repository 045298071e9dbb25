#include "tests/unit/client/imageio/tiff_builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <sstream>

#include "proto/contract/status_macros.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"

namespace deconvoy::imageio::testing {
namespace {

// A damaged file may claim any size up to the limits; planes above this are not read in tests.
constexpr int64_t kLargestPlaneBytes = int64_t{64} << 20;

void Require(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "tiff_builder: %s failed\n", what);
  std::abort();
}

template <typename T>
void Put(std::vector<std::byte>& bytes, size_t index, T value) {
  std::memcpy(bytes.data() + index * sizeof(T), &value, sizeof(T));
}

void PutPixel(std::vector<std::byte>& bytes, size_t index, double value, uint16_t bits) {
  if (bits == 8) Put(bytes, index, static_cast<uint8_t>(value));
  if (bits == 16) Put(bytes, index, static_cast<uint16_t>(value));
  if (bits == 32) Put(bytes, index, static_cast<float>(value));
}

// `rows` rows of `columns` pixels from `y`, `x` on.
std::vector<std::byte> Block(const TestTiff& tiff, uint32_t page, uint32_t y, uint32_t x, uint32_t rows,
                             uint32_t columns) {
  std::vector<std::byte> block(static_cast<size_t>(rows) * columns * tiff.bits / 8);
  for (uint32_t row = 0; row < rows; ++row) {
    for (uint32_t column = 0; column < columns; ++column) {
      PutPixel(block, size_t{row} * columns + column, ValueAt(page, y + row, x + column, tiff.bits), tiff.bits);
    }
  }
  return block;
}

// libtiff swaps bytes before its floating-point predictor, which wants them unswapped: done twice here, it is undone.
void UndoSwap(const TestTiff& tiff, std::vector<std::byte>& block) {
  if (tiff.predictor != PREDICTOR_FLOATINGPOINT || tiff.mode.find('b') == std::string::npos) return;
  for (auto pixel = block.begin(); pixel != block.end(); pixel += tiff.bits / 8)
    std::reverse(pixel, pixel + tiff.bits / 8);
}

void SetTags(TIFF* handle, const TestTiff& tiff, uint32_t width) {
  TIFFSetField(handle, TIFFTAG_IMAGEWIDTH, width);
  TIFFSetField(handle, TIFFTAG_IMAGELENGTH, tiff.height);
  TIFFSetField(handle, TIFFTAG_BITSPERSAMPLE, tiff.bits);
  TIFFSetField(handle, TIFFTAG_SAMPLESPERPIXEL, tiff.samples);
  TIFFSetField(handle, TIFFTAG_SAMPLEFORMAT, tiff.format);
  TIFFSetField(handle, TIFFTAG_PHOTOMETRIC, tiff.photometric);
  TIFFSetField(handle, TIFFTAG_PLANARCONFIG, tiff.planar);
  TIFFSetField(handle, TIFFTAG_COMPRESSION, tiff.compression);
  TIFFSetField(handle, TIFFTAG_ORIENTATION, tiff.orientation);
  if (tiff.predictor != PREDICTOR_NONE) TIFFSetField(handle, TIFFTAG_PREDICTOR, tiff.predictor);
  if (tiff.tile > 0) {
    TIFFSetField(handle, TIFFTAG_TILEWIDTH, tiff.tile);
    TIFFSetField(handle, TIFFTAG_TILELENGTH, tiff.tile);
  } else {
    TIFFSetField(handle, TIFFTAG_ROWSPERSTRIP, tiff.rows_per_strip);
  }
  if (tiff.resolution > 0) {
    TIFFSetField(handle, TIFFTAG_RESOLUTIONUNIT, tiff.resolution_unit);
    TIFFSetField(handle, TIFFTAG_XRESOLUTION, tiff.resolution);
    TIFFSetField(handle, TIFFTAG_YRESOLUTION, tiff.resolution);
  }
  if (tiff.photometric == PHOTOMETRIC_PALETTE) {
    std::vector<uint16_t> map(size_t{1} << tiff.bits);
    TIFFSetField(handle, TIFFTAG_COLORMAP, map.data(), map.data(), map.data());
  }
}

void WriteTiles(TIFF* handle, const TestTiff& tiff, uint32_t page, uint32_t width) {
  for (uint32_t y = 0; y < tiff.height; y += tiff.tile) {
    for (uint32_t x = 0; x < width; x += tiff.tile) {
      std::vector<std::byte> block = Block(tiff, page, y, x, tiff.tile, tiff.tile);
      UndoSwap(tiff, block);
      Require(TIFFWriteTile(handle, block.data(), x, y, 0, 0) > 0, "TIFFWriteTile");
    }
  }
}

void WriteStrips(TIFF* handle, const TestTiff& tiff, uint32_t page, uint32_t width) {
  uint32_t strip = 0;
  for (uint32_t y = 0; y < tiff.height; y += tiff.rows_per_strip, ++strip) {
    const uint32_t rows = std::min(tiff.rows_per_strip, tiff.height - y);
    std::vector<std::byte> block = Block(tiff, page, y, 0, rows, width);
    UndoSwap(tiff, block);
    Require(TIFFWriteEncodedStrip(handle, strip, block.data(), static_cast<tmsize_t>(block.size())) > 0,
            "TIFFWriteEncodedStrip");
  }
}

// Pixels of kinds that are never read: only their number matters.
void WriteZeros(TIFF* handle, const TestTiff& tiff) {
  std::vector<std::byte> row(static_cast<size_t>(TIFFScanlineSize(handle)));
  for (uint16_t sample = 0; sample < (tiff.planar == PLANARCONFIG_SEPARATE ? tiff.samples : 1); ++sample) {
    for (uint32_t y = 0; y < tiff.height; ++y)
      Require(TIFFWriteScanline(handle, row.data(), y, sample) == 1, "TIFFWriteScanline");
  }
}

void WritePixels(TIFF* handle, const TestTiff& tiff, uint32_t page, uint32_t width) {
  const bool plain =
      tiff.samples == 1 && (tiff.format == SAMPLEFORMAT_IEEEFP ? tiff.bits == 32 : tiff.bits == 8 || tiff.bits == 16);
  if (!plain) return WriteZeros(handle, tiff);
  tiff.tile > 0 ? WriteTiles(handle, tiff, page, width) : WriteStrips(handle, tiff, page, width);
}

}  // namespace

double ValueAt(int64_t page, int64_t y, int64_t x, uint16_t bits) {
  const auto small = static_cast<double>((page * 37 + y * 11 + x * 3) % 251);
  if (bits == 16) return small + static_cast<double>(256 * (page % 200));
  return bits == 32 ? small - 100.25 : small;
}

void WriteTiff(const std::filesystem::path& path, const TestTiff& tiff) {
  TIFF* handle = TIFFOpen(path.c_str(), tiff.mode.c_str());
  Require(handle != nullptr, "TIFFOpen");
  for (uint32_t page = 0; page < tiff.pages; ++page) {
    const uint32_t width = tiff.larger_from_page > 0 && page >= tiff.larger_from_page ? tiff.width + 1 : tiff.width;
    SetTags(handle, tiff, width);
    if (tiff.reduced_from_page > 0 && page >= tiff.reduced_from_page)
      TIFFSetField(handle, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
    if (page == 0 && !tiff.description.empty())
      TIFFSetField(handle, TIFFTAG_IMAGEDESCRIPTION, tiff.description.c_str());
    const std::vector<uint64_t> none(tiff.pyramid_levels);
    if (tiff.pyramid_levels > 0) TIFFSetField(handle, TIFFTAG_SUBIFD, tiff.pyramid_levels, none.data());
    WritePixels(handle, tiff, page, width);
    Require(TIFFWriteDirectory(handle) == 1, "TIFFWriteDirectory");
    for (uint16_t level = 0; level < tiff.pyramid_levels; ++level) {
      SetTags(handle, tiff, width);
      TIFFSetField(handle, TIFFTAG_SUBFILETYPE, FILETYPE_REDUCEDIMAGE);
      WritePixels(handle, tiff, page, width);
      Require(TIFFWriteDirectory(handle) == 1, "TIFFWriteDirectory");
    }
  }
  TIFFClose(handle);
}

std::vector<std::byte> ExpectedPage(const TestTiff& tiff, int64_t page) {
  return Block(tiff, static_cast<uint32_t>(page), 0, 0, tiff.height, tiff.width);
}

void WriteContiguous(const std::filesystem::path& path, const TestTiff& tiff, int64_t planes) {
  WriteTiff(path, tiff);
  std::string bytes = FileBytes(path);
  const bool swapped = tiff.mode.find('b') != std::string::npos;
  const auto number = [&](uint32_t value, size_t width) {
    std::string text;
    for (size_t i = 0; i < width; ++i) text += static_cast<char>(value >> 8 * (swapped ? width - 1 - i : i) & 0xffU);
    return text;
  };
  const size_t entry = bytes.find(number(TIFFTAG_STRIPOFFSETS, 2) + number(TIFF_LONG, 2) + number(1, 4));
  Require(entry != std::string::npos, "finding StripOffsets");
  bytes.replace(entry + 8, 4, number(static_cast<uint32_t>(bytes.size()), 4));
  for (int64_t page = 0; page < planes; ++page) {
    std::vector<std::byte> plane = ExpectedPage(tiff, page);
    if (swapped)
      for (auto pixel = plane.begin(); pixel != plane.end(); pixel += tiff.bits / 8)
        std::reverse(pixel, pixel + tiff.bits / 8);
    bytes.append(reinterpret_cast<const char*>(plane.data()), plane.size());
  }
  WriteBytes(path, bytes);
}

std::string FileBytes(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  std::ostringstream bytes;
  bytes << stream.rdbuf();
  return bytes.str();
}

void WriteBytes(const std::filesystem::path& path, const std::string& bytes) {
  // A new file: to overwrite one, some file systems wait for the disk.
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << bytes;
}

absl::Status ReadEverything(const std::filesystem::path& path, std::vector<std::vector<std::byte>>* planes) {
  ASSIGN_OR_RETURN(const std::unique_ptr<ImageReader> image, OpenImage(path));
  RETURN_IF_ERROR(ValidateVolumeSpec(image->spec()));
  const v1::Shape5& shape = image->spec().shape();
  const int64_t bytes = int64_t{shape.y()} * shape.x() * BytesPerVoxel(image->spec().type());
  if (bytes > kLargestPlaneBytes) return absl::ResourceExhaustedError("too large for a test");
  std::vector<std::byte> plane(static_cast<size_t>(bytes));
  for (uint32_t t = 0; t < shape.t(); ++t) {
    for (uint32_t c = 0; c < shape.c(); ++c) {
      for (uint32_t z = 0; z < shape.z(); ++z) {
        RETURN_IF_ERROR(image->ReadPlane(t, c, z, plane));
        if (planes != nullptr) planes->push_back(plane);
      }
    }
  }
  return absl::OkStatus();
}

std::vector<std::vector<std::byte>> ReadAllPlanes(ImageReader& image) {
  const v1::Shape5& shape = image.spec().shape();
  std::vector<std::vector<std::byte>> planes;
  std::vector<std::byte> plane(size_t{shape.y()} * shape.x() * static_cast<size_t>(BytesPerVoxel(image.spec().type())));
  for (uint32_t t = 0; t < shape.t(); ++t) {
    for (uint32_t c = 0; c < shape.c(); ++c) {
      for (uint32_t z = 0; z < shape.z(); ++z) {
        const absl::Status status = image.ReadPlane(t, c, z, plane);
        EXPECT_TRUE(status.ok()) << status.ToString();
        if (!status.ok()) return {};
        planes.push_back(plane);
      }
    }
  }
  return planes;
}

}  // namespace deconvoy::imageio::testing
