// A region of the image, from the command line to the result.
#include <gtest/gtest.h>

#include "tests/integration/support/process.h"
#include "tests/integration/support/specimen.h"
#include "tests/integration/support/verbs.h"
#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace {

constexpr Shape3 kShape{24, 72, 72};
constexpr Box3 kRegion{{6, 20, 8}, {10, 32, 40}};
constexpr char kText[] = "6:16,20:52,8:48";
constexpr Sigma kPsf{2, 1.3, 1.3};

std::vector<double> Crop(const std::vector<double>& volume, const Shape3& shape, const Box3& box) {
  std::vector<double> part;
  for (int64_t z = box.origin.z; z < box.end().z; ++z) {
    for (int64_t y = box.origin.y; y < box.end().y; ++y) {
      for (int64_t x = box.origin.x; x < box.end().x; ++x) {
        part.push_back(volume[static_cast<size_t>((z * shape.y + y) * shape.x + x)]);
      }
    }
  }
  return part;
}

struct Scene {
  Scene() {
    const std::vector<Bead> beads = RandomBeads(kShape, 80, 20000, {6, 6, 6}, 11);
    const std::vector<double> image = Noisy(Blurred(beads, kShape, kPsf), 10, 12);
    std::vector<double> mask(image.size(), 1), flat(static_cast<size_t>(kShape.y * kShape.x), 1);
    for (size_t i = 0; i < mask.size(); i += 37) mask[i] = 0;
    for (size_t i = 0; i < flat.size(); ++i)
      flat[i] = 1 + 0.3 * static_cast<double>(i) / static_cast<double>(flat.size());
    SaveStacks(folder.path() / "image.ome.tif", 1, 1, kShape, 0.2, {image});
    const Shape3 extent{13, 11, 11};
    const std::vector<double> narrow = GaussianPsf(extent, 1.6, 1.1, 1.1), psf = GaussianPsf(extent, 2, 1.3, 1.3);
    SaveStacks(folder.path() / "psf.ome.tif", 1, 1, extent, 0.2, {psf});
    SaveStacks(folder.path() / "bank.ome.tif", 2, 1, extent, 0.2, {narrow, psf});
    SaveStacks(folder.path() / "fine.ome.tif", 1, 1, {25, 11, 11}, 0.1, {GaussianPsf({25, 11, 11}, 4, 1.3, 1.3)});
    EXPECT_OK(SaveImage(folder.path() / "mask.ome.tif", MakeSpec({1, 1, kShape.z, kShape.y, kShape.x}, v1::U8), mask));
    EXPECT_OK(SaveImage(folder.path() / "flat.ome.tif", MakeSpec({1, 1, 1, kShape.y, kShape.x}, v1::F32), flat));
  }

  Image Run(const std::string& psf, const std::vector<std::string>& options) const {
    return Deconvolve(folder.path() / "image.ome.tif", folder.path() / (psf + ".ome.tif"), folder.path() / "out.tif",
                      options);
  }
  std::string File(const char* name) const { return (folder.path() / name).string(); }

  // The result of the region is the crop of that of the image; `upsample` planes of it for each of the image.
  void ExpectCrop(const std::string& psf, const std::vector<std::string>& options, int64_t upsample = 1) const {
    const Image whole = Run(psf, options), region = Run(psf, With(options, {"--region", kText}));
    const Shape3 frame{kShape.z * upsample, kShape.y, kShape.x};
    Box3 box = kRegion;
    box.origin.z *= upsample;
    box.shape.z *= upsample;
    ASSERT_EQ(region.shape(), (Shape5{1, 1, box.shape.z, box.shape.y, box.shape.x}));
    ASSERT_EQ(whole.shape().frame(), frame);
    EXPECT_LE(NrmseOfRange(region.voxels, Crop(whole.voxels, frame, box)), 1e-3) << ::testing::PrintToString(options);
  }

  TemporaryFolder folder;
};

TEST(RegionTest, IsTheCropOfTheWholeResult) {
  const Scene scene;
  scene.ExpectCrop("psf", {});
  scene.ExpectCrop("psf", {"--tile", "10,16,20"});
  scene.ExpectCrop("psf", {"--boundary", "mirror", "--method", "rl"});
  scene.ExpectCrop("psf", {"--boundary", "periodic", "--method", "wiener"});
}

TEST(RegionTest, WhatBelongsToPlacesOfTheImageStaysThere) {
  const Scene scene;
  scene.ExpectCrop("bank", {"--psf-depths-um", "0,4.6"});
  scene.ExpectCrop("psf", {"--mask", scene.File("mask.ome.tif"), "--flat-field", scene.File("flat.ome.tif")});
  scene.ExpectCrop("fine", {"--set", "axial_upsample=2"}, 2);
}

TEST(RegionTest, TheResidualHasItsExtents) {
  const Scene scene;
  const Image result = scene.Run("psf", {"--region", kText, "--residual", scene.File("residual.ome.tif")});
  ASSERT_OK_AND_ASSIGN(const Image residual, LoadImage(scene.folder.path() / "residual.ome.tif"));
  EXPECT_EQ(residual.shape(), result.shape());
}

TEST(RegionTest, SaysWhatItCannotBe) {
  const Scene scene;
  for (const char* text : {"0:25,:,:", "4:4,:,:", "1:2"}) {
    const CliResult refused = RunCli({"run", scene.File("image.ome.tif"), "--psf", scene.File("psf.ome.tif"), "--local",
                                      "--region", text, "-o", scene.File("o.tif")},
                                     scene.folder.path());
    EXPECT_EQ(refused.exit.code, 2) << refused.err;
    EXPECT_NE(refused.err.find("--region"), std::string::npos) << refused.err;
  }
}

}  // namespace
}  // namespace deconvoy::testing
