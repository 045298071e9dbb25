#include "server/store/store_audit.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

#include "proto/contract/error.h"
#include "server/store/schema.h"
#include "tests/contract/store_fixture.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class StoreAuditTest : public StoreContractTest {
 protected:
  void SetUp() override {
    StoreContractTest::SetUp();
    ASSERT_OK(store_->InsertVolume(MakeVolume("v"), "r", "digest"));
    ASSERT_OK(store_->CommitBoxes("v", {Rows(0, 0, 0, 0, 2, 1), Rows(0, 0, 0, 2, 2, 2)}));
    ASSERT_OK_AND_ASSIGN(audit_, StoreAudit::Open(path_));
  }

  void InsertJob(const std::string& id, int tasks) {
    JobChange change{.job = MakeJob(id)};
    for (int i = 0; i < tasks; ++i) change.new_tasks.push_back(MakeTask(id, i));
    change.events = {StateEvent(v1::PENDING)};
    ASSERT_OK(store_->InsertJob(change, "", ""));
  }
  // Does to the tables what no program does.
  void Tamper(const std::string& sql) {
    ASSERT_OK_AND_ASSIGN(const std::unique_ptr<Database> database, Database::Open(path_));
    ASSERT_OK(database->Execute("PRAGMA foreign_keys = OFF; " + sql));
  }

  const std::filesystem::path path_ = folder_.path() / "deconvoy.sqlite";
  std::unique_ptr<StoreAudit> audit_;
};

TEST_P(StoreAuditTest, FindsNothingWhereNothingIsWrong) {
  InsertJob("j", 3);
  EXPECT_THAT(audit_->Damage(), IsEmpty());
  EXPECT_THAT(*audit_->Strays(), IsEmpty());
  EXPECT_THAT(*audit_->VolumesOf("j"), IsEmpty());
  ASSERT_OK_AND_ASSIGN(const std::vector<JobFacts> jobs, audit_->Jobs());
  ASSERT_EQ(jobs.size(), 1U);
  EXPECT_EQ(jobs[0].id, "j");
  EXPECT_EQ(jobs[0].tasks, 3);
  EXPECT_EQ(jobs[0].highest_task, 2);
  EXPECT_EQ(jobs[0].open_tasks, 3);
  EXPECT_EQ(jobs[0].unfinished_tasks, 3);
  EXPECT_EQ(jobs[0].illegal_tasks, 0);
  EXPECT_EQ(jobs[0].events, 1);
  EXPECT_EQ(jobs[0].last_sequence, 1);
}

TEST_P(StoreAuditTest, OpensOnlyWhatIsThereAndOfThisVersion) {
  const auto none = StoreAudit::Open(folder_.path() / "none.sqlite");
  EXPECT_EQ(ReasonOf(none.status()), v1::NOT_FOUND);
  EXPECT_FALSE(std::filesystem::exists(folder_.path() / "none.sqlite"));
  for (const int version : {kSchemaVersion - 1, kSchemaVersion + 1}) {
    Tamper(fmt::format("PRAGMA user_version = {}", version));
    const auto other = StoreAudit::Open(path_);
    EXPECT_EQ(ReasonOf(other.status()), v1::INCOMPATIBLE_VERSION);
    EXPECT_THAT(std::string(other.status().message()), HasSubstr(fmt::format("version {}", version)));
    EXPECT_NE(InfoOf(other.status()).remedy(), "");
  }
}

TEST_P(StoreAuditTest, RowsThatHangOnNothingAreFoundAndRemoved) {
  Tamper("INSERT INTO boxes VALUES (99, 0, 0, 0, 0, 0, 1, 1, 1, 5); INSERT INTO events VALUES (77, 1, x'00')");
  EXPECT_THAT(*audit_->Strays(), ElementsAre("1 rows of boxes", "1 rows of events"));
  ASSERT_OK(audit_->RemoveStrays());
  EXPECT_THAT(*audit_->Strays(), IsEmpty());
  EXPECT_EQ(store_->GetBoxes("v", -1, -1)->size(), 2U) << "what hangs on something stays";
}

TEST_P(StoreAuditTest, ADroppedBoxIsMissingAndTheVolumeIsWrittenAgain) {
  ASSERT_OK(store_->CompleteVolume("v", "the digest"));
  ASSERT_OK(audit_->DropBoxes("v", {Rows(0, 0, 0, 2, 2, 2).box}));
  ASSERT_OK_AND_ASSIGN(const VolumeRecord volume, store_->GetVolume("v"));
  EXPECT_EQ(volume.state, v1::WRITING);
  EXPECT_EQ(volume.committed_bytes, 2 * 16 * 2);
  EXPECT_EQ(volume.spec.digest(), "the digest") << "what is sent again can be compared with it";
  ASSERT_OK_AND_ASSIGN(const auto found, store_->FindVolumeByDigest("local", "the digest"));
  EXPECT_FALSE(found.has_value());
  EXPECT_EQ(ReasonOf(audit_->DropBoxes("none", {})), v1::NOT_FOUND);
}

TEST_P(StoreAuditTest, AVolumeGoesWithItsPsf) {
  ASSERT_OK(store_->CompleteVolume("v", "the digest"));
  ASSERT_OK(store_->InsertPsf({.owner = "local", .id = "gfp", .volume_id = "v"}, "psf", "body"));
  ASSERT_OK(audit_->RemoveVolume("v"));
  EXPECT_EQ(ReasonOf(store_->GetVolume("v").status()), v1::NOT_FOUND);
  EXPECT_EQ(ReasonOf(store_->GetPsf("local", "gfp", 1).status()), v1::NOT_FOUND);
  EXPECT_THAT(*audit_->Strays(), IsEmpty());
  EXPECT_FALSE(store_->FindRequest("local", "r")->has_value());
}

TEST_P(StoreAuditTest, TokensOnlyRise) {
  ASSERT_OK(audit_->RaiseTokens(1000));
  ASSERT_OK(audit_->RaiseTokens(10));
  EXPECT_EQ(*audit_->TokenCounter(), 1000U);
  EXPECT_GT(*store_->NextToken(), 1000U);
}

TEST_P(StoreAuditTest, OpenTasksAreClosed) {
  InsertJob("j", 2);
  Tamper("UPDATE tasks SET state = 4 WHERE number = 0");
  ASSERT_OK(audit_->CloseTasks("j"));
  ASSERT_OK_AND_ASSIGN(const std::vector<TaskRecord> tasks, store_->GetTasks("j"));
  EXPECT_EQ(tasks[0].state, TaskState::kDone);
  EXPECT_EQ(tasks[1].state, TaskState::kCancelled);
}

TEST_P(StoreAuditTest, ADamagedIndexIsFoundAndBuiltAnew) {
  for (int i = 0; i < 50; ++i) ASSERT_OK(store_->InsertVolume(MakeVolume(fmt::format("v{}", i), i), "", ""));
  // The index loses rows of its table: a table without the index is filled, and the old index is put back.
  Tamper(
      "PRAGMA writable_schema = ON;"
      "CREATE TABLE kept AS SELECT * FROM sqlite_schema WHERE name = 'volumes_by_owner';"
      "DELETE FROM sqlite_schema WHERE name = 'volumes_by_owner'; PRAGMA writable_schema = RESET");
  Tamper("INSERT INTO volumes VALUES (900, 'late', 'local', 1, 5, x'', NULL, 0, 0, 128, NULL, 5, 0)");
  Tamper(
      "PRAGMA writable_schema = ON; INSERT INTO sqlite_schema SELECT * FROM kept; DROP TABLE kept;"
      "PRAGMA writable_schema = RESET");
  ASSERT_OK_AND_ASSIGN(audit_, StoreAudit::Open(path_));
  const std::vector<std::string> damage = audit_->Damage();
  ASSERT_FALSE(damage.empty());
  EXPECT_THAT(damage.front(), HasSubstr("volumes_by_owner"));
  ASSERT_OK(audit_->Reindex());
  EXPECT_THAT(audit_->Damage(), IsEmpty());
}

TEST_P(StoreAuditTest, ADamagedFileIsToldWhenTheStoreIsOpened) {
  for (int i = 0; i < 300; ++i) ASSERT_OK(store_->InsertVolume(MakeVolume(fmt::format("v{}", i), i), "", ""));
  audit_.reset();
  store_.reset();
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(8 * 4096);
    file << std::string(4096, '\x55');
  }
  const absl::Status status = Store::Open(path_).status();
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
  EXPECT_THAT(std::string(status.message()), HasSubstr("damaged"));
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("backup"));
}

INSTANTIATE_TEST_SUITE_P(Stores, StoreAuditTest, ::testing::Values(SqliteKind()),
                         [](const auto& instance) { return instance.param.name; });

}  // namespace
}  // namespace deconvoy::server
