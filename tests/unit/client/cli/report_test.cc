#include "client/cli/report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "client/cli/job_run.h"
#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::client {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::SizeIs;

v1::Job Done() {
  v1::Job job;
  job.set_name("jobs/a");
  job.set_state(v1::SUCCEEDED);
  job.mutable_spec()->mutable_deconvolve()->set_method("rl");
  job.mutable_spec()->mutable_deconvolve()->set_output_type(v1::U16);
  v1::FrameStatistics& frame = *job.add_frames();
  frame.set_minimum(1);
  frame.set_maximum(250.25);
  frame.set_mean(17.5);
  frame.set_background(9);
  v1::ResultStatistics& result = *job.mutable_result();
  result.set_maximum(4096);
  result.set_input_sum(2e6);
  result.set_sum(1.99e6);
  job.mutable_create_time()->set_seconds(1000);
  job.mutable_start_time()->set_seconds(1002);
  job.mutable_end_time()->set_seconds(1007);
  job.mutable_end_time()->set_nanos(250'000'000);
  return job;
}

TEST(JobReportTest, SaysInputResultLightClippingAndTime) {
  EXPECT_THAT(
      JobReport(Done()),
      ElementsAre(
          "input: 1 to 250.25 counts, background 9", "result: 0 to 4096 counts, background removed",
          "light: 2000000 counts above background in the input, 1990000 in the result (99.5 %): as it should be",
          "clipped: no voxel", "time: 5.2 s computing, 2.0 s in the queue"));
}

TEST(JobReportTest, CountsAreThoseOfTheFile) {
  v1::Job job = Done();
  v1::DeconvolveSpec& spec = *job.mutable_spec()->mutable_deconvolve();
  spec.set_offset_counts(100);
  spec.set_gain_photons_per_count(2);
  spec.set_dark_photons(5);
  EXPECT_THAT(JobReport(job), Contains("input: 103 to 227.62 counts, background 4.5 above the offset of 100; brightest "
                                       "voxel 250.25 photons"));
}

TEST(JobReportTest, LightThatIsMissingOrTooMuchIsSaid) {
  v1::Job job = Done();
  job.mutable_result()->set_sum(2.6e6);
  EXPECT_THAT(JobReport(job), Contains(HasSubstr("(130.0 %): more than blur alone explains")));
  job.mutable_result()->set_sum(1.6e6);
  EXPECT_THAT(JobReport(job), Contains(HasSubstr("(80.0 %): light is missing; give more iterations")));
  job.mutable_spec()->mutable_deconvolve()->set_method("network");
  EXPECT_THAT(JobReport(job), Contains(HasSubstr("(80.0 %): light is missing; check background and PSF, or whether")));
}

TEST(JobRowTest, AJobThatWaitsSaysForWhat) {
  v1::Job job = Done();
  job.set_state(v1::RUNNING);
  job.mutable_progress()->set_activity("waiting for a worker with 2 GiB of memory");
  EXPECT_THAT(JobRow(job), Contains("0 %, waiting for a worker with 2 GiB of memory"));
  EXPECT_THAT(JobDetails(job), Contains("progress: 0 %, waiting for a worker with 2 GiB of memory, 0 of 0 tasks"));
  job.mutable_progress()->set_activity("waiting");
  EXPECT_THAT(JobRow(job), Contains("0 %, waiting for its turn"));
  job.mutable_progress()->set_activity("tile 1 of 2");
  EXPECT_THAT(JobRow(job), Contains("0 %"));
}

TEST(JobReportTest, SaysWhatWasFoundOnASample) {
  v1::Job job = Done();
  v1::Calibration& found = *job.add_calibrations();
  found.set_parameter("iterations");
  found.set_value("37");
  found.set_criterion("likelihood of held-out photons, 2 tiles");
  for (const auto& [value, score] : {std::pair("1", 900.0), std::pair("37", 500.0), std::pair("80", 512.5)}) {
    found.add_candidates()->set_value(value);
    found.mutable_candidates(found.candidates_size() - 1)->set_score(score);
  }
  EXPECT_THAT(JobReport(job), Contains("iterations: 37 (likelihood of held-out photons, 2 tiles)"));
  EXPECT_THAT(JobDetails(job), Contains("  3 tried: at 1 the score is 400 above that at 37, at 80 12.5"));
  v1::Calibration& spectrum = *job.add_calibrations();
  spectrum.set_c(1);
  spectrum.set_parameter("nsr");
  spectrum.set_criterion("spectrum of the data");
  EXPECT_THAT(JobReport(job), Contains("nsr, channel 1: by frequency (spectrum of the data)"));
}

TEST(JobDetailsTest, TellsHowThePsfWasEstimated) {
  v1::Job job = Done();
  v1::PsfEstimate& estimate = *job.add_psf_estimates();
  estimate.set_c(1);
  estimate.set_t(3);
  for (const double value : {500.0, 420.0, 400.25}) estimate.add_objective()->set_value(value);
  EXPECT_THAT(JobDetails(job), Contains("PSF of channel 1: estimated at t=3 in 3 rounds, objective 500 after the first "
                                        "and 400.25 after the last"));
}

TEST(PsfFileTest, LiesBesideTheResult) {
  EXPECT_EQ(PsfFileBeside("a/out.tif"), "a/out.psf.tif");
  EXPECT_EQ(PsfFileBeside("a.b/out.ome.tif"), "a.b/out.psf.ome.tif");
  EXPECT_EQ(PsfFileBeside("out"), "out.psf");
}

TEST(JobDetailsTest, TheObjectiveIsDrawn) {
  v1::Job job = Done();
  for (int i = 0; i < 4; ++i) {
    v1::ObjectiveValue& value = *job.add_objective();
    value.set_iteration(static_cast<uint32_t>(i + 1));
    value.set_value(100.0 - 30 * i);
  }
  EXPECT_THAT(JobDetails(job), Contains("objective: 100 after iteration 1, 10 after 4  █▆▃▁"));
  EXPECT_THAT(JobDetails(job), Not(Contains(HasSubstr("residual:"))));
  EXPECT_THAT(JobDetails(Done()), Not(Contains(HasSubstr("objective"))));
  for (int i = 0; i < 400; ++i) *job.add_objective() = job.objective(3);
  EXPECT_THAT(JobDetails(job), Contains(HasSubstr("█▁▁▁")));
}

TEST(JobReportTest, QualityIsSaidInFewNumbers) {
  v1::Job job = Done();
  v1::QualityStatistics& quality = *job.mutable_result()->mutable_quality();
  quality.set_voxels(1000);
  quality.set_residual_sum(-100);
  quality.set_residual_squares(1210);
  quality.set_neighbours(500);
  quality.set_neighbour_products(0.13 * 500);
  quality.set_neighbours_y(500);
  quality.set_neighbour_products_y(0.25 * 500);
  EXPECT_THAT(JobReport(job), Contains("residual: rms 1.10, bias -0.10, correlation 0.00, 0.20, 0.10 along z, y, x; "
                                       "rms and bias in units of noise only where a count is a photon"));
  job.mutable_spec()->mutable_deconvolve()->set_gain_photons_per_count(1);
  EXPECT_THAT(JobReport(job), Contains("residual: rms 1.10, bias -0.10, correlation 0.00, 0.20, 0.10 along z, y, x"))
      << "a given 1 is known";
  job.mutable_spec()->mutable_deconvolve()->set_gain_photons_per_count(0.5);
  quality.set_flat_voxels(64);
  quality.set_flat_squares_before(100);
  quality.set_flat_squares_after(900);
  quality.set_faint_voxels(64);
  quality.set_faint_light_before(50);
  quality.set_faint_light_after(40);
  EXPECT_THAT(JobReport(job), Contains("residual: rms 1.10, bias -0.10, correlation 0.00, 0.20, 0.10 along z, y, x"));
  EXPECT_THAT(JobReport(job), Contains("flat regions: the result varies 3 times as much as the image"));
  EXPECT_THAT(JobReport(job), Contains("faint structures: 80 % of their light explained"));
}

TEST(JobReportTest, CountsAreThoseOfTheFileAndPhotonsAreNamed) {
  v1::Job job = Done();
  job.mutable_spec()->mutable_deconvolve()->set_offset_counts(100);
  job.mutable_spec()->mutable_deconvolve()->set_gain_photons_per_count(0.5);
  EXPECT_THAT(JobReport(job), Contains("input: 102 to 600.5 counts, background 18 above the offset of 100; brightest "
                                       "voxel 250.25 photons"));
  EXPECT_THAT(JobReport(job), Contains("result: 0 to 4096 counts, background and offset removed"));
}

TEST(JobReportTest, AKeptOffsetIsNoLight) {
  v1::Job job = Done();
  job.mutable_spec()->mutable_deconvolve()->set_offset_counts(100);
  job.mutable_spec()->mutable_deconvolve()->set_keep_offset(true);
  EXPECT_THAT(JobReport(job), Contains("result: 0 to 4096 counts, background removed, offset kept"));
  EXPECT_THAT(JobReport(job), Not(Contains(HasSubstr("light"))));
}

TEST(JobReportTest, WhatIsNothingBesideTheMaximumIsZero) {
  v1::Job job = Done();
  job.mutable_result()->set_minimum(1.25e-30);
  EXPECT_THAT(JobReport(job), Contains("result: 0 to 4096 counts, background removed"));
  job.mutable_result()->set_maximum(8e-30);
  EXPECT_THAT(JobReport(job), Contains("result: 1.25e-30 to 8e-30 counts, background removed"))
      << "a dim image is none the less an image";
}

TEST(JobReportTest, NamesTimePointAndChannelOfSeveralFrames) {
  v1::Job job = Done();
  *job.add_frames() = job.frames(0);
  job.mutable_frames(1)->set_c(1);
  EXPECT_THAT(JobReport(job), Contains("input, time point 0, channel 1: 1 to 250.25 counts, background 9"));
}

TEST(JobReportTest, CountsWhatWasClipped) {
  v1::Job job = Done();
  job.mutable_result()->set_clipped_voxels(12);
  EXPECT_THAT(JobReport(job), Contains("clipped: 12 voxels did not fit the result's type u16 (0 to 65535)"));
  job.mutable_spec()->mutable_deconvolve()->set_output_type(v1::F32);
  job.mutable_result()->set_clipped_voxels(0);
  EXPECT_THAT(JobReport(job), Not(Contains(HasSubstr("clipped"))));
}

TEST(JobReportTest, ListsFewFrames) {
  v1::Job job = Done();
  for (int i = 0; i < 20; ++i) *job.add_frames() = job.frames(0);
  EXPECT_THAT(JobReport(job), Contains("input: and 13 more frames (deconvoy job, --json)"));
}

TEST(JobDetailsTest, ShowsErrorAndLogEscaped) {
  v1::Job job = Done();
  job.set_state(v1::FAILED);
  *job.mutable_error() = ToStored(MakeError({.reason = v1::OUT_OF_MEMORY, .remedy = "Take smaller tiles."}, "no room"));
  job.set_worker_log("one\ntwo\x1b[31m\n");
  const auto lines = JobDetails(job);
  EXPECT_THAT(lines, Contains("state: failed"));
  EXPECT_THAT(lines, Contains("error: no room"));
  EXPECT_THAT(lines, Contains("  Take smaller tiles."));
  EXPECT_THAT(lines, Contains("  one"));
  EXPECT_THAT(lines, Contains("  two\\x1B[31m"));
}

TEST(JobDetailsTest, ShowsTheWholeSpecification) {
  v1::Job job = Done();
  v1::DeconvolveSpec& spec = *job.mutable_spec()->mutable_deconvolve();
  (*spec.mutable_parameters())["iterations"] = "12";
  spec.set_boundary(v1::MIRROR);
  spec.set_offset_counts(100);
  spec.set_gain_photons_per_count(0.46);
  spec.set_read_noise_photons(1.6);
  spec.set_background_counts(7);
  spec.set_psf_centre(v1::GEOMETRIC_LOW);
  spec.set_backend("cpu");
  spec.mutable_tile()->mutable_core()->set_z(32);
  const auto lines = JobDetails(job);
  for (const char* line :
       {"method: rl", "  iterations: 12", "  boundary: mirror", "  tile: core of 32,0,0", "  backend: cpu",
        "  offset: 100 counts", "  gain: 0.46 photons per count", "  read noise: 1.6 photons",
        "  background: 7 counts above the offset", "  centre: geometric-low", "  energy: 0.999", "result type: u16",
        "  camera offset: removed"})
    EXPECT_THAT(lines, Contains(line));
  job.mutable_spec()->mutable_simulate()->set_kind(v1::FILAMENTS);
  EXPECT_THAT(JobDetails(job), Contains("specimen: filaments"));
  job.mutable_spec()->mutable_project()->set_axis(v1::ProjectSpec::Y);
  EXPECT_THAT(JobDetails(job), Contains("  maximum along: y"));
  job.mutable_spec()->mutable_check_psf()->set_psf_background_counts(101.5);
  EXPECT_THAT(JobDetails(job), Contains("  background: 101.5"));
}

TEST(TableTest, AlignsColumns) {
  EXPECT_THAT(Table({"A", "LONGER", "B"}, {{"first", "x", ""}, {"2", "y", "z"}}),
              ElementsAre("A      LONGER  B", "first  x", "2      y       z"));
}

TEST(ToProgressTest, NamesThePhaseByTheActivity) {
  v1::JobProgress progress;
  progress.set_fraction(0.25);
  progress.set_activity("tile 3 of 8");
  progress.set_iteration(7);
  progress.set_iterations_total(20);
  progress.set_megavoxels_per_second(41.25);
  const ProgressState tile = ToProgress(progress);
  EXPECT_EQ(tile.phase, "deconvolve");
  EXPECT_EQ(tile.fraction, 0.25);
  EXPECT_EQ(tile.detail, "tile 3 of 8, iteration 7 of 20");
  EXPECT_EQ(tile.rate, "41.2 Mvoxel/s");
  EXPECT_EQ(tile.figures["iterations_total"], 20);
  v1::ObjectiveValue& objective = *progress.mutable_objective();
  objective.set_iteration(5);
  objective.set_value(1234.5678);
  EXPECT_EQ(ToProgress(progress).detail, "tile 3 of 8, iteration 7 of 20, objective 1235");
  objective.set_residual_squares(1);
  objective.set_data_squares(400);
  EXPECT_EQ(ToProgress(progress).detail, "tile 3 of 8, iteration 7 of 20, objective 1235, residual 5.00 %");
  EXPECT_EQ(ToProgress(progress).figures["objective"]["iteration"], 5);
  EXPECT_EQ(ToProgress(progress).figures["objective"]["data_squares"], 400);
  progress.Clear();
  progress.set_activity("analyse");
  EXPECT_EQ(ToProgress(progress).phase, "analyse");
  EXPECT_EQ(ToProgress(progress).detail, "");
  progress.set_activity("calibrate on sample 2 of 3");
  EXPECT_EQ(ToProgress(progress).phase, "calibrate");
  EXPECT_EQ(ToProgress(progress).detail, "calibrate on sample 2 of 3");
  for (const char* activity : {"train, part 3 of 15", "finish the training"}) {
    progress.set_activity(activity);
    EXPECT_EQ(ToProgress(progress).phase, "train");
  }
  for (const char* alone : {"model the PSF", "distil the PSF", "simulate"}) {
    progress.set_activity(alone);
    EXPECT_EQ(ToProgress(progress).phase, alone);
    EXPECT_EQ(ToProgress(progress).detail, "");
  }
}

TEST(NoteTest, SaysSeverityMessageAndRemedy) {
  v1::Finding finding;
  finding.set_severity(v1::WARNING);
  finding.set_message("the PSF is cut off");
  finding.mutable_info()->set_remedy("Give a larger one.");
  EXPECT_EQ(NoteText(ToNote(finding)), "warning: the PSF is cut off. Give a larger one.");
  finding.set_severity(v1::INFO);
  finding.clear_info();
  EXPECT_EQ(NoteText(ToNote(finding)), "note: the PSF is cut off");
}

TEST(JobArgumentTest, TakesNameOrId) {
  EXPECT_EQ(JobArgument("abc"), "jobs/abc");
  EXPECT_EQ(JobArgument("jobs/abc"), "jobs/abc");
}

TEST(JobReportTest, SaysWhatWasFoundOfTheCamera) {
  v1::Job job = Done();
  job.mutable_spec()->mutable_deconvolve()->set_estimate_gain(true);
  v1::ChannelFacts& channel = *job.add_channels();
  channel.set_gain_photons_per_count(0.5);
  EXPECT_THAT(JobReport(job), Contains(HasSubstr("brightest voxel 250.25 photons")));
  EXPECT_THAT(JobReport(job), Not(Contains(HasSubstr("camera"))));
  channel.set_gain_error(0.0123);
  channel.set_read_noise_photons(2.25);
  channel.set_read_noise_estimated(true);
  channel.add_bad_pixels(17);
  EXPECT_THAT(JobReport(job), Contains("camera: gain 0.5 +- 0.012 photons per count, read noise 2.25 photons"));
  EXPECT_THAT(JobReport(job), Contains("camera: 1 bad pixels (deconvoy job, --json)"));
  EXPECT_THAT(JobDetails(job), Contains("  gain: auto"));
  EXPECT_THAT(JobDetails(job), Contains("  read noise: auto"));
}

}  // namespace
}  // namespace deconvoy::client
