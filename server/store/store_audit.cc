#include "server/store/store_audit.h"

#include <fmt/format.h>

#include <array>
#include <system_error>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/store/job_table.h"
#include "server/store/schema.h"
#include "server/store/volume_table.h"

namespace deconvoy::server {
namespace {

// Tables whose rows hang on a row of another one, and which of their rows do so in vain.
struct Hanging {
  const char* table;
  const char* in_vain;
};
constexpr std::array<Hanging, 6> kHanging = {{
    {"boxes", "volume NOT IN (SELECT key FROM volumes)"},
    {"job_volumes", "job NOT IN (SELECT key FROM jobs)"},
    {"tasks", "job NOT IN (SELECT key FROM jobs)"},
    {"events", "job NOT IN (SELECT key FROM jobs)"},
    {"psfs", "name NOT IN (SELECT key FROM psf_names) OR volume_id NOT IN (SELECT id FROM volumes)"},
    {"models", "name NOT IN (SELECT key FROM model_names) OR volume_id NOT IN (SELECT id FROM volumes)"},
}};

// Of one job, in the order of JobFacts.
constexpr std::string_view kFacts =
    "SELECT id, state, last_sequence,"
    " (SELECT count(*) FROM tasks WHERE job = jobs.key),"
    " (SELECT coalesce(max(number), -1) FROM tasks WHERE job = jobs.key),"
    " (SELECT count(*) FROM tasks WHERE job = jobs.key AND state IN (1, 2, 3)),"
    " (SELECT count(*) FROM tasks WHERE job = jobs.key AND state <> 4),"
    " (SELECT count(*) FROM tasks WHERE job = jobs.key AND state NOT BETWEEN 1 AND 6),"
    " (SELECT count(*) FROM events WHERE job = jobs.key),"
    " (SELECT coalesce(max(sequence), 0) FROM events WHERE job = jobs.key),"
    " (SELECT coalesce(max(token), 0) FROM tasks WHERE job = jobs.key)"
    " FROM jobs ORDER BY key";

absl::Status CheckVersion(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("PRAGMA user_version"));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  const int64_t found = row ? query.Int(0) : 0;
  if (found == kSchemaVersion) return absl::OkStatus();
  return MakeError(
      {.reason = v1::INCOMPATIBLE_VERSION,
       .remedy = found < kSchemaVersion ? "Start and stop this deconvoyd once: it brings the database forward."
                                        : "Use the newer deconvoyd.",
       .metadata = {{"path", database.path().string()},
                    {"found_version", fmt::to_string(found)},
                    {"known_version", fmt::to_string(kSchemaVersion)}}},
      fmt::format("{} has schema version {}, but deconvoyd {} looks into version {} only", database.path().string(),
                  found, DECONVOY_VERSION, kSchemaVersion));
}

template <typename Work>
absl::Status InTransaction(Database& database, const Work& work) {
  ASSIGN_OR_RETURN(Transaction transaction, Transaction::Begin(database));
  RETURN_IF_ERROR(work());
  return transaction.Commit();
}

absl::StatusOr<int64_t> KeyOf(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT key FROM volumes WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(volume_id).Step());
  if (row) return query.Int(0);
  return MakeError({.reason = v1::NOT_FOUND}, fmt::format("there is no volume \"{}\"", VolumeName(volume_id)));
}

// Counts the committed bytes from the boxes.
absl::Status Recount(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, volume_id));
  ASSIGN_OR_RETURN(const Shape5 shape, ToShape(volume.spec.shape(), volume.spec.type(), "spec.shape"));
  ASSIGN_OR_RETURN(const std::vector<CommittedBox> boxes, volume_table::GetBoxes(database, volume_id, -1, -1));
  int64_t bytes = 0;
  for (const CommittedBox& box : boxes) bytes += box.box.box.shape.voxels() * BytesPerVoxel(volume.spec.type());
  ASSIGN_OR_RETURN(Statement count, database.Prepare("UPDATE volumes SET committed_bytes = ? WHERE id = ?"));
  RETURN_IF_ERROR(count.Bind(bytes).Bind(volume_id).Run());
  if (bytes == VolumeBytes(shape, volume.spec.type())) return absl::OkStatus();
  ASSIGN_OR_RETURN(Statement open, database.Prepare("UPDATE volumes SET state = ?, digest = NULL WHERE id = ?"));
  return open.Bind(static_cast<int64_t>(v1::WRITING)).Bind(volume_id).Run();
}

}  // namespace

absl::Status CheckSound(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("PRAGMA quick_check(1)"));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (row && query.Bytes(0) == "ok") return absl::OkStatus();
  const std::string path = database.path().string();
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "`deconvoyd --check` lists what is damaged, `--repair` mends damaged indexes; else "
                              "restore the database from a backup.",
                    .metadata = {{"path", path}}},
                   fmt::format("{}: the database is damaged ({})", path, row ? query.Bytes(0) : "it cannot be read"));
}

absl::StatusOr<std::unique_ptr<StoreAudit>> StoreAudit::Open(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) {
    return MakeError({.reason = v1::NOT_FOUND, .metadata = {{"path", path.string()}}},
                     fmt::format("{} is not there", path.string()));
  }
  ASSIGN_OR_RETURN(std::unique_ptr<Database> database, Database::Open(path));
  RETURN_IF_ERROR(CheckVersion(*database));
  return std::unique_ptr<StoreAudit>(new StoreAudit(std::move(database)));
}

absl::StatusOr<std::vector<std::string>> StoreAudit::Texts(Statement query) const {
  std::vector<std::string> texts;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return texts;
    texts.push_back(query.Bytes(0));
  }
}

std::vector<std::string> StoreAudit::Damage() {
  absl::StatusOr<Statement> query = database_->Prepare("PRAGMA integrity_check(100)");
  if (!query.ok()) return {std::string(query.status().message())};
  std::vector<std::string> lines;
  while (true) {
    const absl::StatusOr<bool> row = query->Step();
    if (!row.ok()) lines.emplace_back(row.status().message());
    if (!row.ok() || !*row) break;
    lines.push_back(query->Bytes(0));
  }
  if (lines.size() == 1 && lines.front() == "ok") lines.clear();
  return lines;
}

absl::StatusOr<std::vector<std::string>> StoreAudit::Strays() {
  std::vector<std::string> found;
  for (const Hanging& hanging : kHanging) {
    ASSIGN_OR_RETURN(Statement query, database_->Prepare(fmt::format("SELECT count(*) FROM {} WHERE {}", hanging.table,
                                                                     hanging.in_vain)));
    RETURN_IF_ERROR(query.Step().status());
    if (query.Int(0) > 0) found.push_back(fmt::format("{} rows of {}", query.Int(0), hanging.table));
  }
  return found;
}

absl::StatusOr<std::vector<JobFacts>> StoreAudit::Jobs() {
  ASSIGN_OR_RETURN(Statement query, database_->Prepare(kFacts));
  std::vector<JobFacts> jobs;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return jobs;
    jobs.push_back({.id = query.Bytes(0),
                    .state = query.Int(1),
                    .last_sequence = query.Int(2),
                    .tasks = query.Int(3),
                    .highest_task = query.Int(4),
                    .open_tasks = query.Int(5),
                    .unfinished_tasks = query.Int(6),
                    .illegal_tasks = query.Int(7),
                    .events = query.Int(8),
                    .highest_event = query.Int(9),
                    .highest_token = query.Int(10)});
  }
}

absl::StatusOr<uint64_t> StoreAudit::TokenCounter() {
  ASSIGN_OR_RETURN(Statement query, database_->Prepare("SELECT value FROM counters WHERE name = 'token'"));
  ASSIGN_OR_RETURN(const bool row, query.Step());
  return row ? static_cast<uint64_t>(query.Int(0)) : 0;
}

absl::StatusOr<std::vector<std::string>> StoreAudit::VolumesOf(const std::string& job_id) {
  ASSIGN_OR_RETURN(const job_table::JobKey job, job_table::Find(*database_, job_id));
  ASSIGN_OR_RETURN(Statement query, database_->Prepare("SELECT volume_id FROM job_volumes WHERE job = ?"));
  query.Bind(job.key);
  return Texts(std::move(query));
}

absl::Status StoreAudit::CopyInto(const std::filesystem::path& path) {
  ASSIGN_OR_RETURN(Statement copy, database_->Prepare("VACUUM INTO ?"));
  return copy.Bind(path.string()).Run();
}

absl::Status StoreAudit::Reindex() {
  return database_->Execute("REINDEX");
}

absl::Status StoreAudit::RemoveStrays() {
  return InTransaction(*database_, [&]() -> absl::Status {
    for (const Hanging& hanging : kHanging) {
      RETURN_IF_ERROR(database_->Execute(fmt::format("DELETE FROM {} WHERE {}", hanging.table, hanging.in_vain)));
    }
    return absl::OkStatus();
  });
}

absl::Status StoreAudit::DropBoxes(const std::string& volume_id, const std::vector<FrameBox>& boxes) {
  return InTransaction(*database_, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(const int64_t key, KeyOf(*database_, volume_id));
    ASSIGN_OR_RETURN(Statement drop, database_->Prepare("DELETE FROM boxes WHERE volume = ? AND t = ? AND c = ?"
                                                        " AND z = ? AND y = ? AND x = ?"));
    for (const FrameBox& box : boxes) {
      const Voxel& origin = box.box.origin;
      drop.Bind(key).Bind(box.t).Bind(box.c).Bind(origin.z).Bind(origin.y).Bind(origin.x);
      RETURN_IF_ERROR(drop.Run());
    }
    return Recount(*database_, volume_id);
  });
}

absl::Status StoreAudit::RemoveVolume(const std::string& id) {
  return InTransaction(*database_, [&]() -> absl::Status {
    ASSIGN_OR_RETURN(Statement psf, database_->Prepare("DELETE FROM psfs WHERE volume_id = ?"));
    RETURN_IF_ERROR(psf.Bind(id).Run());
    ASSIGN_OR_RETURN(Statement model, database_->Prepare("DELETE FROM models WHERE volume_id = ?"));
    RETURN_IF_ERROR(model.Bind(id).Run());
    return volume_table::Delete(*database_, id);
  });
}

absl::Status StoreAudit::RaiseTokens(uint64_t newest) {
  ASSIGN_OR_RETURN(Statement update, database_->Prepare("INSERT INTO counters VALUES ('token', ?1)"
                                                        " ON CONFLICT (name) DO UPDATE SET value = max(value, ?1)"));
  return update.Bind(static_cast<int64_t>(newest)).Run();
}

absl::Status StoreAudit::CloseTasks(const std::string& job_id) {
  ASSIGN_OR_RETURN(const job_table::JobKey job, job_table::Find(*database_, job_id));
  ASSIGN_OR_RETURN(Statement close, database_->Prepare("UPDATE tasks SET state = ?1 WHERE job = ?2"
                                                       " AND state NOT IN (4, 5, 6)"));
  return close.Bind(static_cast<int64_t>(TaskState::kCancelled)).Bind(job.key).Run();
}

}  // namespace deconvoy::server
