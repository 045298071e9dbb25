// A small RAII layer over SQLite: one connection, cached prepared statements, transactions.
//
// Not thread safe; the store serialises its calls. Errors carry the database's path: DISK_FULL for a full disk (without
// `need_bytes`: SQLite does not tell what it lacks), else STORAGE_FAILURE, saying plainly when the file is damaged or
// not a database.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>

struct sqlite3;
struct sqlite3_stmt;

namespace deconvoy::server {

class Database;

// A prepared statement with its bound values. Goes back to the database's cache when destroyed; must not outlive it.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&&) = delete;
  ~Statement();

  // Bind the next parameter, from the left. An error shows at the next Step.
  Statement& Bind(int64_t value);
  Statement& Bind(std::string_view text);
  Statement& BindReal(double value);
  Statement& BindBlob(std::string_view bytes);
  Statement& BindNull();

  // Goes to the next row; false when there is none.
  absl::StatusOr<bool> Step();
  // Runs to the end and makes the statement ready for other values.
  absl::Status Run();

  // Values of the current row, columns from 0. Bytes serves texts and blobs; NULL is 0 and empty.
  int64_t Int(int column) const;
  double Real(int column) const;
  std::string Bytes(int column) const;
  size_t Size(int column) const;  // of what Bytes returns, without copying it
  bool IsNull(int column) const;

 private:
  friend class Database;
  Statement(Database& database, std::string_view sql, sqlite3_stmt* handle);
  void NoteBinding(int code);

  Database* database_;
  std::string sql_;
  sqlite3_stmt* handle_;
  int next_parameter_ = 1;
  int binding_error_ = 0;
};

class Database {
 public:
  // Opens or makes the file: WAL, synchronous=FULL, foreign keys on. `vfs`: by which of SQLite's virtual file systems
  // its files are reached, a name that is registered; empty: the usual one.
  static absl::StatusOr<std::unique_ptr<Database>> Open(const std::filesystem::path& path, const std::string& vfs = "");
  ~Database();
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  absl::StatusOr<Statement> Prepare(std::string_view sql);
  // Runs statements without results, separated by semicolons.
  absl::Status Execute(const std::string& sql);
  // Moves what the write-ahead log holds into the file and gives its room back to the disk. Not within a transaction.
  absl::Status EmptyLog();

  int64_t changes() const;   // rows that the last statement changed
  int64_t last_key() const;  // key of the last row inserted
  const std::filesystem::path& path() const { return path_; }

 private:
  friend class Statement;
  explicit Database(const std::filesystem::path& path) : path_(path) {}
  absl::Status Error(int code) const;
  absl::Status Configure();
  void GiveBack(const std::string& sql, sqlite3_stmt* handle);

  const std::filesystem::path path_;
  sqlite3* handle_ = nullptr;
  std::map<std::string, sqlite3_stmt*, std::less<>> idle_;  // prepared statements not in use, by their text
};

// A write transaction; rolled back unless committed.
class Transaction {
 public:
  static absl::StatusOr<Transaction> Begin(Database& database);
  Transaction(Transaction&& other) noexcept : database_(other.database_) { other.database_ = nullptr; }
  Transaction& operator=(Transaction&&) = delete;
  ~Transaction();

  // Durable when OK.
  absl::Status Commit();

 private:
  explicit Transaction(Database& database) : database_(&database) {}
  Database* database_;  // null once ended
};

}  // namespace deconvoy::server
