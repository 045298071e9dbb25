// What happens to a job between its transaction and the answer to Submit, and on a store that takes no more.
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <functional>
#include <memory>
#include <thread>

#include "proto/contract/error.h"
#include "server/jobs/job_manager.h"
#include "server/store/schema.h"
#include "server/store/sqlite_store.h"
#include "tests/support/fake_environment.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

constexpr const char* kOwner = "local";

// Calls back after a job has been inserted, before it says so; or stores nothing.
class PausingStore final : public SqliteStore {
 public:
  using SqliteStore::SqliteStore;

  absl::Status InsertJob(const JobChange& first, const std::string& request_id,
                         const std::string& body_digest) override {
    RETURN_IF_ERROR(failure);
    const absl::Status inserted = SqliteStore::InsertJob(first, request_id, body_digest);
    if (after_insert) after_insert(first.job.id);
    return inserted;
  }

  absl::Status Apply(const JobChange& change) override {
    RETURN_IF_ERROR(failure);
    return SqliteStore::Apply(change);
  }

  absl::Status failure;
  std::function<void(const std::string& job_id)> after_insert;
};

class SubmissionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spdlog::set_level(spdlog::level::off);
    ASSERT_OK_AND_ASSIGN(std::unique_ptr<Database> database, Database::Open(folder_.path() / "store.sqlite"));
    ASSERT_OK(Migrate(*database));
    store_ = std::make_unique<PausingStore>(std::move(database));
    const VolumeStore::Options spool{.directory = folder_.path() / "spool",
                                     .keep_free_bytes = 0,
                                     .quota_of = [this](const std::string&) { return quota_; }};
    ASSERT_OK_AND_ASSIGN(volumes_, VolumeStore::Open(spool, *store_, *files_, clock_, ids_));
    ASSERT_OK_AND_ASSIGN(jobs_, JobManager::Open({}, *store_, *volumes_, capabilities_, clock_, ids_));
  }

  absl::StatusOr<v1::Job> Submit(const std::string& request_id = "once") {
    v1::SubmitJobRequest request;
    request.set_request_id(request_id);
    v1::SimulateSpec& work = *request.mutable_spec()->mutable_simulate();
    work.set_kind(v1::BEADS);
    work.mutable_shape()->set_z(4);
    work.mutable_shape()->set_y(4);
    work.mutable_shape()->set_x(4);
    work.set_peak_photons(100);
    for (v1::VoxelSize* size : {work.mutable_voxel_size(), work.mutable_psf_fwhm()}) {
      size->set_z_um(0.1);
      size->set_y_um(0.1);
      size->set_x_um(0.1);
    }
    return jobs_->Submit(kOwner, request);
  }

  const deconvoy::testing::TemporaryFolder folder_;
  deconvoy::testing::FakeClock clock_;
  deconvoy::testing::CountingIds ids_;
  const std::unique_ptr<FileSystem> files_ = MakePosixFileSystem();
  v1::Quota quota_;  // of everybody
  Capabilities capabilities_;
  std::unique_ptr<PausingStore> store_;
  std::unique_ptr<VolumeStore> volumes_;
  std::unique_ptr<JobManager> jobs_;
};

TEST_F(SubmissionTest, AJobThatCanBeFoundCanBeCancelled) {
  absl::StatusOr<v1::Job> cancelled;
  std::thread canceller;
  store_->after_insert = [&](const std::string& job_id) {
    canceller = std::thread([&, job_id] { cancelled = jobs_->Cancel(kOwner, job_id); });
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  EXPECT_OK(Submit());
  canceller.join();
  ASSERT_OK(cancelled);
  EXPECT_EQ(cancelled->state(), v1::CANCELLED);
  EXPECT_EQ(jobs_->CountTasks().ready, 0);
}

TEST_F(SubmissionTest, AJobThatCanBeFoundCanBeWatchedToItsEnd) {
  bool ended = false;
  std::thread watcher;
  store_->after_insert = [&](const std::string& job_id) {
    watcher = std::thread([&, job_id] {
      EXPECT_OK(jobs_->Watch(
          kOwner, job_id, 0, [&](const v1::JobEvent& event) { return ended = event.has_ended(), true; },
          [] { return false; }));
    });
    ASSERT_OK_AND_ASSIGN(const v1::Job shown, jobs_->Get(kOwner, job_id));
    EXPECT_EQ(shown.progress().fraction(), 0);
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  };
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit());
  EXPECT_OK(jobs_->Cancel(kOwner, JobId(job.name(), "job").value()));
  watcher.join();
  EXPECT_TRUE(ended);
}

TEST_F(SubmissionTest, AJobThatIsNotStoredIsNotThere) {
  store_->failure = MakeError({.reason = v1::DISK_FULL}, "full");
  EXPECT_EQ(ReasonOf(Submit().status()), v1::DISK_FULL);
  EXPECT_TRUE(jobs_->Waiting().empty());
  EXPECT_EQ(jobs_->CountTasks().ready, 0);
  EXPECT_EQ(volumes_->UsedBytes(), 0);
  store_->failure = absl::OkStatus();
  EXPECT_OK(Submit());  // the same request again
  EXPECT_EQ(jobs_->Waiting().size(), 1U);
}

TEST_F(SubmissionTest, NobodyHasMoreJobsOrBytesThanTheQuota) {
  quota_.set_jobs(1);
  ASSERT_OK_AND_ASSIGN(const v1::Job first, Submit());
  EXPECT_OK(Submit());  // the same request again
  const absl::Status refused = Submit("twice").status();
  EXPECT_EQ(ReasonOf(refused), v1::QUOTA_EXCEEDED);
  EXPECT_EQ(InfoOf(refused).metadata().at("quota"), "jobs");
  EXPECT_EQ(InfoOf(refused).metadata().at("limit"), "1");
  ASSERT_OK_AND_ASSIGN(const v1::PreflightReport report, jobs_->Preflight(kOwner, first.spec()));
  EXPECT_FALSE(report.accepted()) << "as Submit says";
  EXPECT_OK(jobs_->Cancel(kOwner, JobId(first.name(), "job").value()));
  quota_.set_bytes(1);
  EXPECT_EQ(InfoOf(Submit("twice").status()).metadata().at("quota"), "bytes");
  quota_.clear_bytes();
  EXPECT_OK(Submit("twice"));
}

TEST_F(SubmissionTest, AnAcceptedJobWaitsWhileTheDatabaseCannotGrow) {
  capabilities_.SetWorker("w", {});
  ASSERT_OK_AND_ASSIGN(const v1::Job job, Submit());
  const std::string id = JobId(job.name(), "job").value();
  const auto activity = [&] { return jobs_->Get(kOwner, id)->progress().activity(); };
  v1::TaskResult result;
  result.mutable_simulate();
  const TaskFailure full{.error = MakeError({.reason = v1::DISK_FULL}, "full"), .reported = true};
  for (int i = 0; i < 10; ++i) {
    store_->failure = full.error;
    ASSERT_OK_AND_ASSIGN(const std::optional<v1::Task> none, jobs_->Lease(id, "w", false));
    EXPECT_FALSE(none);
    EXPECT_EQ(activity(), "waiting for room on the disk of the state folder");
    store_->failure = absl::OkStatus();
    EXPECT_TRUE(jobs_->Waiting().empty());
    clock_.Advance(std::chrono::minutes(1));
    ASSERT_OK_AND_ASSIGN(const std::optional<v1::Task> task, jobs_->Lease(id, "w", false));
    ASSERT_TRUE(task);
    store_->failure = full.error;
    EXPECT_EQ(ReasonOf(jobs_->Complete({id, 0}, task->token(), result, {1, 2, 3}, {})), v1::DISK_FULL);
    EXPECT_EQ(ReasonOf(jobs_->Fail({id, 0}, task->token(), full)), v1::DISK_FULL);
    store_->failure = absl::OkStatus();
    EXPECT_OK(jobs_->Fail({id, 0}, task->token(), full));
    EXPECT_EQ(activity(), "waiting for room on the disk of the state folder");
    clock_.Advance(std::chrono::minutes(1));
  }
  ASSERT_OK_AND_ASSIGN(const std::optional<v1::Task> task, jobs_->Lease(id, "w", false));
  ASSERT_TRUE(task);
  EXPECT_OK(jobs_->Complete({id, 0}, task->token(), result, {1, 2, 3}, {}));
  EXPECT_EQ(jobs_->Get(kOwner, id)->state(), v1::SUCCEEDED);
}

}  // namespace
}  // namespace deconvoy::server
