#include "server/store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <cerrno>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr int kBusyTimeoutMs = 10'000;
// By how much the file grows. What it has ahead lets the log be emptied on a disk that is full.
constexpr int kGrowthBytes = 256 << 10;
constexpr const char* kRestoreRemedy = "Stop the server and restore the state folder from a backup.";

// SQLite has a code for a disk that fills up while it writes, but not while it makes its shared memory.
bool IsDiskFull(int code, int system_error) {
  const bool full = system_error == ENOSPC || system_error == EDQUOT;
  return (code & 0xff) == SQLITE_FULL || code == SQLITE_IOERR_SHMSIZE || ((code & 0xff) == SQLITE_IOERR && full);
}

}  // namespace

Statement::Statement(Database& database, std::string_view sql, sqlite3_stmt* handle)
    : database_(&database), sql_(sql), handle_(handle) {}

Statement::Statement(Statement&& other) noexcept
    : database_(other.database_),
      sql_(std::move(other.sql_)),
      handle_(other.handle_),
      next_parameter_(other.next_parameter_),
      binding_error_(other.binding_error_) {
  other.handle_ = nullptr;
}

Statement::~Statement() {
  if (handle_ != nullptr) database_->GiveBack(sql_, handle_);
}

void Statement::NoteBinding(int code) {
  if (code != SQLITE_OK && binding_error_ == 0) binding_error_ = code;
}

Statement& Statement::Bind(int64_t value) {
  NoteBinding(sqlite3_bind_int64(handle_, next_parameter_++, value));
  return *this;
}

Statement& Statement::Bind(std::string_view text) {
  NoteBinding(sqlite3_bind_text64(handle_, next_parameter_++, text.data(), text.size(), SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::BindReal(double value) {
  NoteBinding(sqlite3_bind_double(handle_, next_parameter_++, value));
  return *this;
}

Statement& Statement::BindBlob(std::string_view bytes) {
  // A null pointer would bind NULL rather than an empty blob.
  const char* data = bytes.empty() ? "" : bytes.data();
  NoteBinding(sqlite3_bind_blob64(handle_, next_parameter_++, data, bytes.size(), SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::BindNull() {
  NoteBinding(sqlite3_bind_null(handle_, next_parameter_++));
  return *this;
}

absl::StatusOr<bool> Statement::Step() {
  if (binding_error_ != 0) return database_->Error(binding_error_);
  const int code = sqlite3_step(handle_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return database_->Error(code);
}

absl::Status Statement::Run() {
  absl::StatusOr<bool> row = Step();
  while (row.ok() && *row) row = Step();
  sqlite3_reset(handle_);
  next_parameter_ = 1;
  return row.status();
}

int64_t Statement::Int(int column) const {
  return sqlite3_column_int64(handle_, column);
}

double Statement::Real(int column) const {
  return sqlite3_column_double(handle_, column);
}

bool Statement::IsNull(int column) const {
  return sqlite3_column_type(handle_, column) == SQLITE_NULL;
}

std::string Statement::Bytes(int column) const {
  const void* data = sqlite3_column_blob(handle_, column);
  if (data == nullptr) return {};
  return {static_cast<const char*>(data), static_cast<size_t>(sqlite3_column_bytes(handle_, column))};
}

size_t Statement::Size(int column) const {
  return static_cast<size_t>(sqlite3_column_bytes(handle_, column));
}

absl::StatusOr<std::unique_ptr<Database>> Database::Open(const std::filesystem::path& path, const std::string& vfs) {
  std::unique_ptr<Database> database(new Database(path));
  const int code =
      sqlite3_open_v2(path.c_str(), &database->handle_,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                      vfs.empty() ? nullptr : vfs.c_str());
  if (code != SQLITE_OK) return database->Error(code);
  RETURN_IF_ERROR(database->Configure());
  return database;
}

absl::Status Database::Configure() {
  sqlite3_busy_timeout(handle_, kBusyTimeoutMs);
  int growth = kGrowthBytes;
  sqlite3_file_control(handle_, nullptr, SQLITE_FCNTL_CHUNK_SIZE, &growth);
  RETURN_IF_ERROR(
      Execute("PRAGMA foreign_keys = ON; PRAGMA synchronous = FULL; PRAGMA temp_store = MEMORY;"
              "PRAGMA journal_size_limit = 67108864; PRAGMA wal_autocheckpoint = 128;"));
  ASSIGN_OR_RETURN(Statement mode, Prepare("PRAGMA journal_mode = WAL"));
  ASSIGN_OR_RETURN(const bool row, mode.Step());
  if (!row || mode.Bytes(0) != "wal") {
    return MakeError({.reason = v1::STORAGE_FAILURE,
                      .remedy = "Put the state folder on a local file system.",
                      .metadata = {{"path", path_.string()}}},
                     fmt::format("{}: the file system does not allow a write-ahead log", path_.string()));
  }
  return absl::OkStatus();
}

Database::~Database() {
  for (auto& [sql, statement] : idle_) sqlite3_finalize(statement);
  sqlite3_close_v2(handle_);
}

absl::StatusOr<Statement> Database::Prepare(std::string_view sql) {
  if (auto found = idle_.find(sql); found != idle_.end()) {
    sqlite3_stmt* handle = found->second;
    idle_.erase(found);
    return Statement(*this, sql, handle);
  }
  sqlite3_stmt* handle = nullptr;
  const int code = sqlite3_prepare_v3(handle_, sql.data(), static_cast<int>(sql.size()), SQLITE_PREPARE_PERSISTENT,
                                      &handle, nullptr);
  if (code != SQLITE_OK) return Error(code);
  return Statement(*this, sql, handle);
}

void Database::GiveBack(const std::string& sql, sqlite3_stmt* handle) {
  sqlite3_reset(handle);
  sqlite3_clear_bindings(handle);
  if (!idle_.emplace(sql, handle).second) sqlite3_finalize(handle);
}

absl::Status Database::Execute(const std::string& sql) {
  const int code = sqlite3_exec(handle_, sql.c_str(), nullptr, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

absl::Status Database::EmptyLog() {
  const int code = sqlite3_wal_checkpoint_v2(handle_, nullptr, SQLITE_CHECKPOINT_TRUNCATE, nullptr, nullptr);
  return code == SQLITE_OK ? absl::OkStatus() : Error(code);
}

int64_t Database::changes() const {
  return sqlite3_changes64(handle_);
}

int64_t Database::last_key() const {
  return sqlite3_last_insert_rowid(handle_);
}

absl::Status Database::Error(int code) const {
  const std::string path = path_.string();
  const std::string detail = handle_ == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(handle_);
  ErrorDetails details{.reason = v1::STORAGE_FAILURE, .metadata = {{"path", path}}};
  if (IsDiskFull(code, handle_ == nullptr ? 0 : sqlite3_system_errno(handle_))) {
    details.reason = v1::DISK_FULL;
    details.remedy = "Free space on the disk of the state folder.";
    return MakeError(details, fmt::format("{}: the disk is full", path));
  }
  switch (code & 0xff) {
    case SQLITE_CORRUPT:
      details.remedy = kRestoreRemedy;
      return MakeError(details, fmt::format("{}: the database is damaged ({})", path, detail));
    case SQLITE_NOTADB:
      details.remedy = kRestoreRemedy;
      return MakeError(details, fmt::format("{}: the file is not a database", path));
    default:
      return MakeError(details, fmt::format("{}: {} (SQLite code {})", path, detail, code));
  }
}

absl::StatusOr<Transaction> Transaction::Begin(Database& database) {
  ASSIGN_OR_RETURN(Statement begin, database.Prepare("BEGIN IMMEDIATE"));
  RETURN_IF_ERROR(begin.Run());
  return Transaction(database);
}

absl::Status Transaction::Commit() {
  ASSIGN_OR_RETURN(Statement commit, database_->Prepare("COMMIT"));
  RETURN_IF_ERROR(commit.Run());
  database_ = nullptr;
  return absl::OkStatus();
}

Transaction::~Transaction() {
  if (database_ == nullptr) return;
  // SQLite may have rolled back by itself after an error; a second rollback then fails, which changes nothing.
  database_->Execute("ROLLBACK").IgnoreError();
}

}  // namespace deconvoy::server
