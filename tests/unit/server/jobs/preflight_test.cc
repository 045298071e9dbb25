#include "server/jobs/preflight.h"

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class PreflightTest : public ::testing::Test {
 protected:
  v1::PreflightReport Report(const v1::JobSpec& spec) {
    auto report = service_.jobs().Preflight(JobService::kOwner, spec);
    EXPECT_OK(report);
    return report.ok() ? *std::move(report) : v1::PreflightReport();
  }
  // The job is refused by both, for the same first reason, and leaves nothing behind.
  v1::Finding ExpectRefused(const v1::JobSpec& spec, v1::ErrorReason reason, const std::string& field) {
    const size_t volumes = service_.CountVolumes();
    const v1::PreflightReport report = Report(spec);
    EXPECT_FALSE(report.accepted());
    v1::Finding first;
    for (const v1::Finding& finding : report.findings()) {
      if (finding.severity() != v1::REFUSAL) continue;
      first = finding;
      break;
    }
    EXPECT_EQ(first.info().reason(), reason) << report.ShortDebugString();
    EXPECT_EQ(first.info().field(), field) << first.message();
    const absl::Status refused = service_.TrySubmit(spec).status();
    EXPECT_EQ(ReasonOf(refused), reason);
    // Other programs change the free space that the message tells, even between two calls.
    EXPECT_TRUE(reason == v1::DISK_FULL || refused.message() == first.message()) << refused;
    EXPECT_EQ(refused.code(), CodeOf(reason));
    EXPECT_EQ(service_.CountVolumes(), volumes);
    return first;
  }
  static bool Says(const v1::PreflightReport& report, v1::Severity severity, const std::string& text) {
    for (const v1::Finding& finding : report.findings()) {
      if (finding.severity() == severity && finding.message().find(text) != std::string::npos) return true;
    }
    return false;
  }

  JobService service_;
};

TEST_F(PreflightTest, SaysWhatAnAcceptedJobTakes) {
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const v1::JobSpec spec = service_.Deconvolve({2, 1, 8, 16, 16}, {8, 8, 16});
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_EQ(report.tiles_per_frame(), 2U);
  EXPECT_EQ(report.result_bytes(), 2U * 8 * 16 * 16);
  EXPECT_EQ(report.core().y(), 8);
  const auto padded = static_cast<double>(ToShape3(report.padded()).voxels());
  EXPECT_GE(static_cast<double>(report.worker_memory_bytes()), 20 * padded);
  EXPECT_DOUBLE_EQ(report.compute_seconds(), padded * 2 * 2 * 10 / 1e6) << "tiles, frames, iterations";
  EXPECT_EQ(report.queue_seconds(), 0);
}

TEST_F(PreflightTest, TheQueueCountsWhatIsStillToDo) {
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  const v1::JobSpec spec = service_.Deconvolve({1, 1, 8, 16, 16}, {8, 16, 16});
  service_.Submit(spec);
  const v1::PreflightReport report = Report(spec);
  EXPECT_DOUBLE_EQ(report.queue_seconds(), report.compute_seconds());
}

TEST_F(PreflightTest, WithoutAWorkerTheJobWaits) {
  const v1::PreflightReport report = Report(service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4}));
  EXPECT_TRUE(report.accepted());
  EXPECT_TRUE(Says(report, v1::INFO, "no worker is connected"));
  EXPECT_EQ(report.compute_seconds(), 0);
}

TEST_F(PreflightTest, AMaskMustFitAndBeHonoured) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  work.set_mask_volume("volumes/none");
  ExpectRefused(spec, v1::NOT_FOUND, "deconvolve.mask_volume");
  work.set_mask_volume(service_.AddVolume(MakeSpec({1, 1, 4, 4, 4}), /*complete=*/false));
  ExpectRefused(spec, v1::VOLUME_INCOMPLETE, "deconvolve.mask_volume");
  work.set_mask_volume(service_.AddVolume(MakeSpec({1, 1, 4, 4, 5})));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "deconvolve.mask_volume");
  work.set_mask_volume(service_.AddVolume(MakeSpec({1, 1, 4, 4, 4})));
  const v1::PreflightReport masked = Report(spec);
  EXPECT_TRUE(masked.accepted()) << masked.ShortDebugString();
  work.clear_mask_volume();
  EXPECT_GT(masked.worker_memory_bytes(), Report(spec).worker_memory_bytes());
  work.set_flat_field_volume("volumes/none");
  ExpectRefused(spec, v1::NOT_FOUND, "deconvolve.flat_field_volume");
  work.set_flat_field_volume(service_.AddVolume(MakeSpec({1, 1, 4, 4, 4})));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "deconvolve.flat_field_volume");
  work.set_flat_field_volume(service_.AddVolume(MakeSpec({1, 1, 1, 4, 4})));
  EXPECT_TRUE(Report(spec).accepted()) << Report(spec).ShortDebugString();
  work.set_boundary(v1::PERIODIC);
  work.clear_tile();
  work.set_saturation_counts(100);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.saturation_counts");
  work.clear_saturation_counts();
  work.set_correct_motion(true);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.correct_motion");
}

TEST_F(PreflightTest, ViewsHaveAPsfEachAndNoDepths) {
  v1::Method views = RlMethod();
  views.set_name("rl-views");
  views.set_joins_channels(true);
  service_.capabilities().AddMethods({views});
  v1::JobSpec spec = service_.Deconvolve({1, 2, 4, 4, 4}, {4, 4, 4});
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  work.set_method("rl-views");
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "deconvolve.psf_volume");
  work.set_psf_volume(service_.AddVolume(MakeSpec({1, 2, 1, 1, 1}, v1::F32)));
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_TRUE(Says(report, v1::INFO, "2 channels are views of one specimen, and become one"));
  EXPECT_EQ(report.result_bytes(), 4U * 4 * 4);
  work.set_residual(true);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.residual");
  work.set_residual(false);
  work.add_psf_depths_um(1);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.psf_depths_um");
}

TEST_F(PreflightTest, PsfsOfSeveralDepthsLeaveNoMap) {
  v1::VolumeSpec image = MakeSpec({1, 1, 4, 4, 4});
  for (const auto set : {&v1::VoxelSize::set_z_um, &v1::VoxelSize::set_y_um, &v1::VoxelSize::set_x_um}) {
    (image.mutable_voxel_size()->*set)(0.1);
  }
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  work.set_input_volume(service_.AddVolume(image));
  for (const double depth : {0, 1}) work.add_psf_depths_um(depth);
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "deconvolve.psf_volume");
  work.set_psf_volume(service_.AddVolume(MakeSpec({2, 1, 1, 1, 1}, v1::F32)));
  EXPECT_TRUE(Says(Report(spec), v1::INFO, "the PSF of every depth that counts in it, of 2"));
  work.set_residual(true);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.residual");
}

TEST_F(PreflightTest, RefusesMoreThanOneMessageHolds) {
  v1::JobSpec spec = service_.Deconvolve({10'001, 1, 1, 1, 1}, {1, 1, 1});
  v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
  EXPECT_EQ(ExpectRefused(spec, v1::LIMIT_EXCEEDED, "deconvolve.input_volume").info().metadata().at("limit"), "10000");
  work.set_first_planes(1);
  EXPECT_TRUE(Report(spec).accepted()) << "what they tell is told once";
  work.clear_first_planes();
  const std::string channels = service_.AddVolume(MakeSpec({1, 257, 1, 1, 1}));
  work.set_input_volume(channels);
  EXPECT_TRUE(Report(spec).accepted());
  (*work.mutable_parameters())["iterations"] = "auto";
  ExpectRefused(spec, v1::LIMIT_EXCEEDED, "deconvolve.parameters");
  work.mutable_parameters()->erase("iterations");
  work.set_psf_volume(channels);
  ExpectRefused(spec, v1::LIMIT_EXCEEDED, "deconvolve.psf_volume");
}

TEST_F(PreflightTest, APsfThatIsCheckedMayServeManyChannels) {
  v1::JobSpec spec;
  v1::CheckPsfSpec& check = *spec.mutable_check_psf();
  check.set_microscopy(v1::WIDEFIELD);
  v1::Optics optics;
  optics.set_na(1.4);
  optics.set_emission_um(0.52);
  optics.set_ri_immersion(1.515);
  for (int i = 0; i < 3; ++i) *check.add_optics() = optics;
  check.set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 1, 1, 1})));
  const v1::PreflightReport one = Report(spec);
  EXPECT_TRUE(one.accepted()) << one.ShortDebugString();
  check.set_psf_volume(service_.AddVolume(MakeSpec({1, 2, 1, 1, 1})));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "check_psf.optics");
  check.set_psf_volume(service_.AddVolume(MakeSpec({86, 1, 1, 1, 1})));
  const v1::Finding many = ExpectRefused(spec, v1::LIMIT_EXCEEDED, "check_psf.psf_volume");
  EXPECT_EQ(many.info().metadata().at("limit"), "256");
  EXPECT_THAT(many.message(), HasSubstr("258"));
  check.clear_optics();
  check.clear_microscopy();
  EXPECT_TRUE(Report(spec).accepted());
  check.set_psf_volume(service_.AddVolume(MakeSpec({257, 1, 1, 1, 1})));
  ExpectRefused(spec, v1::LIMIT_EXCEEDED, "check_psf.psf_volume");
}

TEST_F(PreflightTest, TellsOfMorePlanes) {
  v1::Method method = RlMethod();
  *method.add_parameters() = MakeParameter("axial_upsample", v1::INTEGER, "1");
  service_.capabilities().AddMethods({method});
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 8, 8}, {12, 8, 8});
  (*spec.mutable_deconvolve()->mutable_parameters())["axial_upsample"] = "3";
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_TRUE(Says(report, v1::INFO, "the result has 12 planes"));
  EXPECT_EQ(report.result_bytes(), 12U * 8 * 8);
  EXPECT_EQ(report.tiles_per_frame(), 1U);
}

TEST_F(PreflightTest, RefusesUnknownNames) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_method("rx");
  EXPECT_THAT(ExpectRefused(spec, v1::UNKNOWN_METHOD, "deconvolve.method").info().remedy(), HasSubstr("rl"));
  spec.mutable_deconvolve()->set_method("rl");
  (*spec.mutable_deconvolve()->mutable_parameters())["iteration"] = "5";
  EXPECT_THAT(ExpectRefused(spec, v1::UNKNOWN_PARAMETER, "deconvolve.parameters[\"iteration\"]").info().remedy(),
              HasSubstr("iterations"));
  spec.mutable_deconvolve()->clear_parameters();
  (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = "0";
  ExpectRefused(spec, v1::PARAMETER_OUT_OF_RANGE, "deconvolve.parameters[\"iterations\"]");
}

TEST_F(PreflightTest, RefusesWhatTheMethodCannotDo) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_boundary(v1::MIRROR);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.boundary");
  spec.mutable_deconvolve()->clear_boundary();
  spec.mutable_deconvolve()->set_backend("cuda");
  ExpectRefused(spec, v1::NO_WORKER, "deconvolve.backend");
}

TEST_F(PreflightTest, RefusesVolumesThatAreNotThere) {
  const v1::JobSpec good = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  v1::JobSpec spec = good;
  spec.mutable_deconvolve()->set_input_volume("volumes/nothing");
  ExpectRefused(spec, v1::NOT_FOUND, "deconvolve.input_volume");
  spec = good;
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 1, 1, 1}, v1::F32), false));
  ExpectRefused(spec, v1::VOLUME_INCOMPLETE, "deconvolve.psf_volume");
  v1::SubmitJobRequest request;
  request.set_request_id("foreign");
  *request.mutable_spec() = good;
  EXPECT_EQ(ReasonOf(service_.jobs().Submit("somebody else", request).status()), v1::NOT_FOUND);
}

TEST_F(PreflightTest, EveryReasonIsNamed) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_input_volume("volumes/nothing");
  spec.mutable_deconvolve()->set_psf_volume("volumes/neither");
  spec.mutable_deconvolve()->set_method("nope");
  int refusals = 0;
  const v1::PreflightReport report = Report(spec);
  for (const v1::Finding& finding : report.findings()) refusals += finding.severity() == v1::REFUSAL;
  EXPECT_EQ(refusals, 3);
}

TEST_F(PreflightTest, RefusesAPsfThatDoesNotSuit) {
  v1::JobSpec spec = service_.Deconvolve({1, 3, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 2, 1, 1, 1}, v1::F32)));
  ExpectRefused(spec, v1::SHAPE_MISMATCH, "deconvolve.psf_volume");
  spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_psf_centre(v1::GIVEN);
  spec.mutable_deconvolve()->mutable_psf_centre_voxel()->set_y(1);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.psf_centre_voxel");
}

TEST_F(PreflightTest, SaysThatALargePsfIsCropped) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 1, 8, 8}, {0, 0, 0});
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 9, 9, 31}, v1::F32)));
  v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_TRUE(Says(report, v1::INFO, "cropped to 1 x 9 x 15")) << report.ShortDebugString();
  spec.mutable_deconvolve()->set_boundary(v1::PERIODIC);
  report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_TRUE(Says(report, v1::INFO, "wraps around"));
}

TEST_F(PreflightTest, RefusesWhatFitsIntoNoMemory) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 32, 32, 32}, {0, 0, 0});
  spec.mutable_deconvolve()->mutable_tile()->set_whole(true);
  service_.capabilities().SetExpectedMemory(100'000);
  ExpectRefused(spec, v1::OUT_OF_MEMORY, "");
}

TEST_F(PreflightTest, MemoryThatMaySufficeIsAWarning) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 32, 32, 32}, {0, 0, 0});
  spec.mutable_deconvolve()->mutable_tile()->set_whole(true);
  spec.mutable_deconvolve()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 31, 31, 31}, v1::F32)));
  service_.capabilities().SetExpectedMemory(20 * 36 * 36 * 36 + 8 * 31 * 31 * 31);
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_TRUE(Says(report, v1::WARNING, "if the part of the PSF"));
}

TEST_F(PreflightTest, RefusesTooManyTasks) {
  v1::JobSpec spec = service_.Deconvolve({2, 1, 1, 800, 800}, {1, 1, 1});
  ExpectRefused(spec, v1::LIMIT_EXCEEDED, "deconvolve.tile.core");
}

TEST_F(PreflightTest, RefusesWhatTheDiskCannotHold) {
  v1::JobSpec spec;
  v1::SimulateSpec& work = *spec.mutable_simulate();
  work = service_.Simulate().simulate();
  work.mutable_shape()->set_z(4096);
  work.mutable_shape()->set_y(16384);
  work.mutable_shape()->set_x(16384);
  const v1::Finding finding = ExpectRefused(spec, v1::DISK_FULL, "");
  EXPECT_FALSE(finding.info().metadata().at("need_bytes").empty());
  EXPECT_THAT(finding.info().remedy(), HasSubstr("`deconvoy job NAME --delete`"));
}

TEST_F(PreflightTest, TheResultAndTheScratchFileOfOneTaskMustFit) {
  const auto expect_need = [&](const v1::JobSpec& spec, int64_t bytes) {
    service_.files().SetFreeBytes(bytes - 1);
    const v1::Finding finding = ExpectRefused(spec, v1::DISK_FULL, "");
    EXPECT_EQ(finding.info().metadata().at("need_bytes"), std::to_string(bytes));
    service_.files().SetFreeBytes(bytes);
    EXPECT_TRUE(Report(spec).accepted());
    service_.files().SetFreeBytes(std::nullopt);
  };
  const v1::JobSpec tiles = service_.Deconvolve({2, 1, 2, 8, 4}, {2, 4, 4});
  expect_need(tiles, 2 * 2 * 8 * 4 + 2 * 4 * 4);
  v1::JobSpec projection;
  projection.mutable_project()->set_input_volume(service_.AddVolume(MakeSpec({2, 3, 2, 8, 4}, v1::U16)));
  projection.mutable_project()->set_axis(v1::ProjectSpec::Z);
  const auto frame = static_cast<int64_t>(Report(projection).result_bytes()) / 6;
  expect_need(projection, 7 * frame);
  const v1::JobSpec simulation = service_.Simulate();
  expect_need(simulation, 2 * static_cast<int64_t>(Report(simulation).result_bytes()));
}

TEST_F(PreflightTest, RefusesASimulationThatNoWorkerCouldHold) {
  const v1::JobSpec spec = service_.Simulate(64);
  service_.capabilities().SetExpectedMemory(8 * 64 * 64 * 64);
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_EQ(report.worker_memory_bytes(), 8U * 64 * 64 * 64);
  service_.capabilities().SetExpectedMemory(8 * 64 * 64 * 64 - 1);
  const v1::Finding finding = ExpectRefused(spec, v1::OUT_OF_MEMORY, "");
  EXPECT_EQ(finding.info().metadata().at("need_bytes"), std::to_string(8 * 64 * 64 * 64));
}

TEST_F(PreflightTest, AGivenPsfTakesMoreMemoryThanAGaussian) {
  v1::JobSpec spec = service_.Simulate(16);
  spec.mutable_simulate()->clear_psf_fwhm();
  spec.mutable_simulate()->set_psf_volume(service_.AddVolume(MakeSpec({1, 1, 3, 3, 3}, v1::F32)));
  EXPECT_EQ(Report(spec).worker_memory_bytes(), 8U * 16 * 16 * 16 + 24U * 20 * 20 * 20 + 13U * 27);
  spec.mutable_simulate()->set_periodic(true);
  EXPECT_EQ(Report(spec).worker_memory_bytes(), (8U + 24U) * 16 * 16 * 16 + 13U * 27);
}

TEST_F(PreflightTest, RefusesAProjectionOfPlanesThatNoWorkerCouldHold) {
  v1::JobSpec spec;
  spec.mutable_project()->set_input_volume(service_.AddVolume(MakeSpec({1, 1, 2, 64, 32})));
  spec.mutable_project()->set_axis(v1::ProjectSpec::Y);
  EXPECT_EQ(Report(spec).worker_memory_bytes(), 5U * (64 * 32 + 2 * 32));
  service_.capabilities().SetExpectedMemory(1000);
  ExpectRefused(spec, v1::OUT_OF_MEMORY, "");
}

TEST_F(PreflightTest, RefusesAnAnalysisThatNoWorkerCouldHold) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 2, 64, 64}, {1, 8, 8});
  service_.capabilities().SetExpectedMemory(5 * 64 * 64);
  const v1::PreflightReport report = Report(spec);
  EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
  EXPECT_EQ(report.worker_memory_bytes(), 5U * 64 * 64) << "more than a tile";
  service_.capabilities().SetExpectedMemory(5 * 64 * 64 - 1);
  ExpectRefused(spec, v1::OUT_OF_MEMORY, "");
}

TEST_F(PreflightTest, WarnsOfVoxelSizesInAnotherUnit) {
  struct Case {
    double z_um, y_um, x_um;
    bool odd;
  };
  for (const Case& given : {Case{0.2, 0.065, 0.065, false}, Case{200, 65, 65, true}, Case{10, 10, 0.001, false},
                            Case{10.1, 1, 1, true}, Case{0.1, 0.1, 0.0009, true}, Case{0, 0, 0, false}}) {
    v1::VolumeSpec volume = MakeSpec({1, 1, 4, 4, 4});
    volume.mutable_voxel_size()->set_z_um(given.z_um);
    volume.mutable_voxel_size()->set_y_um(given.y_um);
    volume.mutable_voxel_size()->set_x_um(given.x_um);
    v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
    spec.mutable_deconvolve()->set_input_volume(service_.AddVolume(volume));
    const v1::PreflightReport report = Report(spec);
    EXPECT_TRUE(report.accepted());
    EXPECT_EQ(Says(report, v1::WARNING, "the image has voxels of"), given.odd) << report.ShortDebugString();
    EXPECT_FALSE(Says(report, v1::WARNING, "the PSF has voxels of"));
  }
}

TEST_F(PreflightTest, AsksWhetherImageAndPsfAreSwappedWhereThePsfIsLargerAlongEveryAxis) {
  struct Case {
    Shape3 psf, image;
    bool asks;
  };
  for (const Case& given : {Case{{12, 14, 16}, {11, 13, 15}, true}, Case{{12, 14, 16}, {12, 13, 15}, false},
                            Case{{12, 14, 16}, {12, 14, 16}, false}, Case{{1, 14, 16}, {1, 13, 15}, true},
                            Case{{5, 14, 16}, {1, 13, 15}, true}, Case{{1, 14, 16}, {5, 13, 15}, false},
                            Case{{1, 1, 1}, {1, 1, 1}, false}}) {
    for (const v1::Boundary boundary : {v1::EXTEND, v1::PERIODIC}) {
      v1::JobSpec spec;
      v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
      work.set_method("rl");
      work.set_boundary(boundary);
      const auto add = [this](const Shape3& s) { return service_.AddVolume(MakeSpec({1, 1, s.z, s.y, s.x})); };
      work.set_input_volume(add(given.image));
      work.set_psf_volume(add(given.psf));
      const v1::PreflightReport report = Report(spec);
      EXPECT_TRUE(report.accepted()) << report.ShortDebugString();
      EXPECT_EQ(Says(report, v1::WARNING, "are the two swapped?"), given.asks) << report.ShortDebugString();
    }
  }
}

TEST_F(PreflightTest, BeforeTheUploadAllButTheVolumesIsChecked) {
  v1::JobSpec spec;
  spec.mutable_deconvolve()->set_input_volume("volumes/later");
  spec.mutable_deconvolve()->set_psf_volume("volumes/later");
  const auto fields = [&] {
    std::vector<std::string> found;
    const v1::PreflightReport report = Report(spec);
    for (const v1::Finding& finding : report.findings()) {
      if (!finding.info().field().ends_with("_volume")) found.push_back(finding.info().field());
    }
    return found;
  };
  spec.mutable_deconvolve()->set_method("rl");
  EXPECT_THAT(fields(), ::testing::IsEmpty());
  spec.mutable_deconvolve()->set_backend("cuda");
  EXPECT_THAT(fields(), ::testing::ElementsAre("deconvolve.backend"));
  spec.mutable_deconvolve()->set_boundary(v1::MIRROR);
  EXPECT_THAT(fields(), ::testing::ElementsAre("deconvolve.boundary"));
  (*spec.mutable_deconvolve()->mutable_parameters())["iterations"] = "99999999999999999999";
  EXPECT_THAT(fields(), ::testing::ElementsAre("deconvolve.parameters[\"iterations\"]"));
  spec.mutable_deconvolve()->set_method("lr");
  EXPECT_THAT(fields(), ::testing::ElementsAre("deconvolve.method"));
}

TEST_F(PreflightTest, TheJobKeepsEveryDefault) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->clear_parameters();
  const v1::DeconvolveSpec kept = service_.Get(service_.Submit(spec)).spec().deconvolve();
  EXPECT_EQ(kept.parameters().at("iterations"), "10");
  EXPECT_EQ(kept.boundary(), v1::EXTEND);
  EXPECT_FALSE(kept.has_gain_photons_per_count()) << "nobody knows it";
  EXPECT_FALSE(kept.has_offset_counts());
  EXPECT_EQ(kept.psf_energy(), 0.999);
  EXPECT_EQ(kept.psf_centre(), v1::AUTO_CENTRE);
  EXPECT_TRUE(kept.background_auto());
}

TEST_F(PreflightTest, BackgroundsOfPlanesAreAsManyAsPlanes) {
  v1::JobSpec spec = service_.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  for (int z = 0; z < 3; ++z) spec.mutable_deconvolve()->mutable_background_planes()->add_counts(z);
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.background_planes");
  spec.mutable_deconvolve()->mutable_background_planes()->add_counts(3);
  EXPECT_EQ(service_.Get(service_.Submit(spec)).spec().deconvolve().background_planes().counts_size(), 4);
}

TEST_F(PreflightTest, ARegionTakesAndMakesOnlyWhatItIs) {
  TestWorker worker(service_, "w");
  ASSERT_OK(worker.Register());
  v1::JobSpec spec = service_.Deconvolve({2, 1, 8, 40, 40}, {4, 8, 8});
  const v1::PreflightReport whole = Report(spec);
  *spec.mutable_deconvolve()->mutable_region_origin() = ToProto(Voxel{2, 3, 5});
  *spec.mutable_deconvolve()->mutable_region_shape() = ToProto(Shape3{4, 8, 16});
  const v1::PreflightReport region = Report(spec);
  ASSERT_TRUE(region.accepted()) << region.ShortDebugString();
  EXPECT_EQ(whole.tiles_per_frame(), 2U * 5 * 5);
  EXPECT_EQ(region.tiles_per_frame(), 2U);
  EXPECT_EQ(region.result_bytes(), 2U * 4 * 8 * 16);
  EXPECT_LT(region.compute_seconds(), whole.compute_seconds() / 10);
  EXPECT_TRUE(Says(region, v1::INFO, "voxel 0,0,0 of the result is 2,3,5 of the image"));
  spec.mutable_deconvolve()->mutable_region_origin()->set_x(25);
  const v1::Finding outside = ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.region_shape");
  EXPECT_THAT(outside.message(), HasSubstr("columns 25:41 does not lie inside the image of 8 x 40 x 40 voxels"));
  EXPECT_THAT(outside.info().remedy(), HasSubstr("columns 0:40"));
  spec.mutable_deconvolve()->clear_region_origin();
  ExpectRefused(spec, v1::INVALID_FIELD, "deconvolve.region_origin");
}

}  // namespace
}  // namespace deconvoy::server
