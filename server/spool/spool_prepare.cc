// Bringing the spool folder in order when the server starts.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <set>
#include <span>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "server/spool/spool_volume_store.h"

namespace deconvoy::server {
namespace {

absl::Status BadFile(const std::filesystem::path& path, const std::string& volume_id, std::string_view what) {
  return MakeError(
      {.reason = v1::STORAGE_FAILURE,
       .remedy = "See that the disk of the spool is mounted, or restore the state folder from a backup; `deconvoyd "
                 "--check` tells all that is missing, and `--repair` lets the server start without it.",
       .metadata = {{"path", path.string()}, {"volume", VolumeName(volume_id)}}},
      fmt::format("{} {}", path.string(), what));
}

}  // namespace

absl::Status SpoolVolumeStore::Prepare() {
  RETURN_IF_ERROR(files_.MakeDirectories(options_.directory / "volumes"));
  RETURN_IF_ERROR(files_.MakeDirectories(options_.directory / "scratch"));
  RETURN_IF_ERROR(files_.SyncDirectory(options_.directory));
  RETURN_IF_ERROR(CheckVolumes());
  RETURN_IF_ERROR(RemoveStrayVolumes());
  RETURN_IF_ERROR(RemoveScratchFiles());
  return WriteNonce();
}

absl::Status SpoolVolumeStore::RemoveScratchFiles() {
  ASSIGN_OR_RETURN(const auto paths, files_.List(options_.directory / "scratch"));
  for (const std::filesystem::path& path : paths) RETURN_IF_ERROR(files_.Remove(path));
  return absl::OkStatus();
}

absl::Status SpoolVolumeStore::RemoveStrayVolumes() {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.AllVolumeIds());
  const std::set<std::string> known(ids.begin(), ids.end());
  ASSIGN_OR_RETURN(const auto paths, files_.List(options_.directory / "volumes"));
  for (const std::filesystem::path& path : paths) {
    if (path.extension() != ".raw" || known.contains(path.stem().string())) continue;
    RETURN_IF_ERROR(files_.Remove(path));
    spdlog::info("removed {}, which belongs to no volume", path.string());
  }
  return absl::OkStatus();
}

absl::Status SpoolVolumeStore::CheckVolumes() {
  ASSIGN_OR_RETURN(const std::vector<std::string> ids, store_.AllVolumeIds());
  ASSIGN_OR_RETURN(const auto paths, files_.List(options_.directory / "volumes"));
  const std::set<std::filesystem::path> present(paths.begin(), paths.end());
  for (const std::string& id : ids) {
    const std::filesystem::path path = PathOf(id);
    if (!present.contains(path)) return BadFile(path, id, fmt::format("is missing, the file of {}", VolumeName(id)));
    ASSIGN_OR_RETURN(const VolumeRecord record, store_.GetVolume(id));
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(path, false));
    ASSIGN_OR_RETURN(const int64_t actual, file->Size());
    const auto expected = static_cast<int64_t>(ToVolume(record).size_bytes());
    if (actual != expected) {
      return BadFile(path, id, fmt::format("has {} bytes, but {} has {}", actual, VolumeName(id), expected));
    }
    space_.Count(path, expected);
  }
  return absl::OkStatus();
}

absl::Status SpoolVolumeStore::WriteNonce() {
  const std::string seed = ids_.Next() + ids_.Next();
  Sha256 sha;
  sha.Update(std::as_bytes(std::span(seed)));
  nonce_ = ToHex(sha.Finish());
  const std::filesystem::path path = options_.directory / "nonce";
  RETURN_IF_ERROR(files_.Remove(path));
  ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Create(path));
  return file->WriteAt(0, std::as_bytes(std::span(nonce_)));
}

}  // namespace deconvoy::server
