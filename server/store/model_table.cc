#include "server/store/model_table.h"

#include <utility>

#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/timestamp.h"
#include "server/store/library_table.h"

namespace deconvoy::server::model_table {
namespace {

const LibraryTable& Table() {
  static const LibraryTable table({.names = "model_names",
                                   .versions = "models",
                                   .column = "model",
                                   .noun = "model",
                                   .field = "model",
                                   .remedy = "`deconvoy models list` tells which models the server keeps.",
                                   .name = [](const std::string& id, int64_t number) {
                                     return ModelName({id, number});
                                   }});
  return table;
}

// Fills what is not stored with the model.
void Complete(ModelRecord& record) {
  record.model.set_name(ModelName({record.id, record.number}));
  record.model.set_volume(VolumeName(record.volume_id));
  *record.model.mutable_create_time() = ToTimestamp(record.create_time);
}

absl::StatusOr<ModelRecord> FromStored(Database& database, const LibraryRecord& stored) {
  ModelRecord record{.owner = stored.owner,
                     .id = stored.id,
                     .number = stored.number,
                     .volume_id = stored.volume_id,
                     .model = {},
                     .create_time = stored.create_time};
  if (!record.model.ParseFromString(stored.description)) return Table().Damaged(database, stored);
  Complete(record);
  return record;
}

}  // namespace

absl::Status Insert(Database& database, ModelRecord& model) {
  LibraryRecord stored{.owner = model.owner,
                       .id = model.id,
                       .volume_id = model.volume_id,
                       .create_time = model.create_time,
                       .description = model.model.SerializeAsString()};
  RETURN_IF_ERROR(Table().Insert(database, stored));
  model.number = stored.number;
  Complete(model);
  return absl::OkStatus();
}

absl::StatusOr<ModelRecord> Get(Database& database, const std::string& owner, const std::string& id, int64_t number) {
  ASSIGN_OR_RETURN(const LibraryRecord stored, Table().Get(database, owner, id, number));
  return FromStored(database, stored);
}

absl::StatusOr<std::optional<ModelRecord>> FindByVolume(Database& database, const std::string& volume_id) {
  ASSIGN_OR_RETURN(const std::optional<LibraryRecord> stored, Table().FindByVolume(database, volume_id));
  if (!stored) return std::nullopt;
  ASSIGN_OR_RETURN(ModelRecord model, FromStored(database, *stored));
  return model;
}

absl::StatusOr<Page<ModelRecord>> List(Database& database, const std::string& owner, const std::string& id,
                                       int page_size, const std::string& page_token) {
  ASSIGN_OR_RETURN(Page<LibraryRecord> stored, Table().List(database, owner, id, page_size, page_token));
  Page<ModelRecord> page{.items = {}, .next_token = std::move(stored.next_token)};
  for (const LibraryRecord& one : stored.items) {
    ASSIGN_OR_RETURN(ModelRecord model, FromStored(database, one));
    page.items.push_back(std::move(model));
  }
  return page;
}

absl::StatusOr<std::vector<std::string>> Delete(Database& database, const std::string& owner, const std::string& id,
                                                int64_t number) {
  return Table().Delete(database, owner, id, number);
}

}  // namespace deconvoy::server::model_table
