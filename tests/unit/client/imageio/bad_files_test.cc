// Files that people really give: what they are told.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "client/imageio/image_file.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

using ::deconvoy::testing::TemporaryFolder;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class BadFilesTest : public ::testing::Test {
 protected:
  // The error names the file, says `words`, and tells what to do.
  void ExpectRefused(const std::string& words, absl::StatusCode code = absl::StatusCode::kInvalidArgument) {
    const absl::Status status = OpenImage(path_).status();
    EXPECT_EQ(status.code(), code) << status.ToString();
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(path_.filename().string()), HasSubstr(words)));
    EXPECT_THAT(InfoOf(status).remedy(), Not(::testing::IsEmpty()));
  }
  void ExpectRefused(const TestTiff& tiff, const std::string& words) {
    WriteTiff(path_, tiff);
    ExpectRefused(words);
  }
  void ExpectBytesRefused(const std::string& bytes, const std::string& words) {
    WriteBytes(path_, bytes);
    ExpectRefused(words);
  }

  const TemporaryFolder folder_;
  std::filesystem::path path_ = folder_.path() / "bad.tif";
};

TEST_F(BadFilesTest, Missing) {
  ExpectRefused("No such file", absl::StatusCode::kNotFound);
}

TEST_F(BadFilesTest, Folder) {
  path_ = folder_.path();
  ExpectRefused("is a folder");
}

TEST_F(BadFilesTest, Pipe) {
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  ExpectRefused("not a regular file");
}

TEST_F(BadFilesTest, OtherFormats) {
  ExpectBytesRefused("", "is empty");
  ExpectBytesRefused("these are words\n", "not a TIFF file but text");
  ExpectBytesRefused("\x89PNG\r\n\x1a\n0000000000000000", "not a TIFF file but a PNG");
  ExpectBytesRefused(std::string("\xff\xd8\xff\xe0\0\0\0\0", 8), "JPEG");
  ExpectBytesRefused("\x89HDF\r\n\x1a\n00000000", "HDF5");
  ExpectBytesRefused("ZISRAWFILE\1\2\3\4\5\6", "CZI");
  ExpectBytesRefused(std::string("\1\2\3\0\0\0\0\0\0\0", 10), "does not begin with a TIFF header");
}

TEST_F(BadFilesTest, CutHeadersAndNoPages) {
  ExpectBytesRefused(std::string("II*\0\x08\0", 6), "header is cut off");
  ExpectBytesRefused(std::string("II+\0\x08\0\0\0\x10\0\0\0", 12), "header is cut off");
  ExpectBytesRefused(std::string("II*\0\0\0\0\0", 8), "no pages");
  ExpectBytesRefused(std::string("II+\0\x08\0\0\0\0\0\0\0\0\0\0\0", 16), "no pages");
  ExpectBytesRefused(std::string("II*\0\xff\xff\0\0", 8), "truncated: the directory of page 1 should be at byte 65535");
  ExpectBytesRefused(std::string("II*\0\x08\0\0\0\0\0\0\0\0\0", 14), "no entries");
}

TEST_F(BadFilesTest, Colours) {
  ExpectRefused({.bits = 8, .photometric = PHOTOMETRIC_PALETTE}, "palette");
  EXPECT_THAT(InfoOf(OpenImage(path_).status()).remedy(), HasSubstr("Lookup Tables > Grays"));
  ExpectRefused({.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB}, "RGB image (3 samples");
  EXPECT_THAT(InfoOf(OpenImage(path_).status()).remedy(), HasSubstr("Split Channels"));
  ExpectRefused({.bits = 8, .samples = 4, .photometric = PHOTOMETRIC_RGB}, "RGB image (4 samples");
  ExpectRefused({.bits = 8, .samples = 3, .photometric = PHOTOMETRIC_RGB, .planar = PLANARCONFIG_SEPARATE},
                "RGB image");
  ExpectRefused({.bits = 8, .samples = 4, .photometric = PHOTOMETRIC_SEPARATED}, "CMYK");
  ExpectRefused({.bits = 16, .samples = 2}, "2 samples per pixel");
}

TEST_F(BadFilesTest, OtherNumbers) {
  ExpectRefused({.bits = 64, .format = SAMPLEFORMAT_IEEEFP}, "64-bit floating-point");
  EXPECT_THAT(InfoOf(OpenImage(path_).status()).remedy(), HasSubstr("Image > Type > 32-bit"));
  ExpectRefused({.bits = 1}, "1-bit unsigned");
  ExpectRefused({.bits = 4}, "4-bit unsigned");
  ExpectRefused({.bits = 12}, "12-bit unsigned");
  ExpectRefused({.bits = 32}, "32-bit unsigned");
  ExpectRefused({.bits = 16, .format = SAMPLEFORMAT_IEEEFP}, "16-bit floating-point");
  ExpectRefused({.bits = 8, .format = SAMPLEFORMAT_INT}, "8-bit signed");
  ExpectRefused({.bits = 16, .format = SAMPLEFORMAT_INT}, "16-bit signed");
  EXPECT_THAT(InfoOf(OpenImage(path_).status()).remedy(), HasSubstr("Image > Type > 16-bit"));
  ExpectRefused({.bits = 64, .format = SAMPLEFORMAT_COMPLEXIEEEFP}, "64-bit complex");
}

TEST_F(BadFilesTest, LossyCompression) {
  // Many builds of libtiff can write JPEG; a patched code stands for one, whatever this build can do.
  WriteTiff(path_, {.bits = 8, .compression = COMPRESSION_LZW});
  std::string bytes = FileBytes(path_);
  const std::string entry("\x03\x01\x03\0\x01\0\0\0\x05\0", 10);
  const size_t at = bytes.find(entry);
  ASSERT_NE(at, std::string::npos);
  bytes[at + 8] = COMPRESSION_JPEG;
  ExpectBytesRefused(bytes, "JPEG compression");
}

TEST_F(BadFilesTest, PagesThatDiffer) {
  ExpectRefused({.pages = 4, .larger_from_page = 2}, "page 3 is 8 x 5 U16, but page 1 is 7 x 5 U16");
}

TEST_F(BadFilesTest, LoopsOfDirectories) {
  WriteTiff(path_, {.mode = "wl", .pages = 3});
  const std::string good = FileBytes(path_);
  const auto number = [&](size_t at, size_t width) {
    uint32_t value = 0;
    for (size_t i = 0; i < width; ++i)
      value |= static_cast<uint32_t>(static_cast<unsigned char>(good[at + i])) << (8 * i);
    return value;
  };
  std::vector<size_t> directories{number(4, 4)}, links;
  for (int page = 0; page < 3; ++page) {
    links.push_back(directories.back() + 2 + 12 * number(directories.back(), 2));
    directories.push_back(number(links.back(), 4));
  }
  ASSERT_EQ(directories.back(), 0U);
  for (size_t target = 0; target < 3; ++target) {
    std::string bytes = good;
    for (size_t i = 0; i < 4; ++i) bytes[links[2] + i] = static_cast<char>(directories[target] >> (8 * i) & 0xffU);
    ExpectBytesRefused(bytes, "directories loop, page 3 leads back to page " + std::to_string(target + 1));
  }
}

TEST_F(BadFilesTest, TruncationIsToldBeforeAnyPlaneIsRead) {
  WriteTiff(path_, {.width = 200, .height = 100, .pages = 2});
  const std::string good = FileBytes(path_);
  ExpectBytesRefused(good.substr(0, good.size() / 2), "truncated");
}

TEST_F(BadFilesTest, AbsurdSizes) {
  WriteTiff(path_, {.mode = "wl", .pages = 1, .compression = COMPRESSION_ZSTD, .rows_per_strip = 5});
  std::string bytes = FileBytes(path_);
  for (const char tag : {'\0', '\1'}) {  // ImageWidth and ImageLength, as SHORT
    const size_t at = bytes.find(std::string{tag, '\1', '\3', '\0', '\1', '\0', '\0', '\0'});
    ASSERT_NE(at, std::string::npos);
    bytes[at + 2] = 4;  // LONG
    bytes.replace(at + 8, 4, std::string("\0\0\x0f\0", 4));
  }
  ExpectBytesRefused(bytes, "983040 x 983040 pixels, which a file of");
  const size_t at = bytes.find(std::string("\0\0\x0f\0", 4));
  bytes.replace(at, 4, std::string("\0\0\xff\0", 4));
  ExpectBytesRefused(bytes, "each side must be 1 to 1048576");
}

}  // namespace
}  // namespace deconvoy::imageio::testing
