#include "server/store/library_table.h"

#include <fmt/format.h>

#include <limits>
#include <utility>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/store/page_room.h"
#include "server/store/page_token.h"
#include "server/store/volume_table.h"

namespace deconvoy::server {
namespace {

constexpr int kDescriptionColumn = 5;

LibraryRecord FromRow(const Statement& row) {
  return {.owner = row.Bytes(0),
          .id = row.Bytes(1),
          .number = row.Int(2),
          .volume_id = row.Bytes(3),
          .create_time = absl::FromUnixNanos(row.Int(4)),
          .description = row.Bytes(kDescriptionColumn)};
}

absl::Status CheckVolume(Database& database, const LibraryRecord& record) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, record.volume_id));
  if (volume.owner != record.owner) {
    return MakeError({.reason = v1::NOT_FOUND, .field = "volume"},
                     fmt::format("there is no volume \"{}\"", VolumeName(record.volume_id)));
  }
  if (volume.state == v1::COMPLETE) return absl::OkStatus();
  return MakeError({.reason = v1::VOLUME_INCOMPLETE,
                    .field = "volume",
                    .remedy = "Send what is missing and call Finish, or wait until its job has ended."},
                   fmt::format("{} is not complete yet", VolumeName(record.volume_id)));
}

}  // namespace

std::string LibraryTable::Select(std::string_view rest) const {
  return fmt::format(
      "SELECT owner, id, number, volume_id, create_time_ns, {0} FROM {1} JOIN {2} ON {2}.key = {1}.name"
      " {3}",
      words_.column, words_.versions, words_.names, rest);
}

absl::Status LibraryTable::NotFound(const std::string& id, int64_t number) const {
  return MakeError({.reason = v1::NOT_FOUND, .field = words_.field, .remedy = words_.remedy},
                   fmt::format("there is no {} \"{}\"", words_.noun, words_.name(id, number)));
}

absl::Status LibraryTable::Damaged(const Database& database, const LibraryRecord& record) const {
  return MakeError(
      {.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
      fmt::format("{}: the record of {} is damaged", database.path().string(), words_.name(record.id, record.number)));
}

// Takes the next number of a name, which may be new; returns the name's key.
absl::StatusOr<int64_t> LibraryTable::Advance(Database& database, LibraryRecord& record) const {
  ASSIGN_OR_RETURN(Statement advance,
                   database.Prepare(fmt::format("INSERT INTO {} (owner, id, last_number) VALUES (?, ?, 1)"
                                                " ON CONFLICT (owner, id) DO UPDATE SET last_number = last_number + 1"
                                                " RETURNING key, last_number",
                                                words_.names)));
  ASSIGN_OR_RETURN(const bool row, advance.Bind(record.owner).Bind(record.id).Step());
  if (!row) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                     fmt::format("{}: {} got no number", database.path().string(), words_.name(record.id, 0)));
  }
  const int64_t key = advance.Int(0);
  record.number = advance.Int(1);
  RETURN_IF_ERROR(advance.Run());
  return key;
}

absl::Status LibraryTable::Insert(Database& database, LibraryRecord& record) const {
  RETURN_IF_ERROR(CheckVolume(database, record));
  ASSIGN_OR_RETURN(const int64_t key, Advance(database, record));
  ASSIGN_OR_RETURN(Statement insert,
                   database.Prepare(fmt::format("INSERT INTO {} VALUES (?, ?, ?, ?, ?)", words_.versions)));
  insert.Bind(key).Bind(record.number).Bind(record.volume_id).Bind(absl::ToUnixNanos(record.create_time));
  return insert.BindBlob(record.description).Run();
}

absl::StatusOr<LibraryRecord> LibraryTable::Get(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number) const {
  ASSIGN_OR_RETURN(Statement query,
                   database.Prepare(Select(
                       "WHERE owner = ?1 AND id = ?2 AND (?3 = 0 OR number = ?3) ORDER BY number DESC LIMIT 1")));
  ASSIGN_OR_RETURN(const bool row, query.Bind(owner).Bind(id).Bind(number).Step());
  if (!row) return NotFound(id, number);
  return FromRow(query);
}

absl::StatusOr<std::optional<LibraryRecord>> LibraryTable::FindByVolume(Database& database,
                                                                        const std::string& volume_id) const {
  ASSIGN_OR_RETURN(Statement query, database.Prepare(Select("WHERE volume_id = ?")));
  ASSIGN_OR_RETURN(const bool row, query.Bind(volume_id).Step());
  if (!row) return std::nullopt;
  return FromRow(query);
}

absl::StatusOr<Page<LibraryRecord>> LibraryTable::List(Database& database, const std::string& owner,
                                                       const std::string& id, int page_size,
                                                       const std::string& page_token) const {
  PageKey after{std::numeric_limits<int64_t>::max(), ""};
  if (!page_token.empty()) {
    ASSIGN_OR_RETURN(after, FromPageToken(page_token));
  }
  if (!id.empty()) RETURN_IF_ERROR(Get(database, owner, id, 0).status());
  const int size = PageSize(page_size);
  PageRoom room(size);
  const std::string newest = fmt::format(
      "WHERE owner = ?1 AND id > ?2 AND number = (SELECT max(number) FROM {} WHERE name = {}.key)"
      " ORDER BY id LIMIT ?3",
      words_.versions, words_.names);
  ASSIGN_OR_RETURN(
      Statement query,
      database.Prepare(
          Select(id.empty() ? newest : "WHERE owner = ?1 AND id = ?2 AND number < ?3 ORDER BY number DESC LIMIT ?4")));
  query.Bind(owner).Bind(id.empty() ? after.id : id);
  if (!id.empty()) query.Bind(after.place);
  query.Bind(int64_t{size} + 1);
  Page<LibraryRecord> page;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, query.Step());
    if (!row) return page;
    if (!room.Take(query.Size(kDescriptionColumn))) break;
    page.items.push_back(FromRow(query));
  }
  page.next_token = TokenAfter(page.items.back().number, page.items.back().id);
  return page;
}

std::string LibraryTable::TokenAfter(int64_t number, const std::string& id) {
  return ToPageToken({number, id});
}

absl::StatusOr<std::vector<std::string>> LibraryTable::Delete(Database& database, const std::string& owner,
                                                              const std::string& id, int64_t number) const {
  ASSIGN_OR_RETURN(Statement remove,
                   database.Prepare(fmt::format("DELETE FROM {} WHERE name = (SELECT key FROM {} WHERE owner = ?1 AND"
                                                " id = ?2) AND (?3 = 0 OR number = ?3) RETURNING volume_id",
                                                words_.versions, words_.names)));
  remove.Bind(owner).Bind(id).Bind(number);
  std::vector<std::string> volumes;
  while (true) {
    ASSIGN_OR_RETURN(const bool row, remove.Step());
    if (!row) break;
    volumes.push_back(remove.Bytes(0));
  }
  if (volumes.empty()) return NotFound(id, number);
  return volumes;
}

}  // namespace deconvoy::server
