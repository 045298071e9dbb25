// TIFF files for tests, made with libtiff alone, in all the ways that files come.
#pragma once

#include <tiffio.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "client/imageio/image_file.h"

namespace deconvoy::imageio::testing {

struct TestTiff {
  std::string mode = "w";  // libtiff's: `w`, with `b` big endian, with `8` BigTIFF
  uint32_t width = 7, height = 5, pages = 3;
  uint16_t bits = 16, format = SAMPLEFORMAT_UINT, samples = 1;
  uint16_t photometric = PHOTOMETRIC_MINISBLACK, planar = PLANARCONFIG_CONTIG;
  uint16_t compression = COMPRESSION_NONE, predictor = PREDICTOR_NONE;
  uint32_t rows_per_strip = 2;
  uint32_t tile = 0;  // side of a tile; 0 for strips
  std::string description = {};
  float resolution = 0;  // pixels per unit; 0 for none
  uint16_t resolution_unit = RESUNIT_NONE;
  uint16_t orientation = ORIENTATION_TOPLEFT;
  uint16_t pyramid_levels = 0;     // sub-directories of every page
  uint32_t larger_from_page = 0;   // pages from this one on are one column wider; 0 for none
  uint32_t reduced_from_page = 0;  // pages from this one on are thumbnails; 0 for none
};

// The value of a pixel in all files made here.
double ValueAt(int64_t page, int64_t y, int64_t x, uint16_t bits);

// Writes the file; a failure of libtiff ends the test program.
void WriteTiff(const std::filesystem::path& path, const TestTiff& tiff);

// Writes an ImageJ file as those beyond 4 GiB are: one directory, and `planes` planes one after the other behind it.
void WriteContiguous(const std::filesystem::path& path, const TestTiff& tiff, int64_t planes);

// One page's pixels as they must be read, little endian.
std::vector<std::byte> ExpectedPage(const TestTiff& tiff, int64_t page);

// Planes of an image in t,c,z order; empty, and a failure of the test, where one cannot be read.
std::vector<std::vector<std::byte>> ReadAllPlanes(ImageReader& image);

// Whole files.
std::string FileBytes(const std::filesystem::path& path);
void WriteBytes(const std::filesystem::path& path, const std::string& bytes);

// Reads all of a file of unknown soundness. The first error, or OK.
absl::Status ReadEverything(const std::filesystem::path& path, std::vector<std::vector<std::byte>>* planes = nullptr);

}  // namespace deconvoy::imageio::testing
