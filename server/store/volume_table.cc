#include "server/store/volume_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <string_view>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/store/page_room.h"
#include "server/store/page_token.h"
#include "server/store/request_table.h"

namespace deconvoy::server::volume_table {
namespace {

#define VOLUME_COLUMNS "id, owner, state, create_time_ns, spec, committed_bytes, job_output, last_used_ns, fetched"

constexpr int kSpecColumn = 4;

absl::StatusOr<VolumeRecord> FromRow(const Database& database, const Statement& row) {
  VolumeRecord volume{.id = row.Bytes(0),
                      .owner = row.Bytes(1),
                      .spec = {},
                      .state = static_cast<v1::VolumeState>(row.Int(2)),
                      .create_time = absl::FromUnixNanos(row.Int(3)),
                      .committed_bytes = row.Int(5),
                      .job_output = row.Int(6) != 0,
                      .last_used = absl::FromUnixNanos(row.Int(7)),
                      .fetched = row.Int(8) != 0};
  if (volume.spec.ParseFromString(row.Bytes(kSpecColumn))) return volume;
  return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                   fmt::format("{}: the record of volume {} is damaged", database.path().string(), volume.id));
}

absl::Status NotFound(const std::string& id) {
  return MakeError({.reason = v1::NOT_FOUND}, fmt::format("there is no volume \"{}\"", VolumeName(id)));
}

int64_t SizeOf(const v1::VolumeSpec& spec) {
  const v1::Shape5& shape = spec.shape();
  return int64_t{shape.t()} * shape.c() * shape.z() * shape.y() * shape.x() * BytesPerVoxel(spec.type());
}

CommittedBox BoxFromRow(const Statement& row) {
  return {{row.Int(0), row.Int(1), {{row.Int(2), row.Int(3), row.Int(4)}, {row.Int(5), row.Int(6), row.Int(7)}}},
          static_cast<uint32_t>(row.Int(8))};
}

absl::StatusOr<std::vector<CommittedBox>> AllBoxes(Statement& query) {
  std::vector<CommittedBox> boxes;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return boxes;
    boxes.push_back(BoxFromRow(query));
  }
}

// What adding boxes needs to know of a volume.
struct Target {
  int64_t key = 0;
  v1::VolumeState state = v1::WRITING;
  int64_t voxel_bytes = 0;
};

absl::StatusOr<Target> FindTarget(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT key, state, spec FROM volumes WHERE id = ?"));
  query.Bind(id);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (!row) return NotFound(id);
  v1::VolumeSpec spec;
  spec.ParseFromString(query.Bytes(2));
  return Target{query.Int(0), static_cast<v1::VolumeState>(query.Int(1)), BytesPerVoxel(spec.type())};
}

// A box that could not be added because there is one at its origin: fine when it is the same.
absl::Status CheckSame(Database& database, const Target& target, const std::string& id, const CommittedBox& added) {
  const FrameBox& box = added.box;
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT t, c, z, y, x, size_z, size_y, size_x, crc32c FROM boxes"
                                    " WHERE volume = ? AND t = ? AND c = ? AND z = ? AND y = ? AND x = ?"));
  query.Bind(target.key).Bind(box.t).Bind(box.c).Bind(box.box.origin.z).Bind(box.box.origin.y).Bind(box.box.origin.x);
  ASSIGN_OR_RETURN(const bool row, query.Step());
  if (row) {
    const CommittedBox there = BoxFromRow(query);
    if (there.box == box && there.crc32c == added.crc32c) return absl::OkStatus();
  }
  return MakeError({.reason = v1::BOX_OVERLAPS, .field = "chunk.box"},
                   fmt::format("{}: another box is stored at t={} c={} z={} y={} x={} already", VolumeName(id), box.t,
                               box.c, box.box.origin.z, box.box.origin.y, box.box.origin.x));
}

// Returns the bytes that are new.
absl::StatusOr<int64_t> InsertBox(Database& database, const Target& target, const std::string& id,
                                  const CommittedBox& added) {
  const Voxel& origin = added.box.box.origin;
  const Shape3& shape = added.box.box.shape;
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT OR IGNORE INTO boxes VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(target.key).Bind(added.box.t).Bind(added.box.c);
  insert.Bind(origin.z).Bind(origin.y).Bind(origin.x).Bind(shape.z).Bind(shape.y).Bind(shape.x);
  RETURN_IF_ERROR(insert.Bind(static_cast<int64_t>(added.crc32c)).Run());
  if (database.changes() == 1) return shape.voxels() * target.voxel_bytes;
  RETURN_IF_ERROR(CheckSame(database, target, id, added));
  return 0;
}

}  // namespace

absl::Status Insert(Database& database, const VolumeRecord& volume, bool job_output) {
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare("INSERT INTO volumes (" VOLUME_COLUMNS
                                    ", size_bytes, announced) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
  insert.Bind(volume.id).Bind(volume.owner).Bind(static_cast<int64_t>(volume.state));
  v1::VolumeSpec spec = volume.spec;
  if (job_output) spec.clear_digest();
  insert.Bind(absl::ToUnixNanos(volume.create_time)).BindBlob(spec.SerializeAsString());
  insert.Bind(volume.committed_bytes).Bind(static_cast<int64_t>(job_output));
  insert.Bind(absl::ToUnixNanos(std::max(volume.last_used, volume.create_time)));
  insert.Bind(static_cast<int64_t>(volume.fetched)).Bind(SizeOf(spec));
  if (job_output || spec.digest().empty()) {
    insert.BindNull();
  } else {
    insert.BindBlob(spec.digest());
  }
  return insert.Run();
}

absl::StatusOr<VolumeRecord> Get(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT " VOLUME_COLUMNS " FROM volumes WHERE id = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(id).Step());
  if (!row) return NotFound(id);
  return FromRow(database, query);
}

absl::StatusOr<bool> Exists(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT 1 FROM volumes WHERE id = ?"));
  return query.Bind(id).Step();
}

absl::StatusOr<std::optional<VolumeRecord>> FindByDigest(Database& database, const std::string& owner,
                                                         const std::string& digest) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT " VOLUME_COLUMNS " FROM volumes WHERE owner = ? AND digest = ?"
                                    " ORDER BY create_time_ns DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).BindBlob(digest).Step());
  if (!row) return std::nullopt;
  ASSIGN_OR_RETURN(VolumeRecord volume, FromRow(database, query));
  return volume;
}

absl::StatusOr<std::optional<VolumeRecord>> FindUnfinished(Database& database, const std::string& owner,
                                                           const std::string& digest) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT " VOLUME_COLUMNS " FROM volumes WHERE owner = ? AND announced = ?"
                                    " ORDER BY committed_bytes DESC, create_time_ns DESC LIMIT 1"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).BindBlob(digest).Step());
  if (!row) return std::nullopt;
  ASSIGN_OR_RETURN(VolumeRecord volume, FromRow(database, query));
  return volume;
}

absl::StatusOr<Page<VolumeRecord>> List(Database& database, const std::string& owner, int page_size,
                                        const std::string& page_token) {
  ASSIGN_OR_RETURN(const PageKey after, FromPageToken(page_token));
  const int size = PageSize(page_size);
  PageRoom room(size);
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT " VOLUME_COLUMNS " FROM volumes"
                                                     " WHERE owner = ? AND (create_time_ns, id) < (?, ?)"
                                                     " ORDER BY create_time_ns DESC, id DESC LIMIT ?"));
  query.Bind(owner).Bind(after.place).Bind(after.id).Bind(int64_t{size} + 1);
  Page<VolumeRecord> page;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (!room.Take(query.Size(kSpecColumn))) break;
    ASSIGN_OR_RETURN(VolumeRecord volume, FromRow(database, query));
    page.items.push_back(std::move(volume));
  }
  page.next_token = ToPageToken({absl::ToUnixNanos(page.items.back().create_time), page.items.back().id});
  return page;
}

absl::StatusOr<std::vector<std::string>> AllIds(Database& database) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT id FROM volumes"));
  std::vector<std::string> ids;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return ids;
    ids.push_back(query.Bytes(0));
  }
}

absl::Status CommitBoxes(Database& database, const std::string& id, const std::vector<CommittedBox>& boxes) {
  ASSIGN_OR_RETURN(const Target target, FindTarget(database, id));
  int64_t added_bytes = 0;
  for (const CommittedBox& box : boxes) {
    ASSIGN_OR_RETURN(const int64_t bytes, InsertBox(database, target, id, box));
    added_bytes += bytes;
  }
  if (added_bytes == 0) return absl::OkStatus();
  if (target.state != v1::WRITING) {
    return MakeError({.reason = v1::VOLUME_COMPLETE},
                     fmt::format("{} is complete and takes no more bytes", VolumeName(id)));
  }
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE volumes SET committed_bytes = committed_bytes + ? WHERE key = ?"));
  return update.Bind(added_bytes).Bind(target.key).Run();
}

absl::StatusOr<std::vector<CommittedBox>> GetBoxes(Database& database, const std::string& id, int64_t t, int64_t c) {
  ASSIGN_OR_RETURN(const Target target, FindTarget(database, id));
  const bool all = t < 0;
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare(all ? std::string_view("SELECT t, c, z, y, x, size_z, size_y, size_x, crc32c FROM boxes"
                                              " WHERE volume = ?")
                           : std::string_view("SELECT t, c, z, y, x, size_z, size_y, size_x, crc32c FROM boxes"
                                              " WHERE volume = ? AND t = ? AND c = ?")));
  query.Bind(target.key);
  if (!all) query.Bind(t).Bind(c);
  return AllBoxes(query);
}

absl::StatusOr<std::vector<CommittedBox>> GetBoxesFrom(Database& database, const std::string& id, int64_t t, int64_t c,
                                                       int64_t from_z, int64_t to_z) {
  ASSIGN_OR_RETURN(const Target target, FindTarget(database, id));
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT t, c, z, y, x, size_z, size_y, size_x, crc32c FROM boxes"
                                    " WHERE volume = ? AND t = ? AND c = ? AND z >= ? AND z < ? ORDER BY z, y, x"));
  query.Bind(target.key).Bind(t).Bind(c).Bind(from_z).Bind(to_z);
  return AllBoxes(query);
}

absl::Status Use(Database& database, const std::string& id, absl::Time when) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE volumes SET last_used_ns = max(last_used_ns, ?) WHERE id = ?"));
  RETURN_IF_ERROR(update.Bind(absl::ToUnixNanos(when)).Bind(id).Run());
  return database.changes() == 0 ? NotFound(id) : absl::OkStatus();
}

absl::Status UseAllOf(Database& database, int64_t job_key, absl::Time when) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE volumes SET last_used_ns = max(last_used_ns, ?)"
                                    " WHERE id IN (SELECT volume_id FROM job_volumes WHERE job = ?)"));
  return update.Bind(absl::ToUnixNanos(when)).Bind(job_key).Run();
}

absl::Status MarkFetched(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE volumes SET fetched = 1 WHERE id = ? AND job_output = 1"));
  return update.Bind(id).Run();
}

absl::Status ForgetDigest(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement update,
                   database.Prepare("UPDATE volumes SET digest = NULL, announced = NULL WHERE id = ?"));
  return update.Bind(id).Run();
}

absl::StatusOr<int64_t> BytesOf(Database& database, const std::string& owner) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT sum(size_bytes) FROM volumes WHERE owner = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).Step());
  return row ? query.Int(0) : 0;
}

absl::StatusOr<std::vector<VolumeRecord>> Idle(Database& database, VolumeKind kind, absl::Time before, int limit) {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare("SELECT " VOLUME_COLUMNS
                                    " FROM volumes WHERE job_output = ? AND fetched = ? AND last_used_ns < ?"
                                    " AND NOT EXISTS (SELECT 1 FROM job_volumes JOIN jobs ON jobs.key = job_volumes.job"
                                    " WHERE job_volumes.volume_id = volumes.id AND jobs.state IN (1, 2, 3))"
                                    " AND NOT EXISTS (SELECT 1 FROM psfs WHERE psfs.volume_id = volumes.id)"
                                    " AND NOT EXISTS (SELECT 1 FROM models WHERE models.volume_id = volumes.id)"
                                    " ORDER BY last_used_ns, key LIMIT ?"));
  query.Bind(static_cast<int64_t>(kind != VolumeKind::kUpload));
  query.Bind(static_cast<int64_t>(kind == VolumeKind::kFetchedResult));
  query.Bind(absl::ToUnixNanos(before)).Bind(int64_t{limit});
  std::vector<VolumeRecord> volumes;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return volumes;
    ASSIGN_OR_RETURN(VolumeRecord volume, FromRow(database, query));
    volumes.push_back(std::move(volume));
  }
}

absl::Status Complete(Database& database, const std::string& id, const std::string& digest) {
  ASSIGN_OR_RETURN(VolumeRecord volume, Get(database, id));
  if (!digest.empty()) volume.spec.set_digest(digest);
  ASSIGN_OR_RETURN(
      Statement update,
      database.Prepare("UPDATE volumes SET state = ?, spec = ?, digest = ?, announced = NULL WHERE id = ?"));
  update.Bind(static_cast<int64_t>(v1::COMPLETE)).BindBlob(volume.spec.SerializeAsString());
  if (digest.empty()) {
    update.BindNull();
  } else {
    update.BindBlob(digest);
  }
  return update.Bind(id).Run();
}

absl::Status CompleteImport(Database& database, const std::string& id, const std::string& digest) {
  RETURN_IF_ERROR(Complete(database, id, digest));
  ASSIGN_OR_RETURN(Statement update, database.Prepare("UPDATE volumes SET job_output = 0, fetched = 0 WHERE id = ?"));
  return update.Bind(id).Run();
}

absl::Status Delete(Database& database, const std::string& id) {
  ASSIGN_OR_RETURN(Statement remove, database.Prepare("DELETE FROM volumes WHERE id = ?"));
  RETURN_IF_ERROR(remove.Bind(id).Run());
  if (database.changes() == 0) return NotFound(id);
  return request_table::DeleteOf(database, id);
}

#undef VOLUME_COLUMNS

}  // namespace deconvoy::server::volume_table
