#include "proto/contract/outputs.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

v1::VolumeSpec Volume(const std::string& name, const Shape5& shape, v1::VoxelType type, const v1::VoxelSize& size) {
  v1::VolumeSpec spec;
  spec.set_display_name(name);
  *spec.mutable_shape() = ToProto(shape);
  spec.set_type(type);
  *spec.mutable_voxel_size() = size;
  return spec;
}

v1::VolumeSpec Input() {
  v1::VolumeSpec input = Volume("raw.tif", {2, 3, 25, 100, 120}, v1::U16, Size(0.3, 0.1, 0.1));
  for (const char* name : {"DAPI", "GFP", "RFP"}) input.add_channels()->set_name(name);
  input.set_digest(std::string(32, 'd'));
  return input;
}

v1::JobSpec Simulation() {
  v1::JobSpec job;
  job.set_display_name("phantom");
  *job.mutable_simulate()->mutable_shape() = ToProto(Shape3{16, 32, 48});
  *job.mutable_simulate()->mutable_voxel_size() = Size(0.2, 0.1, 0.1);
  *job.mutable_simulate()->mutable_psf_fwhm() = Size(0.7, 0.25, 0.25);
  return job;
}

Shape5 ShapeOf(const PlannedOutput& output) {
  return ToShape(output.spec.shape(), output.spec.type(), "shape").value();
}

TEST(PlanOutputs, TheResidualIsF32AndComesSecond) {
  v1::JobSpec job;
  job.mutable_deconvolve()->set_residual(true);
  job.mutable_deconvolve()->set_output_type(v1::U16);
  const v1::VolumeSpec input = Input();
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].role, "estimate");
  EXPECT_EQ(outputs[0].spec.type(), v1::U16);
  EXPECT_EQ(outputs[1].role, "residual");
  EXPECT_EQ(outputs[1].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[1]), (Shape5{2, 3, 25, 100, 120}));
  EXPECT_EQ(outputs[1].spec.display_name(), "raw.tif (residual)");
}

TEST(PlanOutputs, AnEstimatedPsfIsLikeTheGivenOneForEachChannel) {
  v1::JobSpec job;
  job.mutable_deconvolve()->set_residual(true);
  job.mutable_deconvolve()->set_output_type(v1::U16);
  const v1::VolumeSpec input = Input(), psf = Volume("psf.tif", {1, 1, 9, 15, 17}, v1::U8, Size(0.3, 0.1, 0.1));
  v1::Method method;
  method.set_estimates_psf(true);
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, &psf, &method));
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[2].role, "psf");
  EXPECT_EQ(outputs[2].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[2]), (Shape5{1, 3, 9, 15, 17}));
  EXPECT_EQ(outputs[2].spec.channels(1).name(), "GFP");
  EXPECT_EQ(outputs[2].spec.voxel_size().z_um(), 0.3);
  EXPECT_EQ(outputs[2].spec.display_name(), "raw.tif (psf)");
  EXPECT_EQ(ReasonOf(PlanOutputs(job, &input, nullptr, &method).status()), v1::INVALID_FIELD);
  method.set_estimates_psf(false);
  EXPECT_EQ(PlanOutputs(job, &input, &psf, &method)->size(), 2U);
}

TEST(PlanOutputs, EstimateIsLikeTheInput) {
  v1::JobSpec job;
  job.mutable_deconvolve();
  const v1::VolumeSpec input = Input();
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  ASSERT_EQ(outputs.size(), 1U);
  EXPECT_EQ(outputs[0].role, "estimate");
  EXPECT_EQ(outputs[0].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[0]), (Shape5{2, 3, 25, 100, 120}));
  EXPECT_EQ(outputs[0].spec.channels(1).name(), "GFP");
  EXPECT_DOUBLE_EQ(outputs[0].spec.voxel_size().z_um(), 0.3);
  EXPECT_EQ(outputs[0].spec.display_name(), "raw.tif (estimate)");
  EXPECT_EQ(outputs[0].spec.digest(), "");
  EXPECT_OK(ValidateVolumeSpec(outputs[0].spec));
}

TEST(PlanOutputs, EstimateOfJoinedChannelsHasOne) {
  v1::JobSpec job;
  (*job.mutable_deconvolve()->mutable_parameters())["axial_upsample"] = "2";
  const v1::VolumeSpec input = Input();
  v1::Method method;
  method.set_joins_channels(true);
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr, &method));
  EXPECT_EQ(ShapeOf(outputs[0]), (Shape5{2, 1, 50, 100, 120})) << "and more planes, where asked for";
  EXPECT_EQ(outputs[0].spec.channels_size(), 0);
  EXPECT_DOUBLE_EQ(outputs[0].spec.voxel_size().z_um(), 0.15);
}

TEST(PlanOutputs, EstimateHasTheTypeAskedFor) {
  v1::JobSpec job;
  job.mutable_deconvolve()->set_output_type(v1::U8);
  const v1::VolumeSpec input = Input();
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  EXPECT_EQ(outputs[0].spec.type(), v1::U8);
}

TEST(PlanOutputs, EstimateMayBeTooLarge) {
  v1::JobSpec job;
  job.mutable_deconvolve();
  const v1::VolumeSpec input = Volume("huge", {1, 1, 16, 1 << 20, 1 << 20}, v1::U8, {});
  ASSERT_OK(ValidateVolumeSpec(input));
  const absl::Status status = PlanOutputs(job, &input, nullptr).status();
  EXPECT_EQ(ReasonOf(status), v1::LIMIT_EXCEEDED);
  EXPECT_THAT(std::string(status.message()), ::testing::HasSubstr("output `estimate`"));
}

TEST(PlanOutputs, SimulationMakesTruthPsfAndRaw) {
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(Simulation(), nullptr, nullptr));
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0].role, "truth");
  EXPECT_EQ(outputs[0].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[0]), (Shape5{1, 1, 16, 32, 48}));
  EXPECT_EQ(outputs[0].spec.display_name(), "phantom (truth)");
  EXPECT_EQ(outputs[1].role, "psf");
  EXPECT_EQ(outputs[1].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[1]), (Shape5{1, 1, 13, 9, 9}));
  EXPECT_DOUBLE_EQ(outputs[1].spec.voxel_size().z_um(), 0.2);
  EXPECT_EQ(outputs[2].role, "raw");
  EXPECT_EQ(outputs[2].spec.type(), v1::U16);
  EXPECT_EQ(ShapeOf(outputs[2]), (Shape5{1, 1, 16, 32, 48}));
  for (const PlannedOutput& output : outputs) EXPECT_OK(ValidateVolumeSpec(output.spec));
}

TEST(PlanOutputs, SimulationTakesTheGivenPsfsShape) {
  v1::JobSpec job = Simulation();
  job.mutable_simulate()->set_psf_volume("volumes/p");
  job.mutable_simulate()->set_raw_type(v1::F32);
  const v1::VolumeSpec psf = Volume("psf.tif", {1, 1, 21, 31, 31}, v1::U16, Size(0.2, 0.1, 0.1));
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, nullptr, &psf));
  EXPECT_EQ(ShapeOf(outputs[1]), (Shape5{1, 1, 21, 31, 31}));
  EXPECT_EQ(outputs[1].spec.type(), v1::F32);
  EXPECT_EQ(outputs[2].spec.type(), v1::F32);
}

TEST(PlanOutputs, SimulationRefusesAnUnsuitablePsf) {
  v1::JobSpec job = Simulation();
  job.mutable_simulate()->set_psf_volume("volumes/p");
  const v1::VolumeSpec two_channels = Volume("p", {1, 2, 9, 9, 9}, v1::F32, {});
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, &two_channels).status()), v1::SHAPE_MISMATCH);
  const v1::VolumeSpec coarse = Volume("p", {1, 1, 9, 9, 9}, v1::F32, Size(0.2, 0.2, 0.2));
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, &coarse).status()), v1::VOXEL_SIZE_MISMATCH);
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, nullptr).status()), v1::INVALID_FIELD);
}

TEST(PlanOutputs, ProjectionIsFlatAlongItsAxis) {
  const v1::VolumeSpec input = Input();
  const auto shape = [&input](v1::ProjectSpec::Axis axis) {
    v1::JobSpec job;
    job.mutable_project()->set_axis(axis);
    const auto outputs = PlanOutputs(job, &input, nullptr).value();
    EXPECT_EQ(outputs.at(0).role, "projection");
    EXPECT_EQ(outputs.at(0).spec.type(), v1::U16);
    return ShapeOf(outputs.at(0));
  };
  EXPECT_EQ(shape(v1::ProjectSpec::Z), (Shape5{2, 3, 1, 100, 120}));
  EXPECT_EQ(shape(v1::ProjectSpec::Y), (Shape5{2, 3, 25, 1, 120}));
  EXPECT_EQ(shape(v1::ProjectSpec::X), (Shape5{2, 3, 25, 100, 1}));
}

TEST(PlanOutputs, ProjectionKnowsNoVoxelSizeAlongItsAxis) {
  const v1::VolumeSpec input = Input();
  v1::JobSpec job;
  job.mutable_project()->set_axis(v1::ProjectSpec::Z);
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  EXPECT_EQ(outputs[0].spec.voxel_size().z_um(), 0);
  EXPECT_EQ(outputs[0].spec.voxel_size().y_um(), 0.1);
}

TEST(PlanOutputs, LongNamesAreCutAtACharacter) {
  v1::JobSpec job;
  job.mutable_deconvolve();
  v1::VolumeSpec input = Input();
  for (size_t filler = 230; filler < 240; ++filler) {
    input.set_display_name(std::string(filler, 'a') + "µµµµµµµ");
    ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
    EXPECT_LE(outputs[0].spec.display_name().size(), limits::kDisplayNameBytes);
    EXPECT_TRUE(IsUtf8(outputs[0].spec.display_name()));
    EXPECT_THAT(outputs[0].spec.display_name(), ::testing::EndsWith(" (estimate)"));
  }
}

TEST(PlanOutputs, RefusesWhatIsMissing) {
  v1::JobSpec job;
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, nullptr).status()), v1::INVALID_FIELD);
  job.mutable_deconvolve();
  EXPECT_EQ(InfoOf(PlanOutputs(job, nullptr, nullptr).status()).field(), "deconvolve.input_volume");
  job.mutable_project();
  EXPECT_EQ(InfoOf(PlanOutputs(job, nullptr, nullptr).status()).field(), "project.input_volume");
  const v1::VolumeSpec input = Input();
  EXPECT_EQ(InfoOf(PlanOutputs(job, &input, nullptr).status()).field(), "project.axis");
}

TEST(PlanOutputs, ResultsHaveTheExtentsOfTheRegion) {
  v1::JobSpec job;
  job.mutable_deconvolve()->set_residual(true);
  *job.mutable_deconvolve()->mutable_region_origin() = ToProto(Voxel{3, 10, 20});
  *job.mutable_deconvolve()->mutable_region_shape() = ToProto(Shape3{5, 30, 40});
  const v1::VolumeSpec input = Input();
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  ASSERT_EQ(outputs.size(), 2U);
  for (const PlannedOutput& output : outputs) {
    EXPECT_EQ(ShapeOf(output), (Shape5{2, 3, 5, 30, 40})) << output.role;
    EXPECT_EQ(output.spec.channels_size(), 3);
    EXPECT_EQ(output.spec.voxel_size().z_um(), 0.3);
  }
  job.mutable_deconvolve()->mutable_region_origin()->set_z(21);
  EXPECT_EQ(InfoOf(PlanOutputs(job, &input, nullptr).status()).field(), "deconvolve.region_shape");
}

TEST(PlanOutputs, ATrainingHasAFileAndAStateForEachPart) {
  v1::JobSpec job;
  job.set_display_name("mine");
  job.mutable_train_model()->set_parts(7);
  v1::NetworkDescription network;
  network.set_model_bytes(5000);
  network.set_state_bytes(20'000);
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, nullptr, nullptr, nullptr, &network));
  ASSERT_EQ(outputs.size(), 2U);
  EXPECT_EQ(outputs[0].role, kModelRole);
  EXPECT_EQ(ShapeOf(outputs[0]), (Shape5{1, 1, 1, 2, 4096}));
  EXPECT_EQ(outputs[0].spec.display_name(), "mine (model)");
  EXPECT_EQ(outputs[1].role, kTrainingRole);
  EXPECT_EQ(ShapeOf(outputs[1]), (Shape5{7, 1, 1, 5, 4096}));
  network.set_knows_psf(true);
  const v1::VolumeSpec psf = Input();
  ASSERT_OK_AND_ASSIGN(const auto larger, PlanOutputs(job, nullptr, &psf, nullptr, &network));
  const v1::Shape5& extents = psf.shape();
  EXPECT_GE(ShapeOf(larger[0]).y * 4096, 5000 + int64_t{4} * extents.z() * extents.y() * extents.x());
  EXPECT_GE(ShapeOf(larger[1]).y * 4096, 20'000 + int64_t{8} * extents.z() * extents.y() * extents.x());
  network.set_state_bytes(static_cast<uint64_t>(limits::kModelStateBytes) + 1);
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, nullptr, nullptr, &network).status()), v1::LIMIT_EXCEEDED);
}

TEST(PlanOutputs, TheSpreadIsLikeTheEstimateButF32) {
  v1::JobSpec job;
  job.mutable_deconvolve()->set_spread(true);
  job.mutable_deconvolve()->set_residual(true);
  job.mutable_deconvolve()->set_output_type(v1::U16);
  const v1::VolumeSpec input = Input();
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, &input, nullptr));
  ASSERT_EQ(outputs.size(), 3U);
  EXPECT_EQ(outputs[0].spec.type(), v1::U16);
  EXPECT_EQ(outputs[2].role, kSpreadRole);
  EXPECT_EQ(outputs[2].spec.type(), v1::F32);
  EXPECT_EQ(ShapeOf(outputs[2]), ShapeOf(outputs[0]));
}

}  // namespace
}  // namespace deconvoy
