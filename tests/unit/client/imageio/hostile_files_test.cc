// Damaged files of every layout: an error or the right planes, never a crash, and no memory beyond reason.
#include <gtest/gtest.h>

#include <random>

#include "client/imageio/image_file.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

constexpr int kMutations = 2000;

struct Sound {
  std::string name;
  std::string bytes;
  std::vector<std::vector<std::byte>> planes;
};

std::vector<TestTiff> Layouts() {
  const std::string ome =
      R"(<OME><Image><Pixels DimensionOrder="XYCZT" Type="uint16" SizeX="7" SizeY="5" SizeZ="2" SizeC="2" SizeT="1" PhysicalSizeX="0.1">)"
      R"(<Channel Name="a"/><Channel Name="b"/><TiffData IFD="0" PlaneCount="4"/></Pixels></Image></OME>)";
  const std::string imagej = "ImageJ=1.53t\nimages=4\nchannels=2\nslices=2\nspacing=0.2\nunit=um\n";
  return {
      {.mode = "wl", .pages = 4, .description = imagej, .resolution = 10},
      {.mode = "wl",
       .pages = 4,
       .compression = COMPRESSION_ADOBE_DEFLATE,
       .predictor = PREDICTOR_HORIZONTAL,
       .description = imagej},
      {.mode = "wb", .width = 20, .height = 18, .compression = COMPRESSION_LZW, .tile = 16},
      {.mode = "wl8", .pages = 4, .compression = COMPRESSION_ZSTD, .description = ome},
      {.mode = "wb8",
       .bits = 32,
       .format = SAMPLEFORMAT_IEEEFP,
       .compression = COMPRESSION_ADOBE_DEFLATE,
       .predictor = PREDICTOR_FLOATINGPOINT},
  };
}

class HostileFilesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (const TestTiff& tiff : Layouts()) {
      WriteTiff(path_, tiff);
      Sound sound{tiff.mode, FileBytes(path_), {}};
      ASSERT_OK(ReadEverything(path_, &sound.planes));
      files_.push_back(std::move(sound));
    }
    // One directory for all planes.
    const TestTiff contiguous{.pages = 1, .rows_per_strip = 5, .description = "ImageJ=1.53t\nimages=3\nslices=3\n"};
    WriteContiguous(path_, contiguous, 3);
    files_.push_back({"contiguous", FileBytes(path_), {}});
    ASSERT_OK(ReadEverything(path_, &files_.back().planes));
    // An ImageJ file written here, with labels.
    v1::VolumeSpec spec;
    spec.set_type(v1::U8);
    spec.mutable_shape()->set_t(1);
    spec.mutable_shape()->set_c(2);
    spec.mutable_shape()->set_z(2);
    spec.mutable_shape()->set_y(5);
    spec.mutable_shape()->set_x(7);
    spec.add_channels()->set_name("first");
    spec.add_channels()->set_name("second");
    ASSERT_OK_AND_ASSIGN(const auto writer, CreateImage(path_, spec, {}));
    for (int i = 0; i < 4; ++i) ASSERT_OK(writer->WritePlane(std::vector<std::byte>(35, static_cast<std::byte>(i))));
    ASSERT_OK(writer->Finish());
    Sound sound{"labels", FileBytes(path_), {}};
    ASSERT_OK(ReadEverything(path_, &sound.planes));
    files_.push_back(std::move(sound));
  }

  const ::deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "hostile.tif";
  std::vector<Sound> files_;
};

// libtiff gives the sizes of labels out in the width that the file says, which need not be ImageJ's.
TEST_F(HostileFilesTest, SizesOfLabelsInAnotherWidthAreNotRead) {
  std::string bytes = files_.back().bytes;
  const std::string as_written{'\x96', '\xc6', TIFF_LONG, 0, 5, 0, 0, 0};  // tag 50838: a header and four labels
  const size_t entry = bytes.find(as_written);
  ASSERT_NE(entry, std::string::npos);
  const auto names = [&] {
    WriteBytes(path_, bytes);
    const auto image = OpenImage(path_);
    EXPECT_OK(image);
    return image.ok() ? (*image)->spec().channels_size() : -1;
  };
  EXPECT_EQ(names(), 2);
  bytes[entry + 2] = TIFF_SHORT;
  bytes[entry + 4] = 10;
  EXPECT_EQ(names(), 0);
}

TEST_F(HostileFilesTest, FilesCutAtEveryByte) {
  for (const Sound& sound : files_) {
    WriteBytes(path_, sound.bytes);
    for (size_t bytes = sound.bytes.size(); bytes-- > 0;) {
      std::filesystem::resize_file(path_, bytes);
      std::vector<std::vector<std::byte>> planes;
      const absl::Status status = ReadEverything(path_, &planes);
      if (status.ok()) {
        // With less than two planes left there is no telling that there ever were more.
        const bool first_alone = sound.name == "contiguous" && planes.size() == 1 && planes[0] == sound.planes[0];
        EXPECT_TRUE(first_alone || planes == sound.planes) << sound.name << " cut at " << bytes;
      } else {
        EXPECT_NE(std::string(status.message()).find("hostile.tif"), std::string::npos) << status.ToString();
      }
    }
  }
}

TEST_F(HostileFilesTest, RandomDamage) {
  std::mt19937_64 random(::deconvoy::testing::Seed());
  int refused = 0;
  for (int i = 0; i < kMutations; ++i) {
    std::string bytes = files_[static_cast<size_t>(i) % files_.size()].bytes;
    const int changes = 1 + static_cast<int>(random() % 4);
    for (int change = 0; change < changes; ++change) {
      const size_t at = random() % bytes.size();
      const bool whole_byte = random() % 2 == 0;
      bytes[at] =
          static_cast<char>(whole_byte ? random() : static_cast<unsigned char>(bytes[at]) ^ (1U << random() % 8));
    }
    WriteBytes(path_, bytes);
    refused += ReadEverything(path_).ok() ? 0 : 1;
  }
  // Most of a small file is structure.
  EXPECT_GT(refused, kMutations / 10);
  EXPECT_LT(refused, kMutations);
}

TEST_F(HostileFilesTest, PiecesOfDifferentFilesJoined) {
  std::mt19937_64 random(::deconvoy::testing::Seed() + 1);
  for (int i = 0; i < 300; ++i) {
    const std::string& first = files_[random() % files_.size()].bytes;
    const std::string& second = files_[random() % files_.size()].bytes;
    WriteBytes(path_, first.substr(0, random() % first.size()) + second.substr(random() % second.size()));
    (void)ReadEverything(path_);
  }
}

}  // namespace
}  // namespace deconvoy::imageio::testing
