#include "server/store/schema.h"

#include <fmt/format.h>

#include <array>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::server {
namespace {

constexpr const char* kVersion1 = R"sql(
CREATE TABLE volumes (
  key             INTEGER PRIMARY KEY,
  id              TEXT    NOT NULL UNIQUE,
  owner           TEXT    NOT NULL,
  state           INTEGER NOT NULL,
  create_time_ns  INTEGER NOT NULL,
  spec            BLOB    NOT NULL,
  digest          BLOB,
  committed_bytes INTEGER NOT NULL,
  job_output      INTEGER NOT NULL
) STRICT;
CREATE INDEX volumes_by_owner ON volumes (owner, create_time_ns, id);
CREATE INDEX volumes_by_digest ON volumes (owner, digest) WHERE digest IS NOT NULL;

CREATE TABLE boxes (
  volume INTEGER NOT NULL REFERENCES volumes (key) ON DELETE CASCADE,
  t      INTEGER NOT NULL,
  c      INTEGER NOT NULL,
  z      INTEGER NOT NULL,
  y      INTEGER NOT NULL,
  x      INTEGER NOT NULL,
  size_z INTEGER NOT NULL,
  size_y INTEGER NOT NULL,
  size_x INTEGER NOT NULL,
  crc32c INTEGER NOT NULL,
  PRIMARY KEY (volume, t, c, z, y, x)
) STRICT, WITHOUT ROWID;

CREATE TABLE jobs (
  key            INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  owner          TEXT    NOT NULL,
  state          INTEGER NOT NULL,
  create_time_ns INTEGER NOT NULL,
  job            BLOB    NOT NULL,
  plan           BLOB    NOT NULL,
  last_sequence  INTEGER NOT NULL
) STRICT;
CREATE INDEX jobs_by_owner ON jobs (owner, create_time_ns, id);
CREATE INDEX jobs_unfinished ON jobs (create_time_ns, id) WHERE state IN (1, 2, 3);

CREATE TABLE job_volumes (
  job       INTEGER NOT NULL REFERENCES jobs (key) ON DELETE CASCADE,
  volume_id TEXT    NOT NULL,
  PRIMARY KEY (job, volume_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX job_volumes_by_volume ON job_volumes (volume_id);

CREATE TABLE tasks (
  job           INTEGER NOT NULL REFERENCES jobs (key) ON DELETE CASCADE,
  number        INTEGER NOT NULL,
  kind          INTEGER NOT NULL,
  state         INTEGER NOT NULL,
  t             INTEGER NOT NULL,
  c             INTEGER NOT NULL,
  tile          INTEGER NOT NULL,
  token         INTEGER NOT NULL,
  worker        TEXT    NOT NULL,
  failures      INTEGER NOT NULL,
  losses        INTEGER NOT NULL,
  not_before_ns INTEGER NOT NULL,
  PRIMARY KEY (job, number)
) STRICT, WITHOUT ROWID;

CREATE TABLE events (
  job      INTEGER NOT NULL REFERENCES jobs (key) ON DELETE CASCADE,
  sequence INTEGER NOT NULL,
  event    BLOB    NOT NULL,
  PRIMARY KEY (job, sequence)
) STRICT, WITHOUT ROWID;

CREATE TABLE requests (
  owner       TEXT NOT NULL,
  request_id  TEXT NOT NULL,
  body_digest BLOB NOT NULL,
  resource_id TEXT NOT NULL,
  PRIMARY KEY (owner, request_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX requests_by_resource ON requests (resource_id);

CREATE TABLE counters (
  name  TEXT    PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO counters VALUES ('token', 0);
)sql";

// A name stays when its versions have gone, so that no number is given twice.
constexpr const char* kVersion2 = R"sql(
CREATE TABLE psf_names (
  key         INTEGER PRIMARY KEY,
  owner       TEXT    NOT NULL,
  id          TEXT    NOT NULL,
  last_number INTEGER NOT NULL,
  UNIQUE (owner, id)
) STRICT;

CREATE TABLE psfs (
  name           INTEGER NOT NULL REFERENCES psf_names (key),
  number         INTEGER NOT NULL,
  volume_id      TEXT    NOT NULL UNIQUE REFERENCES volumes (id),
  create_time_ns INTEGER NOT NULL,
  psf            BLOB    NOT NULL,
  PRIMARY KEY (name, number)
) STRICT, WITHOUT ROWID;
)sql";

// No number of a token is given twice: `last_token` is that of the newest.
constexpr const char* kVersion3 = R"sql(
CREATE TABLE users (
  key            INTEGER PRIMARY KEY,
  id             TEXT    NOT NULL UNIQUE,
  role           INTEGER NOT NULL,
  group_name     TEXT    NOT NULL,
  weight         REAL    NOT NULL,
  quota          BLOB,
  disabled       INTEGER NOT NULL,
  create_time_ns INTEGER NOT NULL,
  last_token     INTEGER NOT NULL
) STRICT;

CREATE TABLE tokens (
  user              INTEGER NOT NULL REFERENCES users (key),
  number            INTEGER NOT NULL,
  hash              BLOB    NOT NULL UNIQUE,
  label             TEXT    NOT NULL,
  create_time_ns    INTEGER NOT NULL,
  expire_time_ns    INTEGER,
  last_used_time_ns INTEGER,
  revoked           INTEGER NOT NULL,
  PRIMARY KEY (user, number)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kVersion4 = R"sql(
CREATE TABLE usage (
  owner     TEXT    NOT NULL,
  month     TEXT    NOT NULL,
  worker_ms INTEGER NOT NULL,
  tasks     INTEGER NOT NULL,
  bytes_in  INTEGER NOT NULL,
  bytes_out INTEGER NOT NULL,
  PRIMARY KEY (owner, month)
) STRICT, WITHOUT ROWID;

CREATE TABLE shares (
  owner    TEXT    PRIMARY KEY,
  spent_ms INTEGER NOT NULL,
  at_ms    INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Volumes of before count as used now, so that no rule finds them old at once.
constexpr const char* kVersion5 = R"sql(
ALTER TABLE volumes ADD COLUMN size_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE volumes ADD COLUMN announced BLOB;
ALTER TABLE volumes ADD COLUMN last_used_ns INTEGER NOT NULL DEFAULT 0;
ALTER TABLE volumes ADD COLUMN fetched INTEGER NOT NULL DEFAULT 0;
UPDATE volumes SET size_bytes = committed_bytes,
                   last_used_ns = CAST(strftime('%s', 'now') AS INTEGER) * 1000000000;
CREATE INDEX volumes_by_announced ON volumes (owner, announced) WHERE announced IS NOT NULL;
CREATE INDEX volumes_by_size ON volumes (owner, size_bytes);
CREATE INDEX volumes_by_use ON volumes (job_output, fetched, last_used_ns);
)sql";

constexpr const char* kVersion6 = R"sql(
CREATE TABLE previews (
  job     INTEGER NOT NULL REFERENCES jobs (key) ON DELETE CASCADE,
  c       INTEGER NOT NULL,
  preview BLOB    NOT NULL,
  PRIMARY KEY (job, c)
) STRICT;
)sql";

constexpr const char* kVersion7 = R"sql(
ALTER TABLE users ADD COLUMN file_roots TEXT NOT NULL DEFAULT '';
)sql";

// A name stays when its versions have gone, so that no number is given twice.
constexpr const char* kVersion8 = R"sql(
CREATE TABLE model_names (
  key         INTEGER PRIMARY KEY,
  owner       TEXT    NOT NULL,
  id          TEXT    NOT NULL,
  last_number INTEGER NOT NULL,
  UNIQUE (owner, id)
) STRICT;

CREATE TABLE models (
  name           INTEGER NOT NULL REFERENCES model_names (key),
  number         INTEGER NOT NULL,
  volume_id      TEXT    NOT NULL UNIQUE REFERENCES volumes (id),
  create_time_ns INTEGER NOT NULL,
  model          BLOB    NOT NULL,
  PRIMARY KEY (name, number)
) STRICT, WITHOUT ROWID;
)sql";

constexpr const char* kVersion9 = R"sql(
CREATE TABLE group_weights (
  name   TEXT PRIMARY KEY,
  weight REAL NOT NULL
) STRICT, WITHOUT ROWID;
)sql";

// Entry n brings version n to version n + 1.
constexpr std::array<const char*, kSchemaVersion> kMigrations = {kVersion1, kVersion2, kVersion3, kVersion4, kVersion5,
                                                                 kVersion6, kVersion7, kVersion8, kVersion9};

absl::StatusOr<int64_t> CurrentVersion(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("PRAGMA user_version"));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  return row ? query.Int(0) : 0;
}

}  // namespace

absl::Status Migrate(Database& database, int64_t to) {
  ASSIGN_OR_RETURN(const int64_t found, CurrentVersion(database));
  if (found > kSchemaVersion) {
    return MakeError(
        {.reason = v1::INCOMPATIBLE_VERSION,
         .remedy = "Start the newer deconvoyd again, or restore a backup of the state folder from before the upgrade.",
         .metadata = {{"path", database.path().string()},
                      {"found_version", fmt::to_string(found)},
                      {"known_version", fmt::to_string(kSchemaVersion)}}},
        fmt::format("{} has schema version {}, but deconvoyd {} knows versions up to {}", database.path().string(),
                    found, DECONVOY_VERSION, kSchemaVersion));
  }
  for (int64_t version = found; version < to; ++version) {
    ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
    RETURN_IF_ERROR(database.Execute(kMigrations[static_cast<size_t>(version)]));
    RETURN_IF_ERROR(database.Execute(fmt::format("PRAGMA user_version = {}", version + 1)));
    RETURN_IF_ERROR(transaction.Commit());
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server
