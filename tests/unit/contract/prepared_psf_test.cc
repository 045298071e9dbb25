#include "proto/contract/prepared_psf.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <limits>
#include <string>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/outputs.h"
#include "proto/contract/psf_grid.h"
#include "proto/contract/validation.h"
#include "proto/contract/volume_layout.h"
#include "tests/support/test_support.h"
#include "tests/unit/contract/voxel_size.h"

namespace deconvoy {
namespace {

using ::testing::HasSubstr;

// A box as far to both sides of its origin.
v1::PsfReport Report(uint32_t t, uint32_t c, const Voxel& centre, const Voxel& half) {
  v1::PsfReport report;
  report.set_t(t);
  report.set_c(c);
  *report.mutable_centre() = ToProto(centre);
  *report.mutable_crop_origin() = ToProto(centre - half);
  *report.mutable_crop_shape() = ToProto(Shape3{2 * half.z + 1, 2 * half.y + 1, 2 * half.x + 1});
  report.set_sum(7);
  report.set_energy(0.999);
  return report;
}

void SetSteps(double z, double y, double x, v1::PsfReport& report) {
  report.set_step_z(z);
  report.set_step_y(y);
  report.set_step_x(x);
}

v1::JobSpec Good() {
  v1::JobSpec spec;
  spec.mutable_prepare_psf()->set_psf_volume("volumes/p");
  *spec.mutable_prepare_psf()->add_psfs() = Report(0, 0, {4, 9, 11}, {3, 5, 12});
  *spec.mutable_prepare_psf()->add_psfs() = Report(0, 1, {2, 9, 9}, {4, 2, 2});
  return spec;
}

v1::VolumeSpec Psf(const Shape5& shape) {
  v1::VolumeSpec psf;
  psf.set_display_name("bead.tif");
  *psf.mutable_shape() = ToProto(shape);
  psf.set_type(v1::U16);
  *psf.mutable_voxel_size() = Size(0.2, 0.06, 0);
  return psf;
}

const Shape5 kPsf{1, 2, 9, 20, 21};

TEST(ValidatePreparePsf, RefusesWhatNoJobTells) {
  EXPECT_OK(ValidateJobSpec(Good()));
  const auto refused = [](const std::function<void(v1::PreparePsfSpec&)>& spoil) {
    v1::JobSpec spec = Good();
    spoil(*spec.mutable_prepare_psf());
    const absl::Status status = ValidateJobSpec(spec);
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(InfoOf(status).field()));
    EXPECT_FALSE(InfoOf(status).remedy().empty());
    return InfoOf(status).field();
  };
  EXPECT_EQ(refused([](auto& p) { p.clear_psf_volume(); }), "prepare_psf.psf_volume");
  EXPECT_EQ(refused([](auto& p) { p.set_psf_volume("psfs/GFP"); }), "prepare_psf.psf_volume");
  EXPECT_EQ(refused([](auto& p) { p.clear_psfs(); }), "prepare_psf.psfs");
  EXPECT_EQ(refused([](auto& p) { p.mutable_psfs(1)->set_sum(0); }), "prepare_psf.psfs[1].sum");
  EXPECT_EQ(refused([](auto& p) { p.mutable_psfs(0)->set_sum(-1); }), "prepare_psf.psfs[0].sum");
  EXPECT_EQ(refused([](auto& p) { p.mutable_psfs(0)->set_background(-1); }), "prepare_psf.psfs[0].background");
  const double nan = std::numeric_limits<double>::quiet_NaN(), infinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(refused([&](auto& p) { p.mutable_psfs(0)->set_sum(nan); }), "prepare_psf.psfs[0].sum");
  EXPECT_EQ(refused([&](auto& p) { p.mutable_psfs(0)->set_background(infinity); }), "prepare_psf.psfs[0].background");
  EXPECT_EQ(refused([&](auto& p) { p.mutable_psfs(1)->set_spread_x(nan); }), "prepare_psf.psfs[1].spread_x");
  EXPECT_EQ(refused([](auto& p) { p.mutable_psfs(1)->mutable_centre()->set_y(-1); }), "prepare_psf.psfs[1].centre");
  EXPECT_EQ(refused([](auto& p) { p.mutable_psfs(0)->mutable_centre()->set_z(1 << 20); }),
            "prepare_psf.psfs[0].centre");
}

TEST(ValidatePreparePsf, BoxesHoldTheirOriginAndAreNoLargerThanVolumes) {
  const auto refused = [](const std::function<void(v1::PsfReport&)>& spoil) {
    v1::JobSpec spec = Good();
    spoil(*spec.mutable_prepare_psf()->mutable_psfs(0));
    const absl::Status status = ValidateJobSpec(spec);
    EXPECT_EQ(ReasonOf(status), v1::INVALID_FIELD) << status;
    return InfoOf(status).field();
  };
  EXPECT_EQ(refused([](auto& r) { r.mutable_crop_shape()->set_y(0); }), "prepare_psf.psfs[0].crop_shape");
  EXPECT_EQ(refused([](auto& r) { r.mutable_crop_shape()->set_x((1 << 20) + 1); }), "prepare_psf.psfs[0].crop_shape");
  EXPECT_EQ(refused([](auto& r) { r.mutable_crop_origin()->set_z(5); }), "prepare_psf.psfs[0].crop_origin");
  EXPECT_EQ(refused([](auto& r) { r.mutable_crop_origin()->set_z(std::numeric_limits<int32_t>::min()); }),
            "prepare_psf.psfs[0].crop_origin");
  v1::JobSpec last = Good();
  last.mutable_prepare_psf()->mutable_psfs(0)->mutable_crop_origin()->set_z(4);
  EXPECT_OK(ValidateJobSpec(last));  // the first voxel of its box
}

TEST(ValidatePreparePsf, StepsAreUsableAndThoseOfAll) {
  const auto field = [](const std::function<void(v1::PreparePsfSpec&)>& change) {
    v1::JobSpec spec = Good();
    for (v1::PsfReport& report : *spec.mutable_prepare_psf()->mutable_psfs()) {
      *report.mutable_crop_shape() = ToProto(Shape3{99, 99, 99});
      *report.mutable_crop_origin() = ToProto(Voxel{-20, -20, -20});
    }
    change(*spec.mutable_prepare_psf());
    return InfoOf(ValidateJobSpec(spec)).field();
  };
  const auto all = [](double z, double y, double x) {
    return [=](v1::PreparePsfSpec& spec) {
      for (v1::PsfReport& report : *spec.mutable_psfs()) SetSteps(z, y, x, report);
    };
  };
  EXPECT_EQ(field(all(10, 1, 0.4)), "");
  EXPECT_EQ(field(all(11, 1, 1)), "prepare_psf.psfs[0].step_z");
  EXPECT_EQ(field(all(1, 1, 1e-9)), "prepare_psf.psfs[0].step_z");
  EXPECT_EQ(field(all(0, 2, 2)), "prepare_psf.psfs[0].step_z");
  EXPECT_EQ(field(all(1, 1, -1)), "prepare_psf.psfs[0].step_x");
  EXPECT_EQ(field([](auto& p) { SetSteps(2, 1, 1, *p.mutable_psfs(1)); }), "prepare_psf.psfs[1].step_z");
}

TEST(ValidatePreparedPsf, HasAReportForEachFrameInOrder) {
  const v1::PreparePsfSpec spec = Good().prepare_psf();
  EXPECT_OK(ValidatePreparedPsf(spec, Psf(kPsf)));
  const absl::Status few = ValidatePreparedPsf(spec, Psf({1, 3, 9, 20, 21}));
  EXPECT_EQ(ReasonOf(few), v1::SHAPE_MISMATCH);
  EXPECT_THAT(std::string(few.message()), HasSubstr("has 2 reports, but the PSF has 3 frames"));
  const absl::Status times = ValidatePreparedPsf(spec, Psf({2, 1, 9, 20, 21}));
  EXPECT_EQ(InfoOf(times).field(), "prepare_psf.psfs[1]");
  EXPECT_THAT(std::string(times.message()), HasSubstr("is of t=0 c=1, but that of t=1 c=0 is due"));
  const absl::Status outside = ValidatePreparedPsf(spec, Psf({1, 2, 9, 20, 11}));
  EXPECT_EQ(InfoOf(outside).field(), "prepare_psf.psfs[0].centre");
  EXPECT_THAT(std::string(outside.message()), HasSubstr("is 4,9,11, outside the PSF of 9 x 20 x 11 voxels"));
}

TEST(PreparedPsf, FramesHoldTheBoxesOfAllAboutOneOrigin) {
  const v1::PreparePsfSpec spec = Good().prepare_psf();
  const Shape3 frame = PreparedPsfShape(spec);
  EXPECT_EQ(frame, (Shape3{9, 11, 25})) << "the largest of both along each axis";
  EXPECT_EQ(PreparedPsfBox(spec.psfs(0), frame), (Box3{{1, 0, 0}, {7, 11, 25}}));
  EXPECT_EQ(PreparedPsfBox(spec.psfs(1), frame), (Box3{{0, 3, 10}, {9, 5, 5}}));
}

// As a periodic PSF is used: the whole of it, wherever its origin lies.
TEST(PreparedPsf, ABoxThatIsNotSymmetricLosesNothing) {
  v1::PreparePsfSpec spec;
  v1::PsfReport& report = *spec.add_psfs() = Report(0, 0, {4, 8, 2}, {});
  *report.mutable_crop_origin() = ToProto(Voxel{0, 0, 0});
  *report.mutable_crop_shape() = ToProto(Shape3{8, 15, 12});
  const Shape3 frame = PreparedPsfShape(spec);
  EXPECT_EQ(frame, (Shape3{8, 16, 19})) << "4 before and 3 after, 8 before and 6 after, 2 before and 9 after";
  EXPECT_EQ(PreparedPsfBox(report, frame), (Box3{{0, 0, 7}, {8, 15, 12}}));
}

TEST(PreparedPsf, TheOutputHasTheVoxelsOfTheImage) {
  v1::JobSpec job = Good();
  v1::VolumeSpec given = Psf(kPsf);
  for (const char* name : {"DAPI", "GFP"}) given.add_channels()->set_name(name);
  {
    ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, nullptr, &given));
    ASSERT_EQ(outputs.size(), 1U);
    EXPECT_EQ(outputs[0].role, "psf");
    EXPECT_EQ(outputs[0].spec.display_name(), "bead.tif (psf)");
    EXPECT_EQ(outputs[0].spec.type(), v1::F32);
    EXPECT_EQ(outputs[0].spec.channels(1).name(), "GFP");
    EXPECT_EQ(outputs[0].spec.voxel_size().y_um(), 0.06);
    EXPECT_EQ(ToShape(outputs[0].spec.shape(), v1::F32, "shape").value(), (Shape5{1, 2, 9, 11, 25}));
  }
  v1::PreparePsfSpec& spec = *job.mutable_prepare_psf();
  for (v1::PsfReport& report : *spec.mutable_psfs()) {
    SetSteps(2, 0.5, 1, report);
    const Voxel origin = ToldOrigin(ToVoxel(report.centre()), StepsOf(report));
    *report.mutable_crop_origin() = ToProto(origin - Voxel{1, 2, 3});
    *report.mutable_crop_shape() = ToProto(Shape3{3, 5, 7});
  }
  ASSERT_OK_AND_ASSIGN(const auto outputs, PlanOutputs(job, nullptr, &given));
  EXPECT_EQ(ToShape(outputs[0].spec.shape(), v1::F32, "shape").value(), (Shape5{1, 2, 3, 5, 7}));
  EXPECT_DOUBLE_EQ(outputs[0].spec.voxel_size().z_um(), 0.4);
  EXPECT_DOUBLE_EQ(outputs[0].spec.voxel_size().y_um(), 0.03);
  EXPECT_EQ(outputs[0].spec.voxel_size().x_um(), 0) << "not known";
}

TEST(PreparedPsf, WhatNoVolumeCanBeIsRefused) {
  v1::JobSpec job = Good();
  EXPECT_EQ(InfoOf(PlanOutputs(job, nullptr, nullptr).status()).field(), "prepare_psf.psf_volume");
  v1::VolumeSpec given = Psf({1, 1, 9, 20, 21});
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, &given).status()), v1::SHAPE_MISMATCH);
  given = Psf(kPsf);
  given.mutable_voxel_size()->set_z_um(limits::kMaximumUm);
  for (v1::PsfReport& report : *job.mutable_prepare_psf()->mutable_psfs()) {
    SetSteps(10, 1, 1, report);
    report.mutable_crop_origin()->set_z(0);
  }
  EXPECT_EQ(InfoOf(PlanOutputs(job, nullptr, &given).status()).field(), "voxel_size.z_um");
  job = Good();
  for (v1::PsfReport& report : *job.mutable_prepare_psf()->mutable_psfs()) {
    *report.mutable_crop_shape() = ToProto(Shape3{1 << 18, 1 << 18, 1 << 18});
  }
  ASSERT_OK(ValidateJobSpec(job));
  EXPECT_EQ(ReasonOf(PlanOutputs(job, nullptr, &given).status()), v1::LIMIT_EXCEEDED);
}

TEST(PreparedPsf, MemoryCountsTheLargerGridAndTheFrame) {
  v1::PreparePsfSpec spec = Good().prepare_psf();
  EXPECT_EQ(PreparedPsfBytes(spec, {9, 20, 21}), 8 * 9 * 20 * 21 + 8 * 9 * 11 * 25);
  for (v1::PsfReport& report : *spec.mutable_psfs()) SetSteps(1, 1, 0.5, report);
  EXPECT_EQ(PreparedPsfBytes(spec, {9, 20, 21}), 8 * 9 * 20 * 41 + 8 * PreparedPsfShape(spec).voxels())
      << "told at voxels half as large";
}

}  // namespace
}  // namespace deconvoy
