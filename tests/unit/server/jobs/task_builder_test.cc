#include "server/jobs/task_builder.h"

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

// The channels of a 2-channel image, and which channel of the PSF the tile of each is given.
std::map<uint32_t, uint32_t> PsfOfChannel(int64_t psf_channels) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 2, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_psf_volume(service.AddVolume(MakeSpec({1, psf_channels, 1, 1, 1}, v1::F32)));
  service.Submit(spec);
  std::map<uint32_t, uint32_t> psf_of_channel;
  while (const std::optional<v1::Task> task = worker.Take()) {
    if (task->has_tile()) psf_of_channel[task->tile().core().c()] = task->tile().psfs(0).c();
    EXPECT_OK(worker.Deliver(*task));
  }
  return psf_of_channel;
}

TEST(TaskBuilderTest, EveryChannelHasItsOwnPsf) {
  EXPECT_EQ(PsfOfChannel(2), (std::map<uint32_t, uint32_t>{{0, 0}, {1, 1}}));
}

TEST(TaskBuilderTest, OnePsfIsThatOfAllChannels) {
  EXPECT_EQ(PsfOfChannel(1), (std::map<uint32_t, uint32_t>{{0, 0}, {1, 0}}));
}

TEST(TaskBuilderTest, ATileYieldsItsCoreOfTheResidualToo) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 1, 4, 8, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_residual(true);
  const std::string job = service.Submit(spec);
  ASSERT_EQ(service.Get(job).outputs_size(), 2);
  while (const std::optional<v1::Task> task = worker.Take()) {
    if (task->has_tile()) {
      ASSERT_EQ(task->outputs_size(), 2);
      for (int i = 0; i < 2; ++i) {
        EXPECT_EQ(task->outputs(i).volume(), service.Get(job).outputs(i).volume());
        EXPECT_EQ(task->outputs(i).box().SerializeAsString(), task->tile().core().SerializeAsString());
      }
      EXPECT_EQ(task->outputs(1).type(), v1::F32);
    }
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_EQ(service.Get(job).state(), v1::SUCCEEDED);
}

TEST(TaskBuilderTest, WhatChannelsAreCalledIsNotToldToWhoComputes) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 2, 4, 4, 4}, {4, 4, 4});
  v1::VolumeSpec image = MakeSpec({1, 2, 4, 4, 4});
  for (int c = 0; c < 2; ++c) image.add_channels()->set_name(std::string(255, 'x'));
  spec.mutable_deconvolve()->set_input_volume(service.AddVolume(image));
  const std::string job = service.Submit(spec);
  int tasks = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    ++tasks;
    for (const v1::VolumeAccess& input : task->inputs()) EXPECT_EQ(input.spec().channels_size(), 0) << input.volume();
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_GT(tasks, 2) << "analysis and tiles";
  EXPECT_EQ(service.Get(job).state(), v1::SUCCEEDED);
}

TEST(TaskBuilderTest, EveryFrameHasItsOwnStatistics) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  service.Submit(service.Deconvolve({2, 3, 4, 4, 4}, {4, 4, 4}));
  int tiles = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    if (task->has_tile()) {
      ++tiles;
      EXPECT_EQ(task->tile().frames(0).t(), task->tile().core().t());
      EXPECT_EQ(task->tile().frames(0).c(), task->tile().core().c());
    }
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_EQ(tiles, 6);
}

// All tiles of a job.
std::vector<v1::TileTask> TilesOf(JobService& service, TestWorker& worker, const v1::JobSpec& spec) {
  service.Submit(spec);
  std::vector<v1::TileTask> tiles;
  while (const std::optional<v1::Task> task = worker.Take()) {
    if (task->has_tile()) tiles.push_back(task->tile());
    EXPECT_OK(worker.Deliver(*task));
  }
  return tiles;
}

TEST(TaskBuilderTest, ATileHasThePsfOfEveryDepth) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::VolumeSpec image = MakeSpec({1, 2, 4, 4, 4});
  for (const auto set : {&v1::VoxelSize::set_z_um, &v1::VoxelSize::set_y_um, &v1::VoxelSize::set_x_um}) {
    (image.mutable_voxel_size()->*set)(0.1);
  }
  v1::JobSpec spec = service.Deconvolve({1, 2, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_input_volume(service.AddVolume(image));
  spec.mutable_deconvolve()->set_psf_volume(service.AddVolume(MakeSpec({3, 2, 1, 1, 1}, v1::F32)));
  for (const double depth : {0, 1, 2}) spec.mutable_deconvolve()->add_psf_depths_um(depth);
  const std::vector<v1::TileTask> tiles = TilesOf(service, worker, spec);
  ASSERT_EQ(tiles.size(), 2U);
  for (const v1::TileTask& tile : tiles) {
    ASSERT_EQ(tile.psfs_size(), 3);
    for (uint32_t t = 0; t < 3; ++t) {
      EXPECT_EQ(tile.psfs(static_cast<int>(t)).t(), t);
      EXPECT_EQ(tile.psfs(static_cast<int>(t)).c(), tile.core().c());
    }
  }
}

TEST(TaskBuilderTest, JoinedChannelsAreOneTilesViews) {
  JobService service;
  TestWorker worker(service, "a");
  v1::Method method = RlMethod();
  method.set_name("rl-views");
  method.set_joins_channels(true);
  *worker.registration.add_methods() = method;
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({2, 3, 4, 4, 4}, {4, 4, 4});
  spec.mutable_deconvolve()->set_method("rl-views");
  EXPECT_FALSE(service.TrySubmit(spec).ok()) << "one PSF for three views";
  spec.mutable_deconvolve()->set_psf_volume(service.AddVolume(MakeSpec({1, 3, 1, 1, 1}, v1::F32)));
  const std::vector<v1::TileTask> tiles = TilesOf(service, worker, spec);
  ASSERT_EQ(tiles.size(), 2U) << "one for each time point";
  for (uint32_t t = 0; t < 2; ++t) {
    const v1::TileTask& tile = tiles[t];
    EXPECT_EQ(tile.core().t(), t);
    ASSERT_EQ(tile.psfs_size(), 3);
    ASSERT_EQ(tile.frames_size(), 3);
    for (int c = 0; c < 3; ++c) {
      EXPECT_EQ(tile.psfs(c).c(), static_cast<uint32_t>(c));
      EXPECT_EQ(tile.frames(c).c(), static_cast<uint32_t>(c));
      EXPECT_EQ(tile.frames(c).t(), t);
    }
  }
}

TEST(TaskBuilderTest, TheMaskIsAnInputOfAnalysisAndTiles) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 1, 4, 4, 4}, {4, 4, 4});
  const std::string mask = service.AddVolume(MakeSpec({1, 1, 4, 4, 4}));
  spec.mutable_deconvolve()->set_mask_volume(mask);
  service.Submit(spec);
  int tasks = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    ++tasks;
    ASSERT_EQ(task->inputs_size(), 3);
    EXPECT_EQ(task->inputs(2).volume(), mask);
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_EQ(tasks, 2);
}

TEST(TaskBuilderTest, TilesHaveTheFlatFieldAndTheCamerasOfTheirChannels) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 2, 4, 4, 4}, {4, 4, 4});
  const std::string flat = service.AddVolume(MakeSpec({1, 1, 1, 4, 4}));
  spec.mutable_deconvolve()->set_flat_field_volume(flat);
  service.Submit(spec);
  int tasks = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    ++tasks;
    ASSERT_EQ(task->inputs_size(), 3);
    EXPECT_EQ(task->inputs(2).volume(), flat);
    if (task->has_tile()) {
      ASSERT_EQ(task->tile().channels_size(), 1);
      EXPECT_EQ(task->tile().channels(0).c(), task->tile().core().c());
      EXPECT_EQ(task->tile().channels(0).gain_photons_per_count(), 1 + task->tile().core().c());
    }
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_EQ(tasks, 3);
}

// Tiles speak of the image, their outputs of the result.
TEST(TaskBuilderTest, TilesOfARegionLieAtItsPlaceAndYieldTheResult) {
  JobService service;
  TestWorker worker(service, "a");
  EXPECT_OK(worker.Register());
  v1::JobSpec spec = service.Deconvolve({1, 1, 8, 20, 20}, {4, 4, 5}, "previous");
  v1::VolumeSpec image = MakeSpec({2, 1, 8, 20, 20});
  spec.mutable_deconvolve()->set_input_volume(service.AddVolume(image));
  spec.mutable_deconvolve()->set_residual(true);
  const Box3 region{{2, 3, 5}, {4, 8, 10}};
  *spec.mutable_deconvolve()->mutable_region_origin() = ToProto(region.origin);
  *spec.mutable_deconvolve()->mutable_region_shape() = ToProto(region.shape);
  const std::string job = service.Submit(spec);
  int64_t voxels = 0;
  while (const std::optional<v1::Task> task = worker.Take()) {
    if (task->has_tile()) {
      const Box3 core = ToFrameBox(task->tile().core()).box, loaded = ToFrameBox(task->tile().loaded()).box;
      EXPECT_TRUE(region.Contains(core));
      EXPECT_TRUE((Box3{{}, {8, 20, 20}}.Contains(loaded)));
      EXPECT_TRUE(loaded.Contains(core));
      for (const v1::OutputPiece& piece : task->outputs()) {
        EXPECT_EQ(ToFrameBox(piece.box()).box, (Box3{core.origin - region.origin, core.shape}));
      }
      EXPECT_EQ(task->tile().preview_step(), 1U);
      voxels += core.shape.voxels();
    }
    EXPECT_OK(worker.Deliver(*task));
  }
  EXPECT_EQ(voxels, 2 * region.shape.voxels());
  const v1::Job ended = service.Get(job);
  ASSERT_EQ(ended.state(), v1::SUCCEEDED) << ended.ShortDebugString();
  service.CheckResult(ended);
}

}  // namespace
}  // namespace deconvoy::server
