// What a stack says of itself reaches the result: channel names, wavelengths, voxel sizes that differ along every axis.
#include <gtest/gtest.h>
#include <tiffio.h>

#include <algorithm>

#include "tests/integration/support/image.h"
#include "tests/integration/support/process.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

namespace fs = std::filesystem;

constexpr double kZ = 0.3012, kY = 0.1034, kX = 0.0967;

class MetadataTest : public ::testing::Test {
 protected:
  void SetUp() override {
    v1::VolumeSpec raw = Sized({1, 2, 6, 20, 24}, v1::U16);
    raw.add_channels()->set_name("DAPI");
    raw.mutable_channels(0)->set_emission_wavelength_um(0.461);
    raw.add_channels()->set_name("\xce\xb1-tubulin <Cy5> & more");
    raw.mutable_channels(1)->set_excitation_wavelength_um(0.647);
    std::vector<double> voxels(2 * 6 * 20 * 24, 20);
    std::fill(voxels.begin() + 6 * 20 * 24, voxels.end(), 700);
    for (size_t i = 0; i < voxels.size(); i += 89) voxels[i] += 300;
    ASSERT_OK(SaveImage(File("raw.ome.tif"), raw, voxels));
    ASSERT_OK(SaveImage(File("psf.ome.tif"), Sized({1, 1, 3, 5, 5}, v1::F32), GaussianPsf({3, 5, 5}, 0.8, 1, 1)));
  }

  static v1::VolumeSpec Sized(const Shape5& shape, v1::VoxelType type) {
    v1::VolumeSpec spec = MakeSpec(shape, type);
    spec.mutable_voxel_size()->set_z_um(kZ);
    spec.mutable_voxel_size()->set_y_um(kY);
    spec.mutable_voxel_size()->set_x_um(kX);
    return spec;
  }

  fs::path File(const std::string& name) const { return folder_.path() / name; }

  Image Deconvolved(const std::string& output) {
    const CliResult run = RunCli({"run", File("raw.ome.tif").string(), "--psf", File("psf.ome.tif").string(),
                                  "--iterations", "2", "--background", "0", "--local", "-o", File(output).string()},
                                 folder_.path());
    EXPECT_EQ(run.exit.code, 0) << run.err;
    const auto image = LoadImage(File(output));
    EXPECT_TRUE(image.ok()) << image.status();
    return image.ok() ? *image : Image();
  }

  void ExpectNamesAndSizes(const v1::VolumeSpec& spec) {
    EXPECT_NEAR(spec.voxel_size().z_um(), kZ, 1e-7);
    EXPECT_NEAR(spec.voxel_size().y_um(), kY, 1e-7);
    EXPECT_NEAR(spec.voxel_size().x_um(), kX, 1e-7);
    ASSERT_EQ(spec.channels_size(), 2);
    EXPECT_EQ(spec.channels(0).name(), "DAPI");
    EXPECT_EQ(spec.channels(1).name(), "\xce\xb1-tubulin <Cy5> & more");
  }

  // Each channel still holds its own light: names on the wrong channels would be worse than none.
  static void ExpectChannelsInOrder(const Image& image) {
    ASSERT_EQ(image.voxels.size(), size_t{2 * 6 * 20 * 24});
    const auto half = image.voxels.begin() + 6 * 20 * 24;
    EXPECT_LT(Sum({image.voxels.begin(), half}), Sum({half, image.voxels.end()}) / 10);
  }

  TemporaryFolder folder_;
};

TEST_F(MetadataTest, AnOmeResultCarriesAllOfIt) {
  const Image result = Deconvolved("result.ome.tif");
  ExpectNamesAndSizes(result.spec);
  ExpectChannelsInOrder(result);
  ASSERT_EQ(result.spec.channels_size(), 2);
  EXPECT_DOUBLE_EQ(result.spec.channels(0).emission_wavelength_um(), 0.461);
  EXPECT_DOUBLE_EQ(result.spec.channels(1).excitation_wavelength_um(), 0.647);
}

TEST_F(MetadataTest, AnImageJResultCarriesNamesAndSizes) {
  const Image result = Deconvolved("result.tif");
  ExpectNamesAndSizes(result.spec);
  ExpectChannelsInOrder(result);
  TIFF* tiff = TIFFOpen(File("result.tif").c_str(), "r");
  ASSERT_NE(tiff, nullptr);
  const char* text = nullptr;
  EXPECT_EQ(TIFFGetField(tiff, TIFFTAG_IMAGEDESCRIPTION, &text), 1);
  const std::string description = text == nullptr ? "" : text;
  TIFFClose(tiff);
  for (const char* line : {"\nimages=12\n", "\nchannels=2\n", "\nslices=6\n", "\nhyperstack=true\n", "\nunit=micron\n",
                           "\nspacing=0.3012\n"})
    EXPECT_NE(description.find(line), std::string::npos) << line << description;
}

}  // namespace
}  // namespace deconvoy::testing
