#include "proto/contract/deconvolution.h"

#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

v1::DeconvolveSpec Upsampled(const std::string& text) {
  v1::DeconvolveSpec spec;
  (*spec.mutable_parameters())["axial_upsample"] = text;
  return spec;
}

TEST(DeconvolutionTest, EveryPlaneIsMeasuredUnlessAskedFor) {
  EXPECT_EQ(AxialUpsample({}), 1);
  EXPECT_EQ(AxialUpsample(Upsampled("3")), 3);
  EXPECT_EQ(AxialUpsample(Upsampled("99999999999999999999")), 1) << "no number that fits";
  EXPECT_EQ(AxialUpsample(Upsampled("-4")), 1);
  EXPECT_EQ(AxialUpsample(Upsampled("1000000")), kMostAxialUpsample);
}

TEST(DeconvolutionTest, TheGridHasMorePlanesAtTheSameDepth) {
  v1::VolumeSpec input;
  *input.mutable_shape() = ToProto(Shape5{2, 3, 5, 7, 8});
  *input.mutable_voxel_size() = Size(0.3, 0.1, 0.1);
  const v1::VolumeSpec grid = OnResultGrid(Upsampled("3"), input);
  EXPECT_EQ(ToShape(grid.shape(), v1::F32, "").value(), (Shape5{2, 3, 15, 7, 8}));
  EXPECT_DOUBLE_EQ(grid.voxel_size().z_um(), 0.1);
  EXPECT_EQ(OnResultGrid({}, input).SerializeAsString(), input.SerializeAsString());
}

TEST(DeconvolutionTest, MeasuredPlanesAreEveryKth) {
  const auto planes = [](int64_t begin, int64_t count, int64_t upsample) {
    const Box3 box = MeasuredPlanes({{begin, 1, 2}, {count, 3, 4}}, upsample);
    EXPECT_EQ(box.shape.y, 3);
    EXPECT_EQ(box.origin.x, 2);
    return std::pair(box.origin.z, box.shape.z);
  };
  EXPECT_EQ(planes(0, 6, 1), std::pair(int64_t{0}, int64_t{6}));
  EXPECT_EQ(planes(0, 6, 3), std::pair(int64_t{0}, int64_t{2}));
  EXPECT_EQ(planes(1, 6, 3), std::pair(int64_t{1}, int64_t{2})) << "3 and 6";
  EXPECT_EQ(planes(4, 2, 3), std::pair(int64_t{2}, int64_t{0})) << "neither 4 nor 5";
}

// 10 bytes per padded and 4 per measured voxel, 4 per weight.
v1::Method SomeMethod(bool joins) {
  v1::Method method;
  method.set_bytes_per_padded_voxel(10);
  method.set_bytes_per_measured_voxel(4);
  method.set_bytes_per_weight(4);
  method.set_joins_channels(joins);
  return method;
}

TEST(DeconvolutionTest, MasksViewsAndDepthsTakeMemory) {
  const auto memory = [](bool joins, const v1::DeconvolveSpec& spec, int64_t psfs, bool bad_pixels = false) {
    const v1::Method method = SomeMethod(joins);
    const MethodMemory found = MemoryOf(method, ResolveParameters(method, {}).value(), spec, psfs, bad_pixels);
    return std::vector<int64_t>{found.millibytes_per_padded_voxel, found.millibytes_per_measured_voxel,
                                found.bytes_per_weight};
  };
  v1::DeconvolveSpec masked, deep;
  masked.set_mask_volume("volumes/m");
  v1::DeconvolveSpec flat;
  flat.set_flat_field_volume("volumes/f");
  for (const double depth : {0, 5, 9}) deep.add_psf_depths_um(depth);
  EXPECT_EQ(memory(false, {}, 1), (std::vector<int64_t>{10000, 4000, 4}));
  EXPECT_EQ(memory(false, masked, 1), (std::vector<int64_t>{14000, 8000, 0})) << "m, and weights that are kept whole";
  EXPECT_EQ(memory(false, {}, 1, true), (std::vector<int64_t>{14000, 8000, 0})) << "as if there was a mask";
  EXPECT_EQ(memory(false, flat, 1), (std::vector<int64_t>{14000, 12000, 0})) << "and its plane";
  EXPECT_EQ(memory(false, deep, 3), (std::vector<int64_t>{10000, 8000, 4})) << "the blend";
  EXPECT_EQ(memory(true, {}, 3), (std::vector<int64_t>{18600, 12000, 12})) << "two more OTFs";
  EXPECT_EQ(memory(true, masked, 3), (std::vector<int64_t>{30600, 24000, 0}));
}

TEST(DeconvolutionTest, AModelForTheDenoiserTakesThePlaceOfItsMemory) {
  v1::Method method = SomeMethod(false);
  v1::Parameter& parameter = *method.add_parameters();
  parameter.set_name("denoiser");
  parameter.set_type(v1::CHOICE);
  parameter.set_default_value("tv");
  parameter.add_choices()->set_name("tv");
  parameter.mutable_choices(0)->set_extra_bytes_per_padded_voxel(16);
  v1::DeconvolveSpec spec;
  const auto memory = [&] {
    return MemoryOf(method, ResolveParameters(method, {}).value(), spec, 1, false).millibytes_per_padded_voxel;
  };
  method.set_takes_denoiser(true);
  EXPECT_EQ(memory(), 26'000);
  spec.add_models("models/clean/versions/1");
  EXPECT_EQ(memory(), 10'000);
  method.set_takes_denoiser(false);
  EXPECT_EQ(memory(), 26'000);
}

TEST(DeconvolutionTest, AVoxelSizeThatIsNotKnownIsTheImages) {
  const v1::VoxelSize size = PsfVoxelSize(Size(0.3, 0.1, 0.2), Size(0.5, 0, 0));
  EXPECT_EQ(size.z_um(), 0.5);
  EXPECT_EQ(size.y_um(), 0.1);
  EXPECT_EQ(size.x_um(), 0.2);
}

TEST(DeconvolutionTest, APupilTakesOpticsAndVoxelSizes) {
  v1::Method blind = SomeMethod(false);
  blind.set_estimates_psf(true);
  v1::DeconvolveSpec spec;
  v1::VolumeSpec image, psf;
  image.mutable_shape()->set_z(5);
  psf.mutable_shape()->set_z(3);
  const auto refused = [&] {
    const absl::Status status = CheckPupil(spec, blind, image, psf);
    return status.ok() ? "" : InfoOf(status).field();
  };
  EXPECT_EQ(refused(), "") << "a free PSF";
  for (const char* none : {"none", "11"}) {
    (*spec.mutable_parameters())["zernike"] = none;
    EXPECT_EQ(FitsPupil(spec, blind), none == std::string("11"));
    EXPECT_FALSE(FitsPupil(spec, SomeMethod(false)));
  }
  EXPECT_EQ(refused(), "deconvolve.optics");
  spec.add_optics()->set_na(1);
  EXPECT_EQ(refused(), "deconvolve.psf_volume");
  *image.mutable_voxel_size() = Size(0, 0.1, 0.1);
  EXPECT_EQ(refused(), "deconvolve.psf_volume");
  psf.mutable_shape()->set_z(1);
  EXPECT_EQ(refused(), "") << "nothing lies along z";
  psf.mutable_shape()->set_z(3);
  psf.mutable_voxel_size()->set_z_um(0.2);
  EXPECT_EQ(refused(), "");
}

TEST(DeconvolutionTest, ATileHasAPsfForEachViewOrDepth) {
  v1::DeconvolveSpec deep;
  for (const double depth : {0, 5, 9}) deep.add_psf_depths_um(depth);
  EXPECT_EQ(PsfsOfTile({}, SomeMethod(false), 4), 1);
  EXPECT_EQ(PsfsOfTile(deep, SomeMethod(false), 4), 3);
  EXPECT_EQ(PsfsOfTile({}, SomeMethod(true), 4), 4);
}

TEST(DeconvolutionTest, WhereMotionIsCorrectedVoxelsMayNotBeMeasured) {
  v1::DeconvolveSpec spec;
  EXPECT_FALSE(HasMask(spec));
  spec.set_correct_motion(true);
  EXPECT_TRUE(HasMask(spec));
  EXPECT_TRUE(HasWeights(spec, false));
}

TEST(DeconvolutionTest, VoxelsWeighDifferentlyOnlyWhereTheyNeedNotCount) {
  EXPECT_FALSE(HasWeights({}, false));
  EXPECT_TRUE(HasWeights({}, true));
  for (const char* what : {"bleaching", "flicker", "flat field", "bad pixels"}) {
    v1::DeconvolveSpec spec;
    spec.set_correct_bleaching(what == std::string("bleaching"));
    spec.set_correct_flicker(what == std::string("flicker"));
    if (what == std::string("flat field")) spec.set_flat_field_volume("volumes/f");
    const bool bad_pixels = what == std::string("bad pixels");
    spec.set_boundary(v1::EXTEND);
    EXPECT_TRUE(HasWeights(spec, bad_pixels)) << what;
    EXPECT_FALSE(HasMask(spec)) << what;
    spec.set_boundary(v1::MIRROR);
    EXPECT_FALSE(HasWeights(spec, bad_pixels)) << what;
    spec.set_boundary(v1::PERIODIC);
    EXPECT_FALSE(HasWeights(spec, bad_pixels)) << what;
  }
}

v1::DeconvolveSpec WithRegion(v1::DeconvolveSpec spec, const Box3& region) {
  *spec.mutable_region_origin() = ToProto(region.origin);
  *spec.mutable_region_shape() = ToProto(region.shape);
  return spec;
}

TEST(DeconvolutionTest, ARegionIsInVoxelsOfTheInput) {
  v1::VolumeSpec input;
  *input.mutable_shape() = ToProto(Shape5{2, 3, 10, 20, 30});
  *input.mutable_voxel_size() = Size(0.3, 0.1, 0.1);
  const Box3 region{{2, 5, 7}, {4, 6, 8}};
  EXPECT_EQ(ResultBox({}, input), (Box3{{}, {10, 20, 30}}));
  EXPECT_EQ(ResultBox(Upsampled("3"), input), (Box3{{}, {30, 20, 30}}));
  EXPECT_EQ(ResultBox(WithRegion({}, region), input), region);
  EXPECT_EQ(ResultBox(WithRegion(Upsampled("3"), region), input), (Box3{{6, 5, 7}, {12, 6, 8}}));
  const v1::VolumeSpec result = ResultVolume(WithRegion(Upsampled("3"), region), input);
  EXPECT_EQ(ToShape(result.shape(), v1::U8, "").value(), (Shape5{2, 3, 12, 6, 8}));
  EXPECT_DOUBLE_EQ(result.voxel_size().z_um(), 0.1);
  EXPECT_EQ(ResultVolume({}, input).SerializeAsString(), input.SerializeAsString());
}

TEST(DeconvolutionTest, ARegionLiesInsideTheImage) {
  v1::VolumeSpec image;
  *image.mutable_shape() = ToProto(Shape5{1, 1, 10, 20, 30});
  EXPECT_OK(CheckRegion({}, image));
  EXPECT_OK(CheckRegion(WithRegion({}, {{}, {10, 20, 30}}), image));
  EXPECT_OK(CheckRegion(WithRegion({}, {{9, 19, 29}, {1, 1, 1}}), image));
  for (const Box3& outside : {Box3{{0, 0, 0}, {11, 1, 1}}, Box3{{0, 20, 0}, {1, 1, 1}}, Box3{{0, 0, 29}, {1, 1, 2}},
                              Box3{{-1, 0, 0}, {1, 1, 1}}, Box3{{0, 0, 0}, {1, 0, 1}}}) {
    const absl::Status status = CheckRegion(WithRegion({}, outside), image);
    EXPECT_EQ(InfoOf(status).field(), "deconvolve.region_shape") << status;
    EXPECT_NE(status.message().find("does not lie inside the image of 10 x 20 x 30 voxels"), std::string::npos);
  }
}

}  // namespace
}  // namespace deconvoy
