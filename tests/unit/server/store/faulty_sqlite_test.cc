// What faults and power cuts do to a database, as tests play them: each of its operations can fail, and what it has
// synced stays.
#include "tests/support/faulty_sqlite.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "proto/contract/error.h"
#include "server/spool/file_system.h"
#include "server/store/sqlite.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using testing::Fault;

class FaultySqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    Open();
    ASSERT_OK(database_->Execute("CREATE TABLE things (number INTEGER PRIMARY KEY, text TEXT) STRICT"));
  }
  void Open() { ASSERT_OK_AND_ASSIGN(database_, Database::Open(path_, sqlite_.name())); }
  // The process dies, and with `cut` the machine.
  void Die(bool cut) {
    rules_.Halt();
    database_.reset();
    cut ? rules_.DropUnsynced() : rules_.Resume();
    Open();
  }
  absl::Status Insert(int64_t number) {
    ASSIGN_OR_RETURN(Statement insert, database_->Prepare("INSERT INTO things VALUES (?, ?)"));
    return insert.Bind(number).Bind(std::string(3000, 'x')).Run();
  }
  int64_t Count() {
    auto query = database_->Prepare("SELECT count(*) FROM things");
    EXPECT_OK(query);
    if (!query.ok()) return -1;
    EXPECT_OK(query->Step());
    return query->Int(0);
  }

  const testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "test.sqlite";
  const std::unique_ptr<FileSystem> real_files_ = MakePosixFileSystem();
  testing::FaultyFileSystem rules_{*real_files_};
  testing::FaultySqlite sqlite_{rules_};
  std::unique_ptr<Database> database_;
};

TEST_F(FaultySqliteTest, ACutTakesWhatWasNotSyncedAndNothingElse) {
  ASSERT_OK(Insert(1));
  Die(/*cut=*/true);
  EXPECT_EQ(Count(), 1);
  ASSERT_OK(database_->Execute("PRAGMA synchronous = OFF"));
  ASSERT_OK(Insert(2));
  Die(/*cut=*/false);
  EXPECT_EQ(Count(), 2) << "the system keeps what a process has written";
  Die(/*cut=*/true);
  EXPECT_EQ(Count(), 1);
}

TEST_F(FaultySqliteTest, ACutDuringAnEmptyingOfTheLogTakesNothing) {
  for (int64_t i = 0; i < 20; ++i) ASSERT_OK(Insert(i));
  bool more = true;
  for (int64_t n = 1; more && !HasFailure(); ++n) {
    SCOPED_TRACE(n);
    rules_.FailAt(n, Fault::kIoError);
    const absl::Status emptied = database_->EmptyLog();
    more = rules_.failed();
    rules_.FailAt(0, Fault::kIoError);
    EXPECT_TRUE(more || emptied.ok()) << emptied;
    Die(/*cut=*/true);
    EXPECT_EQ(Count(), 20);
    ASSERT_OK(database_->Execute("UPDATE things SET text = text || 'y'"));
  }
}

TEST_F(FaultySqliteTest, EachOperationOfACommitFailsWithThePathAndTheNextOneWorks) {
  for (const Fault fault : {Fault::kIoError, Fault::kNoSpace, Fault::kShortWrite}) {
    int failures = 0;
    int64_t rows = Count();
    bool more = true;
    for (int64_t n = 1; more && !HasFailure(); ++n) {
      SCOPED_TRACE(n);
      rules_.FailAt(n, fault);
      const absl::Status inserted = Insert(rows);
      more = rules_.failed();
      rules_.FailAt(0, fault);
      if (inserted.ok()) {
        ++rows;
      } else {
        ++failures;
        EXPECT_TRUE(more) << inserted;
        const v1::ErrorReason reason = ReasonOf(inserted);
        EXPECT_TRUE(reason == v1::STORAGE_FAILURE || reason == v1::DISK_FULL) << inserted;
        EXPECT_EQ(InfoOf(inserted).metadata().at("path"), path_.string());
      }
      EXPECT_EQ(Count(), rows);
      ASSERT_OK(Insert(rows++));
      Die(/*cut=*/true);
      EXPECT_EQ(Count(), rows) << "what was told to be durable";
    }
    EXPECT_GE(failures, 3) << "the log was written, and synced";
  }
}

}  // namespace
}  // namespace deconvoy::server
