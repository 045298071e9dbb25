// Jobs on stored bytes that have changed fail before a worker gets a task, and jobs on many bytes wait for the check.
#include "server/schedule/input_check.h"

#include <chrono>
#include <fstream>
#include <set>
#include <thread>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

class InputCheckTest : public ::testing::Test {
 protected:
  void Flip(const std::string& volume, int64_t offset) {
    const std::filesystem::path path = service_.volumes().PathOf(VolumeId(volume, "").value());
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
  }
  // Waits for the thread that checks large inputs.
  std::optional<v1::Task> TakeWhenChecked() {
    for (int i = 0; i < 2000; ++i) {
      if (auto task = a_.Take()) return task;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return std::nullopt;
  }

  JobService service_;
  TestWorker a_{service_, "a"};
};

TEST_F(InputCheckTest, AJobOnDamagedBytesFailsAtOnceAndNamesThem) {
  const v1::JobSpec spec = service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4});
  const std::string image = spec.deconvolve().input_volume();
  Flip(image, 33);
  const std::string job = service_.Submit(spec);
  EXPECT_FALSE(a_.Take());
  const v1::Job failed = service_.Get(job);
  EXPECT_EQ(failed.state(), v1::FAILED);
  EXPECT_EQ(failed.error().info().reason(), v1::CORRUPT_DATA);
  EXPECT_EQ(failed.error().info().metadata().at("volume"), image);
  EXPECT_EQ(service_.dispatcher().Workers().at(0).tasks_failed(), 0U) << "it is not the worker's fault";
  auto events = service_.store().GetEvents(job, 0, 1000);
  ASSERT_OK(events);
  for (const v1::JobEvent& event : *events) EXPECT_FALSE(event.has_retry()) << "no retry cures it";
}

TEST_F(InputCheckTest, BytesThatCannotBeReadForOnceAreReadAgain) {
  const std::string job = service_.Submit(service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4}));
  ASSERT_OK(a_.Register());
  service_.files().FailAt(1, deconvoy::testing::Fault::kIoError);
  EXPECT_FALSE(a_.Take());
  EXPECT_TRUE(service_.files().failed());
  EXPECT_EQ(service_.Get(job).state(), v1::RUNNING);
  service_.Advance(absl::Minutes(1));
  EXPECT_EQ(a_.WorkOff(), 3);
  service_.CheckResult(service_.Get(job));
}

TEST_F(InputCheckTest, EachJobIsCheckedOnce) {
  const v1::JobSpec spec = service_.Deconvolve({1, 1, 2, 8, 4}, {2, 4, 4});
  const std::string job = service_.Submit(spec);
  const v1::Task analysis = *a_.Take();
  Flip(spec.deconvolve().input_volume(), 0);
  ASSERT_OK(a_.Deliver(analysis));
  const std::string next = service_.Submit(spec);
  EXPECT_EQ(a_.WorkOff(), 2);
  EXPECT_EQ(service_.Get(job).state(), v1::SUCCEEDED) << "it was found in order before";
  EXPECT_EQ(service_.Get(next).state(), v1::FAILED);
}

TEST_F(InputCheckTest, ManyBytesAreCheckedMeanwhile) {
  const std::string large = service_.Submit(service_.Deconvolve({1, 1, 9, 2048, 2048}, {0, 0, 0}));
  service_.clock.Advance(std::chrono::seconds(1));
  const std::string small = service_.Submit(service_.Simulate());
  const auto first = a_.Take();
  ASSERT_TRUE(first) << "the other job need not wait";
  const auto second = TakeWhenChecked();
  ASSERT_TRUE(second);
  const std::set<std::string> given = {ParseTaskName(first->name(), "")->job_id,
                                       ParseTaskName(second->name(), "")->job_id};
  EXPECT_EQ(given, (std::set<std::string>{large, small}));
}

TEST_F(InputCheckTest, DamageIsFoundInManyBytesToo) {
  const v1::JobSpec spec = service_.Deconvolve({1, 1, 9, 2048, 2048}, {0, 0, 0});
  Flip(spec.deconvolve().input_volume(), 9 * 2048 * 2048 - 1);
  const std::string job = service_.Submit(spec);
  for (int i = 0; i < 2000 && service_.Get(job).state() != v1::FAILED; ++i) {
    EXPECT_FALSE(a_.Take());
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  EXPECT_EQ(service_.Get(job).error().info().reason(), v1::CORRUPT_DATA);
}

}  // namespace
}  // namespace deconvoy::server
