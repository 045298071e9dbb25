#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

using ::deconvoy::testing::TemporaryFolder;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Layout {
  std::string name;
  TestTiff tiff;
};

std::vector<Layout> AllLayouts() {
  std::vector<Layout> layouts;
  for (const std::string mode : {"wl", "wb", "wl8", "wb8"}) {
    for (const uint16_t bits : std::initializer_list<uint16_t>{8, 16, 32}) {
      for (const uint16_t compression :
           std::initializer_list<uint16_t>{COMPRESSION_NONE, COMPRESSION_LZW, COMPRESSION_DEFLATE,
                                           COMPRESSION_ADOBE_DEFLATE, COMPRESSION_ZSTD, COMPRESSION_PACKBITS}) {
        for (const uint32_t tile : {0, 16}) {
          TestTiff tiff{
              .mode = mode, .width = 37, .height = 21, .bits = bits, .compression = compression, .tile = tile};
          if (bits == 32) tiff.format = SAMPLEFORMAT_IEEEFP;
          const std::string name =
              mode + "_" + std::to_string(bits) + "_" + std::to_string(compression) + (tile ? "_tiles" : "_strips");
          layouts.push_back({name, tiff});
          if (compression == COMPRESSION_NONE || compression == COMPRESSION_PACKBITS) continue;
          tiff.predictor = bits == 32 ? PREDICTOR_FLOATINGPOINT : PREDICTOR_HORIZONTAL;
          layouts.push_back({name + "_predictor", tiff});
        }
      }
    }
  }
  return layouts;
}

class EveryLayout : public ::testing::TestWithParam<Layout> {};

TEST_P(EveryLayout, IsReadExactly) {
  const TestTiff& tiff = GetParam().tiff;
  ASSERT_TRUE(TIFFIsCODECConfigured(tiff.compression));
  const TemporaryFolder folder;
  WriteTiff(folder.path() / "a.tif", tiff);
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(folder.path() / "a.tif"));
  const v1::VolumeSpec& spec = image->spec();
  EXPECT_EQ(spec.type(), tiff.bits == 8 ? v1::U8 : tiff.bits == 16 ? v1::U16 : v1::F32);
  EXPECT_EQ(spec.shape().z(), 3U);
  EXPECT_EQ(spec.shape().y(), 21U);
  EXPECT_EQ(spec.shape().x(), 37U);
  const auto planes = ReadAllPlanes(*image);
  ASSERT_EQ(planes.size(), 3U);
  for (int64_t page = 0; page < 3; ++page)
    EXPECT_TRUE(planes[static_cast<size_t>(page)] == ExpectedPage(tiff, page)) << page;
}

INSTANTIATE_TEST_SUITE_P(TiffReader, EveryLayout, ::testing::ValuesIn(AllLayouts()),
                         [](const auto& instance) { return instance.param.name; });

class TiffReaderTest : public ::testing::Test {
 protected:
  std::unique_ptr<ImageReader> Open(const TestTiff& tiff) {
    WriteTiff(path_, tiff);
    auto image = OpenImage(path_);
    EXPECT_TRUE(image.ok()) << image.status().ToString();
    return image.ok() ? *std::move(image) : nullptr;
  }

  // First bytes of all planes in t,c,z order tell which page each came from.
  void ExpectPages(ImageReader& image, const TestTiff& tiff, const std::vector<int64_t>& pages) {
    const auto planes = ReadAllPlanes(image);
    ASSERT_EQ(planes.size(), pages.size());
    for (size_t i = 0; i < pages.size(); ++i) EXPECT_TRUE(planes[i] == ExpectedPage(tiff, pages[i])) << "plane " << i;
  }

  const TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "stack.tif";
};

TEST_F(TiffReaderTest, PlainPagesAreZAndItIsSaid) {
  const auto image = Open({.pages = 4});
  EXPECT_EQ(image->format(), "TIFF");
  EXPECT_EQ(image->spec().shape().z(), 4U);
  EXPECT_EQ(image->spec().display_name(), "stack.tif");
  EXPECT_EQ(image->spec().voxel_size().x_um(), 0);
  EXPECT_THAT(image->notes(), Contains(HasSubstr("read as planes along z")));
}

TEST_F(TiffReaderTest, OnePageIsOnePlaneWithoutNotes) {
  const auto image = Open({.pages = 1});
  EXPECT_EQ(image->spec().shape().z(), 1U);
  EXPECT_THAT(image->notes(), IsEmpty());
}

TEST_F(TiffReaderTest, ResolutionInCentimetresIsAPixelSizeIfItIsThatOfAMicroscope) {
  const auto fine = Open({.resolution = 100'000, .resolution_unit = RESUNIT_CENTIMETER});
  EXPECT_DOUBLE_EQ(fine->spec().voxel_size().x_um(), 0.1);
  EXPECT_EQ(fine->spec().voxel_size().z_um(), 0);
  EXPECT_THAT(fine->notes(), Contains(HasSubstr("resolution")));
  const auto scanner = Open({.resolution = 300, .resolution_unit = RESUNIT_INCH});
  EXPECT_EQ(scanner->spec().voxel_size().x_um(), 0);
}

TEST_F(TiffReaderTest, ImageJHyperstackHasChannelsFastestThenPlanesThenTime) {
  const TestTiff tiff{.pages = 12,
                      .description =
                          "ImageJ=1.53t\nimages=12\nchannels=2\nslices=3\nframes=2\nhyperstack=true\n"
                          "spacing=-0.3\nunit=micron\n",
                      .resolution = 8,
                      .resolution_unit = RESUNIT_NONE};
  const auto image = Open(tiff);
  EXPECT_EQ(image->format(), "ImageJ TIFF");
  EXPECT_EQ(image->spec().shape().t(), 2U);
  EXPECT_EQ(image->spec().shape().c(), 2U);
  EXPECT_EQ(image->spec().shape().z(), 3U);
  EXPECT_DOUBLE_EQ(image->spec().voxel_size().z_um(), 0.3);
  EXPECT_DOUBLE_EQ(image->spec().voxel_size().y_um(), 0.125);
  EXPECT_THAT(image->notes(), IsEmpty());
  ExpectPages(*image, tiff, {0, 2, 4, 1, 3, 5, 6, 8, 10, 7, 9, 11});
}

TEST_F(TiffReaderTest, ImageJUnits) {
  const std::vector<std::pair<std::string, double>> units{{"micron", 1},   {"um", 1},    {"\xc2\xb5m", 1},
                                                          {"\\u00B5m", 1}, {"nm", 1e-3}, {"mm", 1e3},
                                                          {"inch", 25400}, {"pixel", 0}, {"furlong", 0}};
  for (const auto& [unit, um] : units) {
    const auto image = Open({.pages = 2,
                             .description = "ImageJ=1.53t\nimages=2\nslices=2\nspacing=2\nunit=" + unit + "\n",
                             .resolution = 4});
    EXPECT_DOUBLE_EQ(image->spec().voxel_size().z_um(), 2 * um) << unit;
    EXPECT_DOUBLE_EQ(image->spec().voxel_size().x_um(), 0.25 * um) << unit;
  }
}

TEST_F(TiffReaderTest, ImageJWithoutUnitHasUnknownVoxels) {
  const auto image = Open({.pages = 2, .description = "ImageJ=1.11a\nimages=2\nslices=2\n", .resolution = 1});
  EXPECT_EQ(image->spec().voxel_size().x_um(), 0);
  EXPECT_EQ(image->spec().voxel_size().z_um(), 0);
}

TEST_F(TiffReaderTest, ImageJNumbersThatDoNotMultiplyOutAreIgnoredAndItIsSaid) {
  const TestTiff tiff{.pages = 5, .description = "ImageJ=1.53t\nimages=6\nchannels=2\nslices=3\nunit=um\n"};
  const auto image = Open(tiff);
  EXPECT_EQ(image->spec().shape().c(), 1U);
  EXPECT_EQ(image->spec().shape().z(), 5U);
  EXPECT_THAT(image->notes(), Contains(HasSubstr("2 channels x 3 slices x 1 frames, but there are 5 pages")));
  ExpectPages(*image, tiff, {0, 1, 2, 3, 4});
}

TEST_F(TiffReaderTest, AbsurdImageJNumbersDoNotOverflow) {
  const auto image = Open({.description = "ImageJ=1\nimages=3\nchannels=4611686018427387904\nslices="
                                          "4611686018427387904\nframes=9223372036854775807\n"});
  EXPECT_EQ(image->spec().shape().z(), 3U);
}

TEST_F(TiffReaderTest, ManyChannelsOfOnePlaneAreAStackWhoseAxisWasNotGiven) {
  const auto many = Open({.pages = 9, .description = "ImageJ=1.11a\nimages=9\nchannels=9\nhyperstack=true\n"});
  EXPECT_EQ(many->spec().shape().z(), 9U);
  EXPECT_THAT(many->notes(), Contains(HasSubstr("9 channels")));
  const auto few = Open({.pages = 3, .description = "ImageJ=1.11a\nimages=3\nchannels=3\nhyperstack=true\n"});
  EXPECT_EQ(few->spec().shape().c(), 3U);
}

TEST_F(TiffReaderTest, ATimeSeriesOfSinglePlanesStaysOneAndItIsSaid) {
  const auto image = Open({.pages = 3, .description = "ImageJ=1.11a\nimages=3\nframes=3\n"});
  EXPECT_EQ(image->spec().shape().t(), 3U);
  EXPECT_THAT(image->notes(), Contains(HasSubstr("3 time points")));
}

// ImageJ's files beyond 4 GiB have one directory, and planes follow its only strip.
class ContiguousImageJ : public TiffReaderTest, public ::testing::WithParamInterface<bool> {};

TEST_P(ContiguousImageJ, IsReadFromOneDirectory) {
  const TestTiff tiff{.mode = GetParam() ? "wb" : "wl",
                      .pages = 1,
                      .rows_per_strip = 5,
                      .description = "ImageJ=1.53t\nimages=4\nchannels=2\nslices=2\nhyperstack=true\n"};
  WriteContiguous(path_, tiff, 4);
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path_));
  EXPECT_EQ(image->spec().shape().c(), 2U);
  EXPECT_EQ(image->spec().shape().z(), 2U);
  ExpectPages(*image, tiff, {0, 2, 1, 3});

  WriteContiguous(path_, tiff, 3);
  const absl::Status cut = OpenImage(path_).status();
  EXPECT_THAT(std::string(cut.message()), HasSubstr("truncated"));
  EXPECT_THAT(std::string(cut.message()), HasSubstr("4 planes, but the bytes of only 3"));
}

TEST_P(ContiguousImageJ, ADescriptionOfAnotherFileDoesNotMakePlanesOfWhatFollows) {
  const TestTiff tiff{.mode = GetParam() ? "wb" : "wl",
                      .pages = 1,
                      .rows_per_strip = 5,
                      .description = "ImageJ=1.53t\nimages=4\nchannels=2\nslices=2\n" + std::string(500, '\n')};
  const auto image = Open(tiff);
  EXPECT_THAT(image->notes(), Contains(HasSubstr("4 images, but there are 1 pages")));
  ExpectPages(*image, tiff, {0});
}

INSTANTIATE_TEST_SUITE_P(TiffReader, ContiguousImageJ, ::testing::Bool());

TEST_F(TiffReaderTest, PyramidsAndThumbnailsAreLeftOutAndItIsSaid) {
  const TestTiff pyramid{.pages = 3, .pyramid_levels = 2};
  const auto with_pyramid = Open(pyramid);
  EXPECT_THAT(with_pyramid->notes(), Contains(HasSubstr("pyramid")));
  ExpectPages(*with_pyramid, pyramid, {0, 1, 2});
  const TestTiff thumbnail{.pages = 3, .reduced_from_page = 2};
  const auto with_thumbnail = Open(thumbnail);
  EXPECT_THAT(with_thumbnail->notes(), Contains(HasSubstr("1 reduced copies")));
  ExpectPages(*with_thumbnail, thumbnail, {0, 1});
}

TEST_F(TiffReaderTest, InvertedAndTurnedFilesAreReadAsTheyStandAndItIsSaid) {
  const TestTiff tiff{.photometric = PHOTOMETRIC_MINISWHITE, .orientation = ORIENTATION_BOTRIGHT};
  const auto image = Open(tiff);
  EXPECT_THAT(image->notes(), Contains(HasSubstr("inverted")));
  EXPECT_THAT(image->notes(), Contains(HasSubstr("turned")));
  ExpectPages(*image, tiff, {0, 1, 2});
}

TEST_F(TiffReaderTest, PlanesCanBeReadInAnyOrderAndAgain) {
  const TestTiff tiff{.pages = 6, .compression = COMPRESSION_LZW};
  const auto image = Open(tiff);
  std::vector<std::byte> plane(7 * 5 * 2);
  for (const int64_t z : {5, 0, 3, 3, 1, 5}) {
    ASSERT_OK(image->ReadPlane(0, 0, z, plane));
    EXPECT_EQ(plane, ExpectedPage(tiff, z));
  }
}

TEST_F(TiffReaderTest, PlanesOutsideAndBuffersOfAnotherSizeAreRefused) {
  const auto image = Open({});
  std::vector<std::byte> plane(7 * 5 * 2);
  for (const int64_t z : {-1, 3})
    EXPECT_EQ(image->ReadPlane(0, 0, z, plane).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_FALSE(image->ReadPlane(1, 0, 0, plane).ok());
  EXPECT_FALSE(image->ReadPlane(0, 1, 0, plane).ok());
  plane.pop_back();
  EXPECT_FALSE(image->ReadPlane(0, 0, 0, plane).ok());
}

TEST_F(TiffReaderTest, NamesThatAreNotTextAreShownEscaped) {
  const std::filesystem::path path = folder_.path() / "bell\a\xff.tif";
  WriteTiff(path, {});
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path));
  EXPECT_EQ(image->spec().display_name(), "bell\\x07\\xFF.tif");
}

TEST_F(TiffReaderTest, ManyPagesTakeTimeInProportion) {
  WriteTiff(path_, {.width = 4, .height = 4, .pages = 30'000, .bits = 8, .rows_per_strip = 4});
  // A search through all directories for every page would run into the test's limit of time.
  ASSERT_OK(ReadEverything(path_));
}

}  // namespace
}  // namespace deconvoy::imageio::testing
