// Jobs on stored bytes that have changed fail before a worker gets a task, and jobs on many bytes wait for the check,
// the one that is served first before others.
#include "server/schedule/input_check.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <fstream>
#include <functional>
#include <set>
#include <thread>
#include <utility>

#include "tests/unit/server/jobs/job_service.h"

namespace deconvoy::server {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr auto kStep = std::chrono::milliseconds(5);
constexpr int kSteps = 4000;

// Remembers which files were read, and lets the readers of one wait.
class Readings {
 public:
  // Called before each reading.
  void Note(const std::filesystem::path& path) {
    std::unique_lock lock(mutex_);
    if (!noting_) return;
    paths_.push_back(path);
    changed_.notify_all();
    changed_.wait(lock, [&] { return path != held_; });
  }
  // From now on they are noted; those of `held` wait for Release.
  void Start(const std::filesystem::path& held = {}) {
    std::lock_guard lock(mutex_);
    paths_.clear();
    noting_ = true;
    held_ = held;
  }
  // Once a reading waits.
  void WaitForHeld() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return std::ranges::count(paths_, held_) > 0; });
  }
  void Release() {
    std::lock_guard lock(mutex_);
    held_.clear();
    changed_.notify_all();
  }
  std::vector<std::filesystem::path> paths() {
    std::lock_guard lock(mutex_);
    return paths_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool noting_ = false;
  std::filesystem::path held_;
  std::vector<std::filesystem::path> paths_;
};

class NotedFile final : public File {
 public:
  NotedFile(Readings& readings, std::filesystem::path path, std::unique_ptr<File> real)
      : readings_(readings), path_(std::move(path)), real_(std::move(real)) {}

  absl::Status ReadAt(int64_t offset, std::span<std::byte> target) const override {
    readings_.Note(path_);
    return real_->ReadAt(offset, target);
  }
  absl::Status ReadPast(int64_t offset, std::span<std::byte> target, std::span<std::byte> aligned) const override {
    readings_.Note(path_);
    return real_->ReadPast(offset, target, aligned);
  }
  absl::Status WriteAt(int64_t offset, std::span<const std::byte> source) override {
    return real_->WriteAt(offset, source);
  }
  bool IsCached(int64_t offset, int64_t bytes) const override { return real_->IsCached(offset, bytes); }
  absl::Status Reserve(int64_t bytes) override { return real_->Reserve(bytes); }
  absl::Status Sync() override { return real_->Sync(); }
  absl::StatusOr<int64_t> Size() const override { return real_->Size(); }

 private:
  Readings& readings_;
  const std::filesystem::path path_;
  const std::unique_ptr<File> real_;
};

class NotedFiles final : public FileSystem {
 public:
  explicit NotedFiles(Readings& readings) : readings_(readings) {}

  absl::StatusOr<std::unique_ptr<File>> Open(const std::filesystem::path& path, bool writable) override {
    ASSIGN_OR_RETURN(std::unique_ptr<File> file, real_->Open(path, writable));
    return std::make_unique<NotedFile>(readings_, path, std::move(file));
  }
  absl::StatusOr<std::unique_ptr<File>> Create(const std::filesystem::path& path) override {
    return real_->Create(path);
  }
  absl::Status Remove(const std::filesystem::path& path) override { return real_->Remove(path); }
  absl::Status Link(const std::filesystem::path& existing, const std::filesystem::path& path) override {
    return real_->Link(existing, path);
  }
  absl::Status MakeDirectories(const std::filesystem::path& path) override { return real_->MakeDirectories(path); }
  absl::Status SyncDirectory(const std::filesystem::path& path) override { return real_->SyncDirectory(path); }
  absl::StatusOr<std::vector<std::filesystem::path>> List(const std::filesystem::path& path) override {
    return real_->List(path);
  }
  absl::StatusOr<int64_t> FreeBytes(const std::filesystem::path& path) override { return real_->FreeBytes(path); }
  absl::StatusOr<int64_t> CapacityBytes(const std::filesystem::path& path) override {
    return real_->CapacityBytes(path);
  }

 private:
  Readings& readings_;
  const std::unique_ptr<FileSystem> real_ = MakePosixFileSystem();
};

class InputCheckTest : public ::testing::Test {
 protected:
  ~InputCheckTest() override { readings_.Release(); }

  std::filesystem::path PathOf(const std::string& volume) {
    return service_.volumes().PathOf(VolumeId(volume, "").value());
  }
  std::filesystem::path ImageOf(const v1::JobSpec& spec) { return PathOf(spec.deconvolve().input_volume()); }
  // Later than before, also where the disk's clock has not ticked.
  void Touch(const std::filesystem::path& path) {
    std::filesystem::last_write_time(path, std::filesystem::last_write_time(path) + std::chrono::seconds(1));
  }
  void Flip(const std::string& volume, int64_t offset) {
    const std::filesystem::path path = PathOf(volume);
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    const char byte = static_cast<char>(file.get() ^ 1);
    file.seekp(offset);
    file.put(byte);
    file.close();
    Touch(path);
  }
  // Waits for the thread that checks large inputs.
  std::optional<v1::Task> TakeWhenChecked() {
    for (int i = 0; i < kSteps; ++i) {
      if (auto task = a_.Take()) return task;
      std::this_thread::sleep_for(kStep);
    }
    return std::nullopt;
  }

  // --- of a check of its own ---

  // Of `frames` boxes, each of which is one reading.
  v1::JobSpec Small(int64_t frames = 1) { return service_.Deconvolve({frames, 1, 2, 8, 4}, {0, 0, 0}); }
  // In this order, which `order_` then is.
  std::vector<std::string> SubmitAll(const std::vector<v1::JobSpec>& specs) {
    std::vector<std::string> jobs;
    for (const v1::JobSpec& spec : specs) jobs.push_back(service_.Submit(spec));
    SetOrder(jobs);
    return jobs;
  }
  void SetOrder(std::vector<std::string> jobs) {
    std::lock_guard lock(mutex_);
    order_ = std::move(jobs);
  }
  // Takes every input for large.
  std::unique_ptr<InputCheck> MakeCheck(size_t kept_jobs = 1000) {
    return std::make_unique<InputCheck>(
        InputCheck::Options{.at_once_bytes = -1, .kept_jobs = kept_jobs}, service_.store(), service_.volumes(),
        service_.clock,
        InputCheck::Surroundings{.in_order =
                                     [this] {
                                       std::lock_guard lock(mutex_);
                                       return order_;
                                     },
                                 .has_ended = [this](const std::string& job) { return service_.jobs().HasEnded(job); },
                                 .wake = [this] { ++wakes_; }});
  }
  static absl::Status WaitFor(InputCheck& check, const std::string& job) {
    for (int i = 0; i < kSteps; ++i) {
      if (auto found = check.Ask(job)) return *found;
      std::this_thread::sleep_for(kStep);
    }
    return absl::DeadlineExceededError("the check does not end");
  }
  // How often this file was read.
  int64_t Count(const std::filesystem::path& path) {
    const auto paths = readings_.paths();
    return std::ranges::count(paths, path);
  }

  Readings readings_;
  JobService service_{JobService::DefaultOptions(), {}, "", std::make_unique<NotedFiles>(readings_)};
  TestWorker a_{service_, "a"};
  std::mutex mutex_;
  std::vector<std::string> order_;  // guarded by mutex_
  std::atomic<int> wakes_ = 0;
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
  for (int i = 0; i < kSteps && service_.Get(job).state() != v1::FAILED; ++i) {
    EXPECT_FALSE(a_.Take());
    std::this_thread::sleep_for(kStep);
  }
  EXPECT_EQ(service_.Get(job).error().info().reason(), v1::CORRUPT_DATA);
}

// --- In which order ---

TEST_F(InputCheckTest, AnInteractiveJobOvertakesLargeBatches) {
  const Shape5 large{1, 1, 9, 2048, 2048};
  std::vector<v1::JobSpec> batch;
  for (int i = 0; i < 3; ++i) {
    batch.push_back(service_.Deconvolve(large, {0, 0, 0}));
    batch.back().set_job_class(v1::BATCH);
  }
  v1::JobSpec urgent = service_.Deconvolve(large, {0, 0, 0});
  urgent.set_job_class(v1::INTERACTIVE);
  readings_.Start(ImageOf(batch[0]));
  for (const v1::JobSpec& spec : batch) service_.Submit(spec);
  EXPECT_FALSE(a_.Take());
  readings_.WaitForHeld();
  const std::string job = service_.Submit(urgent);
  EXPECT_FALSE(a_.Take());
  readings_.Release();
  const auto task = TakeWhenChecked();
  ASSERT_TRUE(task);
  EXPECT_EQ(ParseTaskName(task->name(), "")->job_id, job);
  std::vector<std::filesystem::path> images = readings_.paths();
  std::erase_if(images, [&](const auto& path) {
    return path != ImageOf(urgent) &&
           std::ranges::none_of(batch, [&](const v1::JobSpec& spec) { return path == ImageOf(spec); });
  });
  images.erase(std::unique(images.begin(), images.end()), images.end());
  ASSERT_GE(images.size(), 2U);
  EXPECT_EQ(images[1], ImageOf(urgent)) << "one box of the first batch is in front of it, no more";
}

// An owner who holds as many tasks as they may is given no more; what they may have next is checked meanwhile.
TEST_F(InputCheckTest, AJobIsCheckedWhileItsOwnerHoldsAllTheyMay) {
  Dispatcher::Options options = JobService::DefaultOptions();
  options.shares.running_cap = 1;
  Readings readings;
  JobService service(options, {}, "", std::make_unique<NotedFiles>(readings));
  TestWorker worker(service, "b");
  const Shape5 large{1, 1, 9, 2048, 2048};
  const v1::JobSpec first = service.Deconvolve(large, {0, 0, 0}), second = service.Deconvolve(large, {0, 0, 0});
  const auto image = [&](const v1::JobSpec& spec) {
    return service.volumes().PathOf(VolumeId(spec.deconvolve().input_volume(), "").value());
  };
  readings.Start(image(first));
  for (const v1::JobSpec& spec : {first, second, service.Simulate()}) {
    service.Submit(spec);
    service.clock.Advance(std::chrono::seconds(1));
  }
  ASSERT_TRUE(worker.Take()) << "of the last job, while the others wait for their checks";
  readings.WaitForHeld();
  readings.Release();
  bool checked = false;
  for (int i = 0; i < kSteps && !checked; ++i) {
    const std::vector<std::filesystem::path> paths = readings.paths();
    checked = std::ranges::count(paths, image(second)) > 0;
    std::this_thread::sleep_for(kStep);
  }
  EXPECT_TRUE(checked);
}

TEST_F(InputCheckTest, WhatWasBrokenOffGoesOnWhereItWas) {
  const v1::JobSpec slow = Small(4), urgent = Small(2);
  const std::vector<std::string> jobs = SubmitAll({slow, urgent});
  readings_.Start(ImageOf(slow));
  const auto check = MakeCheck();
  EXPECT_FALSE(check->Ask(jobs[0]));
  readings_.WaitForHeld();
  SetOrder({jobs[1], jobs[0]});
  EXPECT_FALSE(check->Ask(jobs[1]));
  readings_.Release();
  EXPECT_OK(WaitFor(*check, jobs[0]));
  EXPECT_OK(WaitFor(*check, jobs[1]));
  const std::filesystem::path one = ImageOf(slow), other = ImageOf(urgent);
  std::vector<std::filesystem::path> images = readings_.paths();
  std::erase_if(images, [&](const auto& path) { return path != one && path != other; });
  EXPECT_THAT(images, ElementsAre(one, other, other, one, one, one));
}

TEST_F(InputCheckTest, AJobThatIsNotServedIsNotChecked) {
  const v1::JobSpec spec = Small();
  const std::string job = SubmitAll({spec}).at(0);
  SetOrder({});
  readings_.Start();
  const auto check = MakeCheck();
  EXPECT_FALSE(check->Ask(job));
  for (int i = 0; i < kSteps && wakes_ == 0; ++i) std::this_thread::sleep_for(kStep);
  EXPECT_GT(wakes_, 0) << "it is to be asked for again";
  EXPECT_THAT(readings_.paths(), IsEmpty());
  SetOrder({job});
  EXPECT_OK(WaitFor(*check, job));
}

// --- What is shared and kept ---

TEST_F(InputCheckTest, JobsOnOneVolumeShareItsCheck) {
  const v1::JobSpec spec = Small(3);
  const std::vector<std::string> jobs = SubmitAll({spec, spec, spec});
  readings_.Start(ImageOf(spec));
  const auto check = MakeCheck();
  EXPECT_FALSE(check->Ask(jobs[0]));
  readings_.WaitForHeld();
  EXPECT_FALSE(check->Ask(jobs[1])) << "it is under way";
  readings_.Release();
  EXPECT_OK(WaitFor(*check, jobs[0]));
  EXPECT_OK(WaitFor(*check, jobs[1]));
  EXPECT_EQ(Count(ImageOf(spec)), 3) << "each of its boxes once";
  EXPECT_EQ(check->Ask(jobs[2]), absl::OkStatus()) << "there is nothing left to compare";
  EXPECT_EQ(Count(ImageOf(spec)), 3);
}

TEST_F(InputCheckTest, ACheckServesAnUnchangedFileForAnHour) {
  const v1::JobSpec spec = Small();
  const std::vector<std::string> jobs = SubmitAll({spec, spec, spec});
  readings_.Start();
  const auto check = MakeCheck();
  EXPECT_OK(WaitFor(*check, jobs[0]));
  service_.clock.Advance(std::chrono::minutes(61));
  EXPECT_OK(WaitFor(*check, jobs[1]));
  EXPECT_EQ(Count(ImageOf(spec)), 2) << "it is too long ago";
  Touch(ImageOf(spec));
  EXPECT_OK(WaitFor(*check, jobs[2]));
  EXPECT_EQ(Count(ImageOf(spec)), 3) << "it may have changed";
  for (const std::string& job : jobs) EXPECT_EQ(check->Ask(job), absl::OkStatus());
  EXPECT_EQ(Count(ImageOf(spec)), 3);
}

TEST_F(InputCheckTest, DamageIsToldToAllJobsThatShareIt) {
  const v1::JobSpec spec = Small();
  const std::vector<std::string> jobs = SubmitAll({spec, spec});
  Flip(spec.deconvolve().input_volume(), 3);
  const auto check = MakeCheck();
  for (const std::string& job : jobs) EXPECT_EQ(ReasonOf(WaitFor(*check, job)), v1::CORRUPT_DATA);
}

TEST_F(InputCheckTest, MoreJobsThanAreKeptAreCheckedOnce) {
  std::vector<v1::JobSpec> specs;
  for (int i = 0; i < 8; ++i) specs.push_back(Small());
  const std::vector<std::string> jobs = SubmitAll(specs);
  readings_.Start(ImageOf(specs[0]));
  const auto check = MakeCheck(2);
  for (int round = 0; round < 3; ++round) {
    for (const std::string& job : jobs) EXPECT_FALSE(check->Ask(job)) << "the first is held";
  }
  readings_.Release();
  for (const std::string& job : jobs) EXPECT_OK(WaitFor(*check, job));
  service_.clock.Advance(std::chrono::hours(2));
  for (const std::string& job : jobs) EXPECT_EQ(check->Ask(job), absl::OkStatus());
  std::vector<int64_t> counts;
  for (const v1::JobSpec& spec : specs) counts.push_back(Count(ImageOf(spec)));
  EXPECT_THAT(counts, Each(1));
}

TEST_F(InputCheckTest, JobsThatHaveEndedAreForgotten) {
  const std::vector<std::string> jobs = SubmitAll({Small(), Small(), Small(), Small()});
  const auto check = MakeCheck(2);
  EXPECT_OK(WaitFor(*check, jobs[0]));
  EXPECT_OK(WaitFor(*check, jobs[1]));
  service_.clock.Advance(std::chrono::hours(2));
  EXPECT_EQ(check->Ask(jobs[0]), absl::OkStatus());
  ASSERT_OK(service_.jobs().Cancel(JobService::kOwner, jobs[0]));
  EXPECT_OK(WaitFor(*check, jobs[2]));
  EXPECT_OK(WaitFor(*check, jobs[3]));
  EXPECT_NE(check->Ask(jobs[0]), absl::OkStatus()) << "it would be checked anew";
  EXPECT_EQ(check->Ask(jobs[1]), absl::OkStatus());
}

}  // namespace
}  // namespace deconvoy::server
