#include "server/store/preview_table.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <optional>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/store/job_table.h"

namespace deconvoy::server::preview_table {
namespace {

absl::StatusOr<std::optional<v1::Preview>> Find(Database& database, int64_t job, uint32_t c) {
  ASSIGN_OR_RETURN(Statement query, database.Prepare("SELECT preview FROM previews WHERE job = ? AND c = ?"));
  ASSIGN_OR_RETURN(const bool row, query.Bind(job).Bind(int64_t{c}).Step());
  if (!row) return std::nullopt;
  v1::Preview preview;
  if (preview.ParseFromString(query.Bytes(0)) &&
      preview.maximum_size() == static_cast<int64_t>(preview.size_y()) * preview.size_x()) {
    return preview;
  }
  return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", database.path().string()}}},
                   fmt::format("{}: a preview is damaged", database.path().string()));
}

// REQUIRES: the part lies inside the preview.
void Merge(const v1::PreviewPart& part, v1::Preview& preview) {
  int next = 0;
  for (uint32_t y = part.y(); y < part.y() + part.size_y(); ++y) {
    for (uint32_t x = part.x(); x < part.x() + part.size_x(); ++x, ++next) {
      float& pixel = (*preview.mutable_maximum())[static_cast<int>(y * preview.size_x() + x)];
      if (std::isnan(pixel) || part.maximum(next) > pixel) pixel = part.maximum(next);
    }
  }
}

}  // namespace

absl::Status Add(Database& database, int64_t job, const PreviewAddition& addition) {
  // One that is damaged begins anew: a picture must not hold up its job.
  std::optional<v1::Preview> kept = Find(database, job, addition.preview.c()).value_or(std::nullopt);
  if (kept && kept->t() > addition.preview.t()) return absl::OkStatus();
  if (!kept || kept->t() < addition.preview.t()) {
    kept = addition.preview;
    const auto pixels = static_cast<int>(kept->size_y() * kept->size_x());
    kept->mutable_maximum()->Resize(pixels, std::numeric_limits<float>::quiet_NaN());
  }
  Merge(addition.part, *kept);
  ASSIGN_OR_RETURN(Statement replace, database.Prepare("INSERT OR REPLACE INTO previews VALUES (?, ?, ?)"));
  return replace.Bind(job).Bind(int64_t{kept->c()}).BindBlob(kept->SerializeAsString()).Run();
}

absl::StatusOr<v1::Preview> Get(Database& database, const std::string& job_id, uint32_t c) {
  ASSIGN_OR_RETURN(const job_table::JobKey job, job_table::Find(database, job_id));
  ASSIGN_OR_RETURN(std::optional<v1::Preview> kept, Find(database, job.key, c));
  if (kept) return *std::move(kept);
  return MakeError({.reason = v1::NOT_FOUND,
                    .field = "job",
                    .remedy = "Ask again when a tile of the channel is finished; only deconvolutions have previews."},
                   fmt::format("{} has no preview of channel {} yet", JobName(job_id), c));
}

}  // namespace deconvoy::server::preview_table
