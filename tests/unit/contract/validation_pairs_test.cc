// Which volumes go together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "proto/contract/companion_volumes.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

v1::VolumeSpec GoodVolume() {
  v1::VolumeSpec spec;
  spec.set_display_name("raw.tif");
  *spec.mutable_shape() = ToProto(Shape5{1, 2, 3, 4, 5});
  spec.set_type(v1::U16);
  *spec.mutable_voxel_size() = Size(0.3, 0.1, 0.1);
  return spec;
}

v1::VolumeSpec Psf(const Shape5& shape, const v1::VoxelSize& size) {
  v1::VolumeSpec psf;
  *psf.mutable_shape() = ToProto(shape);
  psf.set_type(v1::F32);
  *psf.mutable_voxel_size() = size;
  return psf;
}

TEST(ValidatePair, TakesOneChannelOrOnePerChannel) {
  std::string note = "old";
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0.1, 0.1)), &note));
  EXPECT_EQ(note, "");
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 2, 9, 9, 9}, Size(0.3, 0.1, 0.1)), &note));
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, {}), nullptr));
}

TEST(ValidatePair, RefusesOtherChannelsAndTimePoints) {
  const absl::Status channels = ValidatePair(GoodVolume(), Psf({1, 3, 9, 9, 9}, {}), nullptr);
  EXPECT_EQ(ReasonOf(channels), v1::SHAPE_MISMATCH);
  EXPECT_EQ(std::string(channels.message()), "the PSF has 3 channels, but the image has 2");
  EXPECT_EQ(ReasonOf(ValidatePair(GoodVolume(), Psf({2, 1, 9, 9, 9}, {}), nullptr)), v1::SHAPE_MISMATCH);
}

TEST(ValidatePsf, WantsAStackForEachDepth) {
  v1::DeconvolveSpec spec;
  for (const double depth : {0, 5}) spec.add_psf_depths_um(depth);
  EXPECT_OK(ValidatePsf(spec, GoodVolume(), Psf({2, 1, 9, 9, 9}, {}), nullptr));
  EXPECT_EQ(ReasonOf(ValidatePsf(spec, GoodVolume(), Psf({1, 1, 9, 9, 9}, {}), nullptr)), v1::SHAPE_MISMATCH);
  EXPECT_EQ(ReasonOf(ValidatePsf({}, GoodVolume(), Psf({2, 1, 9, 9, 9}, {}), nullptr)), v1::SHAPE_MISMATCH);
  v1::VolumeSpec unknown = GoodVolume();
  unknown.clear_voxel_size();
  EXPECT_EQ(InfoOf(ValidatePsf(spec, unknown, Psf({2, 1, 9, 9, 9}, {}), nullptr)).field(), "deconvolve.input_volume");
}

TEST(ValidatePsf, ComparesWithTheResultsGrid) {
  v1::DeconvolveSpec spec;
  (*spec.mutable_parameters())["axial_upsample"] = "3";
  EXPECT_OK(ValidatePsf(spec, GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.1, 0.1, 0.1)), nullptr));
  const absl::Status coarse = ValidatePsf(spec, GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0.1, 0.1)), nullptr);
  EXPECT_EQ(ReasonOf(coarse), v1::VOXEL_SIZE_MISMATCH);
  EXPECT_THAT(InfoOf(coarse).remedy(), HasSubstr("planes 0.1 um apart"));
}

TEST(ValidatePsf, TakesVoxelsFromWhichThePsfCanBeTold) {
  std::string note;
  EXPECT_OK(ValidatePsf({}, GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.15, 0.1, 0.2)), &note));
  EXPECT_EQ(note, "the PSF's voxels of 0.15 x 0.1 x 0.2 um (z,y,x) become the image's of 0.3 x 0.1 x 0.1 um");
  const absl::Status coarse = ValidatePsf({}, GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0.1, 0.3)), &note);
  EXPECT_EQ(ReasonOf(coarse), v1::VOXEL_SIZE_MISMATCH);
  EXPECT_EQ(ReasonOf(ValidatePsf({}, GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(300, 100, 100)), &note)),
            v1::VOXEL_SIZE_MISMATCH);
}

v1::JobSpec Distil() {
  v1::JobSpec job;
  job.mutable_distill()->set_input_volume("volumes/beads");
  *job.mutable_distill()->mutable_shape() = ToProto(Voxel{9, 11, 11});
  return job;
}

std::string DistilRefusal(void (*change)(v1::DistillSpec&)) {
  v1::JobSpec job = Distil();
  change(*job.mutable_distill());
  return InfoOf(ValidateJobSpec(job)).field();
}

TEST(ValidateJobSpec, KnowsWhatCanBeAskedOfBeads) {
  EXPECT_OK(ValidateJobSpec(Distil()));
  const auto refusal = DistilRefusal;
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.add_more_volumes("volumes/beads"); }), "distill.more_volumes");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.add_more_volumes("beads"); }), "distill.more_volumes");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) {
              for (int i = 0; i < 32; ++i) s.add_more_volumes("volumes/more" + std::to_string(i));
            }),
            "distill.more_volumes");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.set_search_fwhm_voxels(0.5); }), "distill.search_fwhm_voxels");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.set_bead_um(-1); }), "distill.bead_um");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.set_bead_floor(0.1); }), "distill.bead_floor");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) { s.set_smoothing_voxels(11); }), "distill.smoothing_voxels");
  EXPECT_EQ(refusal([](v1::DistillSpec& s) {
              s.set_smoothing_voxels(1);
              *s.mutable_shape() = ToProto(Voxel{201, 201, 201});
            }),
            "distill.shape");
}

TEST(ValidateBeads, WantsStacksThatGiveTheSamePsf) {
  v1::DistillSpec spec = Distil().distill();
  const v1::VolumeSpec first = Psf({1, 1, 20, 30, 30}, Size(0.3, 0.1, 0.1));
  EXPECT_OK(ValidateBeads(spec, first, Psf({2, 1, 10, 40, 40}, Size(0.3, 0.1, 0.1))));
  EXPECT_EQ(ReasonOf(ValidateBeads(spec, first, Psf({1, 1, 8, 40, 40}, Size(0.3, 0.1, 0.1)))), v1::SHAPE_MISMATCH);
  EXPECT_EQ(ReasonOf(ValidateBeads(spec, first, Psf({1, 1, 10, 40, 40}, Size(0.2, 0.1, 0.1)))),
            v1::VOXEL_SIZE_MISMATCH);
  spec.set_channel(1);
  EXPECT_EQ(InfoOf(ValidateBeads(spec, first, first)).field(), "distill.channel");
}

TEST(ValidateMask, HasTheImagesExtents) {
  const auto check = [](const Shape5& shape, v1::VoxelType type) {
    v1::VolumeSpec mask;
    *mask.mutable_shape() = ToProto(shape);
    mask.set_type(type);
    return ValidateMask(GoodVolume(), mask);
  };
  EXPECT_OK(check({1, 1, 3, 4, 5}, v1::U8));
  EXPECT_OK(check({1, 2, 3, 4, 5}, v1::U8));
  EXPECT_EQ(InfoOf(check({1, 1, 3, 4, 5}, v1::U16)).field(), "deconvolve.mask_volume");
  for (const Shape5& wrong : {Shape5{2, 1, 3, 4, 5}, Shape5{1, 3, 3, 4, 5}, Shape5{1, 1, 2, 4, 5},
                              Shape5{1, 1, 3, 5, 5}, Shape5{1, 1, 3, 4, 4}}) {
    EXPECT_EQ(ReasonOf(check(wrong, v1::U8)), v1::SHAPE_MISMATCH);
  }
}

TEST(ValidatePair, RefusesAHugePsf) {
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 1 << 8, 1 << 10, 1 << 10}, {}), nullptr));
  EXPECT_EQ(ReasonOf(ValidatePair(GoodVolume(), Psf({1, 1, 1 << 9, 1 << 10, 1 << 10}, {}), nullptr)),
            v1::LIMIT_EXCEEDED);
}

TEST(ValidatePair, SaysWhenVoxelSizesAreNotIdentical) {
  std::string note;
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0.103, 0.1)), &note));
  EXPECT_THAT(note, HasSubstr("0.3 x 0.1 x 0.1 um"));
  EXPECT_THAT(note, HasSubstr("0.3 x 0.103 x 0.1 um"));
  // What a file format's rounding does is not worth a word.
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0.1000001, 0.1)), &note));
  EXPECT_EQ(note, "");
}

TEST(ValidatePair, RefusesOtherVoxelSizesWhereBothAreKnown) {
  const absl::Status status = ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0, 0, 0.1031)), nullptr);
  EXPECT_EQ(ReasonOf(status), v1::VOXEL_SIZE_MISMATCH);
  EXPECT_THAT(std::string(status.message()), HasSubstr("3.1 %"));
  EXPECT_OK(ValidatePair(GoodVolume(), Psf({1, 1, 9, 9, 9}, Size(0.3, 0, 0)), nullptr));
}

TEST(ValidatePair, NamesTheUnitThatIsProbablyWrong) {
  const auto remedy = [](const v1::VoxelSize& image, const v1::VoxelSize& psf) {
    v1::VolumeSpec volume = GoodVolume();
    *volume.mutable_voxel_size() = image;
    const absl::Status status = ValidatePair(volume, Psf({1, 1, 9, 9, 9}, psf), nullptr);
    EXPECT_EQ(ReasonOf(status), v1::VOXEL_SIZE_MISMATCH);
    return InfoOf(status).remedy();
  };
  const v1::VoxelSize um = Size(0.2, 0.065, 0.065), nm = Size(200, 65, 66), mm = Size(2e-4, 6.5e-5, 0);
  EXPECT_THAT(remedy(nm, um), AllOf(HasSubstr("of the image look like nm"), HasSubstr("`--voxel-um`")));
  EXPECT_THAT(remedy(um, nm), AllOf(HasSubstr("of the PSF look like nm"), HasSubstr("`--psf-voxel-um`")));
  EXPECT_THAT(remedy(mm, um), HasSubstr("of the image look like mm"));
  EXPECT_THAT(remedy(um, mm), HasSubstr("of the PSF look like mm"));
  EXPECT_THAT(remedy(Size(200, 0.065, 0.065), um), HasSubstr("Resample")) << "on one axis alone it is no unit";
}

TEST(ValidateFlatField, HasThePixelsOfTheImage) {
  v1::VolumeSpec image, flat;
  *image.mutable_shape() = ToProto(Shape5{4, 2, 9, 6, 5});
  for (const Shape5& good : {Shape5{1, 1, 1, 6, 5}, Shape5{1, 2, 1, 6, 5}}) {
    *flat.mutable_shape() = ToProto(good);
    EXPECT_OK(ValidateFlatField(image, flat));
  }
  for (const Shape5& bad :
       {Shape5{2, 1, 1, 6, 5}, Shape5{1, 3, 1, 6, 5}, Shape5{1, 1, 9, 6, 5}, Shape5{1, 1, 1, 5, 6}}) {
    *flat.mutable_shape() = ToProto(bad);
    EXPECT_EQ(ReasonOf(ValidateFlatField(image, flat)), v1::SHAPE_MISMATCH);
  }
}

}  // namespace
}  // namespace deconvoy
