#include "server/store/psf_table.h"

#include <fmt/format.h>
#include <google/protobuf/util/time_util.h>

#include <limits>
#include <string_view>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/store/job_table.h"
#include "server/store/page_token.h"
#include "server/store/volume_table.h"

namespace deconvoy::server::psf_table {
namespace {

#define PSF_SELECT \
  "SELECT owner, id, number, volume_id, create_time_ns, psf FROM psfs JOIN psf_names ON psf_names.key = psfs.name "

absl::Status NotFound(const PsfId& psf) {
  return MakeError(
      {.reason = v1::NOT_FOUND, .field = "psf", .remedy = "`deconvoy psf list` tells which PSFs the server keeps."},
      fmt::format("there is no PSF \"{}\"", PsfName(psf)));
}

// Fills what is not stored with the PSF.
absl::Status Complete(Database& database, PsfRecord& record) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, record.volume_id));
  const std::string digest = record.psf.spec().digest();
  record.psf.set_name(PsfName({record.id, record.number}));
  record.psf.set_volume(VolumeName(record.volume_id));
  *record.psf.mutable_spec() = volume.spec;
  record.psf.mutable_spec()->set_digest(digest);
  *record.psf.mutable_create_time() =
      google::protobuf::util::TimeUtil::NanosecondsToTimestamp(absl::ToUnixNanos(record.create_time));
  return absl::OkStatus();
}

absl::StatusOr<PsfRecord> FromRow(Database& database, const Statement& row) {
  PsfRecord record{.owner = row.Bytes(0),
                   .id = row.Bytes(1),
                   .number = row.Int(2),
                   .volume_id = row.Bytes(3),
                   .psf = {},
                   .create_time = absl::FromUnixNanos(row.Int(4))};
  if (!record.psf.ParseFromString(row.Bytes(5))) {
    return MakeError(
        {.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
        fmt::format("{}: the record of {} is damaged", database.path().string(), PsfName({record.id, record.number})));
  }
  RETURN_IF_ERROR(Complete(database, record));
  return record;
}

struct Name {
  int64_t key = 0;
  int64_t next_number = 1;
};

// Takes the next number of a PSF, which may be new.
absl::StatusOr<Name> Advance(Database& database, const std::string& owner, const std::string& id) {
  ASSIGN_OR_RETURN(Statement advance,
                   database.Prepare("INSERT INTO psf_names (owner, id, last_number) VALUES (?, ?, 1)"
                                    " ON CONFLICT (owner, id) DO UPDATE SET last_number = last_number + 1"
                                    " RETURNING key, last_number"));
  ASSIGN_OR_RETURN(const bool row, advance.Bind(owner).Bind(id).Step());
  if (!row) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                     fmt::format("{}: {} got no number", database.path().string(), PsfName({id, 0})));
  }
  const Name name{advance.Int(0), advance.Int(1)};
  RETURN_IF_ERROR(advance.Run());
  return name;
}

absl::Status CheckVolume(Database& database, const PsfRecord& psf) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, psf.volume_id));
  if (volume.owner != psf.owner) {
    return MakeError({.reason = v1::NOT_FOUND, .field = "volume"},
                     fmt::format("there is no volume \"{}\"", VolumeName(psf.volume_id)));
  }
  if (volume.state == v1::COMPLETE) return absl::OkStatus();
  return MakeError({.reason = v1::VOLUME_INCOMPLETE,
                    .field = "volume",
                    .remedy = "Send what is missing and call Finish, or wait until its job has ended."},
                   fmt::format("{} is not complete yet", VolumeName(psf.volume_id)));
}

}  // namespace

absl::Status Insert(Database& database, PsfRecord& psf) {
  RETURN_IF_ERROR(CheckVolume(database, psf));
  ASSIGN_OR_RETURN(const std::string maker, job_table::MakerOf(database, psf.volume_id));
  psf.psf.set_job(maker.empty() ? "" : JobName(maker));
  ASSIGN_OR_RETURN(const Name name, Advance(database, psf.owner, psf.id));
  psf.number = name.next_number;
  ASSIGN_OR_RETURN(Statement insert, database.Prepare("INSERT INTO psfs VALUES (?, ?, ?, ?, ?)"));
  insert.Bind(name.key).Bind(psf.number).Bind(psf.volume_id).Bind(absl::ToUnixNanos(psf.create_time));
  RETURN_IF_ERROR(insert.BindBlob(psf.psf.SerializeAsString()).Run());
  return Complete(database, psf);
}

absl::StatusOr<PsfRecord> Get(Database& database, const std::string& owner, const std::string& id, int64_t number) {
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare(PSF_SELECT "WHERE owner = ?1 AND id = ?2 AND (?3 = 0 OR number = ?3) ORDER BY number DESC"
                                  " LIMIT 1"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).Bind(id).Bind(number).Step());
  if (!row) return NotFound({id, number});
  return FromRow(database, query);
}

absl::StatusOr<std::optional<PsfRecord>> FindByVolume(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(PSF_SELECT "WHERE volume_id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(volume_id).Step());
  if (!row) return std::nullopt;
  ASSIGN_OR_RETURN(PsfRecord psf, FromRow(database, query));
  return psf;
}

absl::StatusOr<Page<PsfRecord>> List(Database& database, const std::string& owner, const std::string& id, int page_size,
                                     const std::string& page_token) {
  PageKey after{std::numeric_limits<int64_t>::max(), ""};
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(after, FromPageToken(page_token));
  }
  if (!id.empty()) RETURN_IF_ERROR(Get(database, owner, id, 0).status());
  const int size = PageSize(page_size);
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare(
          id.empty()
              ? std::string_view(PSF_SELECT "WHERE owner = ?1 AND id > ?2 AND number = (SELECT max(number) FROM psfs"
                                            " WHERE name = psf_names.key) ORDER BY id LIMIT ?3")
              : std::string_view(PSF_SELECT "WHERE owner = ?1 AND id = ?2 AND number < ?3 ORDER BY number DESC"
                                            " LIMIT ?4")));
  query.Bind(owner).Bind(id.empty() ? after.id : id);
  if (!id.empty()) query.Bind(after.place);
  query.Bind(int64_t{size} + 1);
  Page<PsfRecord> page;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (page.items.size() == static_cast<size_t>(size)) break;
    ASSIGN_OR_RETURN(PsfRecord psf, FromRow(database, query));
    page.items.push_back(std::move(psf));
  }
  page.next_token = ToPageToken({page.items.back().number, page.items.back().id});
  return page;
}

absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number) {
  ASSIGN_OR_RETURN(Statement remove,
                   database.Prepare("DELETE FROM psfs WHERE name = (SELECT key FROM psf_names WHERE owner = ?1 AND"
                                    " id = ?2) AND (?3 = 0 OR number = ?3) RETURNING volume_id"));
  remove.Bind(owner).Bind(id).Bind(number);
  std::vector<std::string> volumes;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, remove.Step());
    if (!row) break;
    volumes.push_back(remove.Bytes(0));
  }
  if (volumes.empty()) return NotFound({id, number});
  return volumes;
}

#undef PSF_SELECT

}  // namespace deconvoy::server::psf_table
