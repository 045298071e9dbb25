#include "server/store/job_table.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <algorithm>
#include <set>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/store/page_room.h"
#include "server/store/page_token.h"
#include "server/store/request_table.h"
#include "server/store/volume_table.h"

namespace deconvoy::server::job_table {
namespace {

#define JOB_COLUMNS "id, owner, state, create_time_ns, job, plan, last_sequence"
#define LISTED_COLUMNS "id, owner, state, create_time_ns, job, '', last_sequence"

constexpr int kJobColumn = 4;

absl::Status NotFound(const std::string& id) {
  return MakeError({.reason = v1::NOT_FOUND}, fmt::format("there is no job \"{}\"", JobName(id)));
}

absl::StatusOr<JobRecord> FromRow(const Database& database, const Statement& row) {
  JobRecord record{.id = row.Bytes(0),
                   .owner = row.Bytes(1),
                   .state = static_cast<v1::JobState>(row.Int(2)),
                   .job = {},
                   .create_time = absl::FromUnixNanos(row.Int(3)),
                   .plan = row.Bytes(5)};
  if (!record.job.ParseFromString(row.Bytes(kJobColumn))) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                     fmt::format("{}: the record of job {} is damaged", database.path().string(), record.id));
  }
  record.job.set_name(JobName(record.id));
  record.job.set_state(record.state);
  *record.job.mutable_create_time() = google::protobuf::util::TimeUtil::NanosecondsToTimestamp(row.Int(3));
  record.job.set_last_sequence(static_cast<uint64_t>(row.Int(6)));
  return record;
}

absl::StatusOr<std::vector<std::string>> AllIds(Statement& query) {
  std::vector<std::string> ids;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return ids;
    ids.push_back(query.Bytes(0));
  }
}

std::vector<std::string> BeadNames(const v1::DistillSpec& spec) {
  std::vector<std::string> names = {spec.input_volume()};
  names.insert(names.end(), spec.more_volumes().begin(), spec.more_volumes().end());
  return names;
}

std::vector<std::string> TrainingNames(const v1::TrainModelSpec& spec) {
  std::vector<std::string> names = {spec.psf_volume()};
  names.insert(names.end(), spec.input_volumes().begin(), spec.input_volumes().end());
  names.insert(names.end(), spec.truth_volumes().begin(), spec.truth_volumes().end());
  return names;
}

std::vector<std::string> InputNames(const v1::JobSpec& spec) {
  switch (spec.work_case()) {
    case v1::JobSpec::kDeconvolve:
      return {spec.deconvolve().input_volume(), spec.deconvolve().psf_volume(), spec.deconvolve().mask_volume(),
              spec.deconvolve().flat_field_volume()};
    case v1::JobSpec::kSimulate:
      return {spec.simulate().psf_volume()};
    case v1::JobSpec::kProject:
      return {spec.project().input_volume()};
    case v1::JobSpec::kDistill:
      return BeadNames(spec.distill());
    case v1::JobSpec::kCheckPsf:
      return {spec.check_psf().psf_volume()};
    case v1::JobSpec::kPreparePsf:
      return {spec.prepare_psf().psf_volume()};
    case v1::JobSpec::kExportFile:
      return {spec.export_file().volume()};
    case v1::JobSpec::kTrainModel:
      return TrainingNames(spec.train_model());
    case v1::JobSpec::kCheckModel:
      return {spec.check_model().model_volume()};
    case v1::JobSpec::kModelPsf:
    case v1::JobSpec::kImportFile:
    case v1::JobSpec::WORK_NOT_SET:
      break;
  }
  return {};
}

absl::StatusOr<std::set<std::string>> Ids(const std::vector<std::string>& names) {
  std::set<std::string> ids;
  for (const std::string& name : names) {
    if (name.empty()) continue;
    ASSIGN_OR_RETURN(std::string id, VolumeId(name, "job.volumes"));
    ids.insert(std::move(id));
  }
  return ids;
}

absl::Status WriteVolumes(Database& database, int64_t key, const v1::Job& job) {
  ASSIGN_OR_RETURN(Statement clear, database.Prepare("DELETE FROM job_volumes WHERE job = ?"));
  RETURN_IF_ERROR(clear.Bind(key).Run());
  std::vector<std::string> names = InputNames(job.spec());
  for (const v1::ModelUse& model : job.models()) names.push_back(model.volume());
  for (const v1::JobOutput& output : job.outputs()) names.push_back(output.volume());
  ASSIGN_OR_RETURN(const std::set<std::string> ids, Ids(names));
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO job_volumes VALUES (?, ?)"));
  for (const std::string& id : ids) RETURN_IF_ERROR(insert.Bind(key).Bind(id).Run());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<JobKey> Insert(Database& database, const JobRecord& job) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO jobs (" JOB_COLUMNS ") VALUES (?, ?, ?, ?, ?, ?, 0)"));
  insert.Bind(job.id).Bind(job.owner).Bind(static_cast<int64_t>(job.state));
  insert.Bind(absl::ToUnixNanos(job.create_time)).BindBlob(job.job.SerializeAsString()).BindBlob(job.plan);
  RETURN_IF_ERROR(insert.Run());
  const JobKey key{database.last_key(), 0};
  RETURN_IF_ERROR(WriteVolumes(database, key.key, job.job));
  return key;
}

absl::StatusOr<JobKey> Find(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT key, last_sequence FROM jobs WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(id).Step());
  if (!row) return NotFound(id);
  return JobKey{query.Int(0), static_cast<uint64_t>(query.Int(1))};
}

absl::Status Update(Database& database, const JobKey& key, const JobRecord& job) {
  ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE jobs SET owner = ?1, state = ?2, create_time_ns = ?3, job = ?4,"
                       " plan = CASE WHEN length(?5) = 0 THEN plan ELSE ?5 END, last_sequence = ?6 WHERE key = ?7"));
  update.Bind(job.owner).Bind(static_cast<int64_t>(job.state)).Bind(absl::ToUnixNanos(job.create_time));
  update.BindBlob(job.job.SerializeAsString()).BindBlob(job.plan);
  RETURN_IF_ERROR(update.Bind(static_cast<int64_t>(key.last_sequence)).Bind(key.key).Run());
  return WriteVolumes(database, key.key, job.job);
}

absl::Status CheckInputs(Database& database, const JobRecord& job) {
  ASSIGN_OR_RETURN(const std::set<std::string> ids, Ids(InputNames(job.job.spec())));
  for (const std::string& id : ids) {
    ASSIGN_OR_RETURN(const bool exists, volume_table::Exists(database, id));
    if (!exists) {
      return MakeError({.reason = v1::NOT_FOUND}, fmt::format("there is no volume \"{}\"", VolumeName(id)));
    }
  }
  return absl::OkStatus();
}

absl::StatusOr<JobRecord> Get(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT " JOB_COLUMNS " FROM jobs WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(id).Step());
  if (!row) return NotFound(id);
  return FromRow(database, query);
}

absl::StatusOr<Page<JobRecord>> List(Database& database, const std::string& owner, int page_size,
                                     const std::string& page_token, bool unfinished_only) {
  ASSIGN_OR_RETURN(const PageKey after, FromPageToken(page_token));
  const int size = PageSize(page_size);
  PageRoom room(size);
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare(
          unfinished_only
              ? std::string_view("SELECT " LISTED_COLUMNS " FROM jobs WHERE owner = ? AND (create_time_ns, id) < (?, ?)"
                                 " AND state IN (1, 2, 3) ORDER BY create_time_ns DESC, id DESC LIMIT ?")
              : std::string_view("SELECT " LISTED_COLUMNS " FROM jobs WHERE owner = ? AND (create_time_ns, id) < (?, ?)"
                                 " ORDER BY create_time_ns DESC, id DESC LIMIT ?")));
  query.Bind(owner).Bind(after.place).Bind(after.id).Bind(int64_t{size} + 1);
  Page<JobRecord> page;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (!room.Take(query.Size(kJobColumn))) break;
    ASSIGN_OR_RETURN(JobRecord job, FromRow(database, query));
    page.items.push_back(std::move(job));
  }
  page.next_token = ToPageToken({absl::ToUnixNanos(page.items.back().create_time), page.items.back().id});
  return page;
}

absl::StatusOr<std::vector<JobRecord>> Unfinished(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT " JOB_COLUMNS " FROM jobs WHERE state IN (1, 2, 3)"
                                                     " ORDER BY create_time_ns, id"));
  std::vector<JobRecord> jobs;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return jobs;
    ASSIGN_OR_RETURN(JobRecord job, FromRow(database, query));
    jobs.push_back(std::move(job));
  }
}

absl::Status Delete(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM jobs WHERE id = ?"));
  RETURN_IF_ERROR(remove.Bind(id).Run());
  if (database.changes() == 0) return NotFound(id);
  return request_table::DeleteOf(database, id);
}

absl::StatusOr<int64_t> CountUnfinished(Database& database, const std::string& owner) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT count(*) FROM jobs WHERE owner = ? AND state IN (1, 2, 3)"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).Step());
  return row ? query.Int(0) : 0;
}

absl::StatusOr<std::vector<std::string>> UnfinishedUsing(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT id FROM job_volumes JOIN jobs ON jobs.key = job_volumes.job"
                                    " WHERE volume_id = ? AND state IN (1, 2, 3) ORDER BY create_time_ns, id"));
  query.Bind(volume_id);
  return AllIds(query);
}

absl::StatusOr<std::vector<std::string>> VolumesOf(Database& database, const std::string& job_id) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT volume_id FROM job_volumes JOIN jobs ON jobs.key = job_volumes.job"
                                    " WHERE id = ? ORDER BY volume_id"));
  query.Bind(job_id);
  return AllIds(query);
}

absl::StatusOr<std::string> MakerOf(Database& database, const std::string& volume_id) {
  // It came before every job that reads the volume.
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT jobs.id, jobs.job FROM job_volumes JOIN jobs ON jobs.key = job_volumes.job"
                                    " WHERE volume_id = ? ORDER BY jobs.key LIMIT 1"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(volume_id).Step());
  v1::Job job;
  if (!row || !job.ParseFromString(query.Bytes(1))) return "";
  const bool made = std::any_of(job.outputs().begin(), job.outputs().end(),
                                [&](const v1::JobOutput& output) { return output.volume() == VolumeName(volume_id); });
  return made ? query.Bytes(0) : "";
}

#undef LISTED_COLUMNS
#undef JOB_COLUMNS

}  // namespace deconvoy::server::job_table
