#include "server/store/psf_table.h"

#include <utility>

#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "server/store/job_table.h"
#include "server/store/library_table.h"
#include "server/store/page_room.h"
#include "server/store/volume_table.h"

namespace deconvoy::server::psf_table {
namespace {

const LibraryTable& Table() {
  static const LibraryTable table({.names = "psf_names",
                                   .versions = "psfs",
                                   .column = "psf",
                                   .noun = "PSF",
                                   .field = "psf",
                                   .remedy = "`deconvoy psf list` tells which PSFs the server keeps.",
                                   .name = [](const std::string& id, int64_t number) {
                                     return PsfName({id, number});
                                   }});
  return table;
}

// Fills what is not stored with the PSF.
absl::Status Complete(Database& database, PsfRecord& record) {
  ASSIGN_OR_RETURN(const VolumeRecord volume, volume_table::Get(database, record.volume_id));
  const std::string digest = record.psf.spec().digest();
  record.psf.set_name(PsfName({record.id, record.number}));
  record.psf.set_volume(VolumeName(record.volume_id));
  *record.psf.mutable_spec() = volume.spec;
  record.psf.mutable_spec()->set_digest(digest);
  *record.psf.mutable_create_time() = ToTimestamp(record.create_time);
  return absl::OkStatus();
}

absl::StatusOr<PsfRecord> FromStored(Database& database, const LibraryRecord& stored) {
  PsfRecord record{.owner = stored.owner,
                   .id = stored.id,
                   .number = stored.number,
                   .volume_id = stored.volume_id,
                   .psf = {},
                   .create_time = stored.create_time};
  if (!record.psf.ParseFromString(stored.description)) return Table().Damaged(database, stored);
  RETURN_IF_ERROR(Complete(database, record));
  return record;
}

}  // namespace

absl::Status Insert(Database& database, PsfRecord& psf) {
  ASSIGN_OR_RETURN(const std::string maker, job_table::MakerOf(database, psf.volume_id));
  psf.psf.set_job(maker.empty() ? "" : JobName(maker));
  LibraryRecord stored{.owner = psf.owner,
                       .id = psf.id,
                       .volume_id = psf.volume_id,
                       .create_time = psf.create_time,
                       .description = psf.psf.SerializeAsString()};
  RETURN_IF_ERROR(Table().Insert(database, stored));
  psf.number = stored.number;
  return Complete(database, psf);
}

absl::StatusOr<PsfRecord> Get(Database& database, const std::string& owner, const std::string& id, int64_t number) {
  ASSIGN_OR_RETURN(const LibraryRecord stored, Table().Get(database, owner, id, number));
  return FromStored(database, stored);
}

absl::StatusOr<std::optional<PsfRecord>> FindByVolume(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(const std::optional<LibraryRecord> stored, Table().FindByVolume(database, volume_id));
  if (!stored) return std::nullopt;
  ASSIGN_OR_RETURN(PsfRecord psf, FromStored(database, *stored));
  return psf;
}

absl::StatusOr<Page<PsfRecord>> List(Database& database, const std::string& owner, const std::string& id, int page_size,
                                     const std::string& page_token) {
  ASSIGN_OR_RETURN(Page<LibraryRecord> stored, Table().List(database, owner, id, page_size, page_token));
  Page<PsfRecord> page{.items = {}, .next_token = std::move(stored.next_token)};
  PageRoom room(static_cast<int>(limits::kPageSize));
  for (const LibraryRecord& one : stored.items) {
    ASSIGN_OR_RETURN(PsfRecord psf, FromStored(database, one));
    if (!room.Take(psf.psf.ByteSizeLong())) {
      page.next_token = LibraryTable::TokenAfter(page.items.back().number, page.items.back().id);
      break;
    }
    page.items.push_back(std::move(psf));
  }
  return page;
}

absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number) {
  return Table().Delete(database, owner, id, number);
}

}  // namespace deconvoy::server::psf_table
