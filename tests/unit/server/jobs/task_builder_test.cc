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

}  // namespace
}  // namespace deconvoy::server
