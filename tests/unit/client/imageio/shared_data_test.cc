// The stacks that the project is measured on are read as their notes describe them.
#include <gtest/gtest.h>

#include "client/imageio/image_file.h"
#include "tests/support/test_support.h"
#include "tests/unit/client/imageio/tiff_builder.h"

namespace deconvoy::imageio::testing {
namespace {

struct Known {
  std::string file;
  v1::VoxelType type;
  uint32_t c, z, y, x;
  double z_um, xy_um;
};

const std::vector<Known> kData{
    {"flowdec_bars/raw.tif", v1::F32, 1, 32, 64, 64, 0, 0},
    {"flowdec_bars/psf.tif", v1::F32, 1, 32, 64, 64, 0, 0},
    {"flowdec_bars/truth.tif", v1::F32, 1, 32, 64, 64, 0, 0},
    {"flowdec_bead/raw.tif", v1::F32, 1, 64, 64, 64, 0, 0},
    {"flowdec_bead/psf.tif", v1::F32, 1, 64, 64, 64, 0, 0},
    {"dvbars/truth.tif", v1::U16, 1, 128, 160, 160, 0.16, 0.0645},
    {"dvbars/noisefree.tif", v1::U16, 1, 128, 160, 160, 0.16, 0.0645},
    {"dvbars/raw_g15.tif", v1::U16, 1, 128, 160, 160, 0.16, 0.0645},
    {"dvbars/raw_g10.tif", v1::U16, 1, 128, 160, 160, 0.16, 0.0645},
    {"dvbars/psf.tif", v1::F32, 1, 57, 151, 151, 0.16, 0.0645},
    {"dividing_cell/raw.tif", v1::U16, 3, 25, 271, 303, 0.2, 0.066813},
    {"dividing_cell/psf.tif", v1::F32, 3, 49, 101, 101, 0.2, 0.066813},
    {"confocal_beads_grid/beads.tif", v1::U8, 1, 41, 150, 150, 0.125, 0.022492},
    {"confocal_beads_grid/raw.tif", v1::U8, 1, 21, 150, 150, 0.125, 0.021965},
    {"confocal_beads_grid/psf.tif", v1::F32, 1, 45, 45, 45, 0.125, 0.022492},
    {"confocal_beads_grid/psf_with_nans.tif", v1::F32, 1, 41, 150, 150, 0.125, 0.022492},
    {"measured_beads/lls_488_bead.tif", v1::U16, 1, 61, 128, 128, 0.1, 0.101881},
    {"measured_beads/lls_560_bead.tif", v1::U16, 1, 101, 64, 64, 0.1, 0.101881},
    {"measured_beads/airNA085_bead.tif", v1::U16, 1, 25, 256, 256, 0.3, 0.13},
    {"measured_beads/bil113_bead.tif", v1::U16, 1, 21, 128, 128, 0.3, 0.087345},
    {"measured_beads/widefield_560_bead.tif", v1::U16, 1, 101, 64, 64, 0.1, 0.101881},
    {"deconwolf_dapi/raw.tif", v1::U16, 1, 40, 201, 101, 0.3, 0.13},
    {"deconwolf_dapi/psf.tif", v1::F32, 1, 79, 101, 101, 0.3, 0.13},
};

void ExpectAs(const std::filesystem::path& path, const Known& known) {
  ASSERT_OK_AND_ASSIGN(const auto image, OpenImage(path));
  const v1::VolumeSpec& spec = image->spec();
  EXPECT_EQ(spec.type(), known.type);
  EXPECT_EQ(spec.shape().t(), 1U);
  EXPECT_EQ(spec.shape().c(), known.c);
  EXPECT_EQ(spec.shape().z(), known.z);
  EXPECT_EQ(spec.shape().y(), known.y);
  EXPECT_EQ(spec.shape().x(), known.x);
  EXPECT_DOUBLE_EQ(spec.voxel_size().z_um(), known.z_um);
  EXPECT_DOUBLE_EQ(spec.voxel_size().y_um(), known.xy_um);
  EXPECT_DOUBLE_EQ(spec.voxel_size().x_um(), known.xy_um);
  EXPECT_EQ(ReadAllPlanes(*image).size(), size_t{known.c} * known.z);
}

class SharedDataTest : public ::testing::TestWithParam<Known> {};

TEST_P(SharedDataTest, IsReadAsNoted) {
  const std::filesystem::path path = deconvoy::testing::SharedData() / GetParam().file;
  SKIP_WITHOUT(path);
  ExpectAs(path, GetParam());
}

INSTANTIATE_TEST_SUITE_P(Imageio, SharedDataTest, ::testing::ValuesIn(kData), [](const auto& instance) {
  std::string name = instance.param.file.substr(0, instance.param.file.find('.'));
  std::replace(name.begin(), name.end(), '/', '_');
  return name;
});

TEST(SharedReferenceTest, AllAreStacksOfTheSamePhantom) {
  SKIP_WITHOUT(deconvoy::testing::SharedReference());
  int files = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(deconvoy::testing::SharedReference())) {
    if (entry.path().extension() != ".tif") continue;
    SCOPED_TRACE(entry.path().string());
    ExpectAs(entry.path(), {"", v1::F32, 1, 32, 64, 64, 0, 0});
    ++files;
  }
  EXPECT_GE(files, 15);
}

}  // namespace
}  // namespace deconvoy::imageio::testing
