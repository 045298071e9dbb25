#include "server/store/sqlite.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "proto/contract/error.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {
namespace {

using ::testing::HasSubstr;

class SqliteTest : public ::testing::Test {
 protected:
  void SetUp() override {
    ASSERT_OK_AND_ASSIGN(database_, Database::Open(path_));
    ASSERT_OK(database_->Execute("CREATE TABLE things (number INTEGER PRIMARY KEY, text TEXT, bytes BLOB) STRICT"));
  }

  absl::Status Insert(int64_t number, std::string_view text, std::string_view bytes) {
    auto insert = database_->Prepare("INSERT INTO things VALUES (?, ?, ?)");
    if (!insert.ok()) return insert.status();
    return insert->Bind(number).Bind(text).BindBlob(bytes).Run();
  }

  int64_t Count() {
    auto query = database_->Prepare("SELECT count(*) FROM things");
    EXPECT_OK(query);
    EXPECT_OK(query->Step());
    return query->Int(0);
  }

  const deconvoy::testing::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_.path() / "test.sqlite";
  std::unique_ptr<Database> database_;
};

TEST_F(SqliteTest, ValuesComeBackAsTheyWere) {
  const std::string bytes("a\0b\xff", 4);
  ASSERT_OK(Insert(int64_t{1} << 62, "text with ' and \xc3\xa4", bytes));
  ASSERT_OK(Insert(-1, "", ""));
  ASSERT_OK_AND_ASSIGN(Statement query, database_->Prepare("SELECT number, text, bytes FROM things ORDER BY number"));
  ASSERT_OK_AND_ASSIGN(bool row, query.Step());
  ASSERT_TRUE(row);
  EXPECT_EQ(query.Int(0), -1);
  EXPECT_EQ(query.Bytes(2), "");
  ASSERT_OK_AND_ASSIGN(row, query.Step());
  ASSERT_TRUE(row);
  EXPECT_EQ(query.Int(0), int64_t{1} << 62);
  EXPECT_EQ(query.Bytes(1), "text with ' and \xc3\xa4");
  EXPECT_EQ(query.Bytes(2), bytes);
  ASSERT_OK_AND_ASSIGN(row, query.Step());
  EXPECT_FALSE(row);
}

TEST_F(SqliteTest, EmptyBlobIsNotNull) {
  ASSERT_OK(Insert(1, "", std::string_view()));
  ASSERT_OK_AND_ASSIGN(Statement query, database_->Prepare("SELECT 1 FROM things WHERE bytes IS NOT NULL"));
  ASSERT_OK_AND_ASSIGN(const bool row, query.Step());
  EXPECT_TRUE(row);
}

TEST_F(SqliteTest, StatementRunsAgainWithOtherValues) {
  ASSERT_OK_AND_ASSIGN(Statement insert, database_->Prepare("INSERT INTO things VALUES (?, ?, NULL)"));
  for (int64_t i = 0; i < 10; ++i) ASSERT_OK(insert.Bind(i).Bind("x").Run());
  EXPECT_EQ(Count(), 10);
}

TEST_F(SqliteTest, TheSameTextMayBeInUseTwice) {
  ASSERT_OK(Insert(1, "", ""));
  ASSERT_OK(Insert(2, "", ""));
  ASSERT_OK_AND_ASSIGN(Statement first, database_->Prepare("SELECT number FROM things ORDER BY number"));
  ASSERT_OK(first.Step());
  ASSERT_OK_AND_ASSIGN(Statement second, database_->Prepare("SELECT number FROM things ORDER BY number"));
  ASSERT_OK(second.Step());
  ASSERT_OK(first.Step());
  EXPECT_EQ(first.Int(0), 2);
  EXPECT_EQ(second.Int(0), 1);
}

TEST_F(SqliteTest, UncommittedTransactionIsRolledBack) {
  {
    ASSERT_OK_AND_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
    ASSERT_OK(Insert(1, "", ""));
  }
  EXPECT_EQ(Count(), 0);
  {
    ASSERT_OK_AND_ASSIGN(Transaction transaction, Transaction::Begin(*database_));
    ASSERT_OK(Insert(1, "", ""));
    ASSERT_OK(transaction.Commit());
  }
  EXPECT_EQ(Count(), 1);
}

TEST_F(SqliteTest, WritesAheadAndSyncsFully) {
  ASSERT_OK_AND_ASSIGN(Statement mode, database_->Prepare("PRAGMA journal_mode"));
  ASSERT_OK(mode.Step());
  EXPECT_EQ(mode.Bytes(0), "wal");
  ASSERT_OK_AND_ASSIGN(Statement sync, database_->Prepare("PRAGMA synchronous"));
  ASSERT_OK(sync.Step());
  EXPECT_EQ(sync.Int(0), 2);
  ASSERT_OK_AND_ASSIGN(Statement keys, database_->Prepare("PRAGMA foreign_keys"));
  ASSERT_OK(keys.Step());
  EXPECT_EQ(keys.Int(0), 1);
}

TEST_F(SqliteTest, FullDiskIsNamed) {
  ASSERT_OK(database_->Execute("PRAGMA max_page_count = 8"));
  absl::Status status;
  for (int64_t i = 0; i < 100 && status.ok(); ++i) status = Insert(i, std::string(4096, 'x'), "");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(ReasonOf(status), v1::DISK_FULL);
  EXPECT_EQ(InfoOf(status).metadata().at("path"), path_.string());
  EXPECT_NE(InfoOf(status).remedy(), "");
}

TEST_F(SqliteTest, EmptiedLogGivesItsRoomBack) {
  for (int64_t i = 0; i < 20; ++i) ASSERT_OK(Insert(i, std::string(4096, 'x'), ""));
  const std::filesystem::path log = path_.string() + "-wal";
  ASSERT_GT(std::filesystem::file_size(log), 20U * 4096);
  ASSERT_OK(database_->EmptyLog());
  EXPECT_EQ(std::filesystem::file_size(log), 0U);
  EXPECT_EQ(Count(), 20);
}

TEST_F(SqliteTest, LogIsEmptiedBeforeItIsLarge) {
  for (int64_t i = 0; i < 1000; ++i) {
    ASSERT_OK(database_->Execute(fmt::format("INSERT OR REPLACE INTO things VALUES (1, '{}', NULL)", i)));
  }
  EXPECT_LT(std::filesystem::file_size(path_.string() + "-wal"), 1U << 20);
}

TEST_F(SqliteTest, BrokenConstraintIsAnErrorWithThePath) {
  ASSERT_OK(Insert(1, "", ""));
  const absl::Status status = Insert(1, "", "");
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr(path_.string()));
}

TEST_F(SqliteTest, FileThatIsNoDatabase) {
  const auto path = folder_.path() / "text.sqlite";
  std::ofstream(path) << std::string(10'000, 'x');
  const auto opened = Database::Open(path);
  EXPECT_EQ(ReasonOf(opened.status()), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("not a database"));
}

TEST_F(SqliteTest, DamagedDatabase) {
  for (int64_t i = 0; i < 1000; ++i) ASSERT_OK(Insert(i, std::string(100, 'x'), ""));
  database_.reset();  // moves everything from the log into the file
  {
    std::fstream file(path_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(4096);
    file << std::string(60'000, '\x55');
  }
  absl::Status status;
  auto opened = Database::Open(path_);
  if (opened.ok()) {
    auto query = (*opened)->Prepare("SELECT sum(length(text)) FROM things");
    status = query.ok() ? query->Step().status() : query.status();
  } else {
    status = opened.status();
  }
  EXPECT_EQ(ReasonOf(status), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(status.message()), HasSubstr("damaged"));
  EXPECT_THAT(InfoOf(status).remedy(), HasSubstr("backup"));
}

TEST_F(SqliteTest, FolderThatIsNotThere) {
  const auto opened = Database::Open(folder_.path() / "none" / "a.sqlite");
  EXPECT_EQ(ReasonOf(opened.status()), v1::STORAGE_FAILURE);
  EXPECT_THAT(std::string(opened.status().message()), HasSubstr("none"));
}

}  // namespace
}  // namespace deconvoy::server
