#include "server/inspect/inspector.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/inspect/store_check.h"
#include "server/jobs/job_repair.h"
#include "server/jobs/task_builder.h"
#include "server/store/store.h"
#include "server/store/store_audit.h"

namespace deconvoy::server {
namespace {

namespace fs = std::filesystem;

fs::path VolumesFolder(const InspectorOptions& options) {
  return options.spool.directory / "volumes";
}

// Of a folder without a database.
Inspection WithoutDatabase(const InspectorOptions& options, FileSystem& files) {
  Inspection inspection;
  const auto paths = files.List(VolumesFolder(options));
  const bool volumes = paths.ok() && std::any_of(paths->begin(), paths->end(),
                                                 [](const fs::path& path) { return path.extension() == ".raw"; });
  if (volumes) {
    inspection.findings.push_back(
        {.kind = "database-missing",
         .subject = "store",
         .path = options.database,
         .problem = "the database is missing, but there are volumes in the spool",
         .remedy = "Restore the database from a backup, or move the spool away to start anew."});
  }
  return inspection;
}

// A change that somebody else's mending has made needless is none that failed.
absl::Status UnlessGone(const absl::Status& status) {
  return ReasonOf(status) == v1::NOT_FOUND ? absl::OkStatus() : status;
}

class Mender {
 public:
  Mender(const InspectorOptions& options, FileSystem& files, StoreAudit& audit, Store& store, absl::Time now)
      : options_(options), files_(files), audit_(audit), store_(store), now_(now) {}

  absl::Status Apply(const Finding& finding) {
    switch (finding.mend) {
      case Mend::kNothing:
      case Mend::kReindex:  // before the store is opened
        return absl::OkStatus();
      case Mend::kNextStart:
        return RemoveLeftovers(finding);
      case Mend::kRemoveStrays:
        return audit_.RemoveStrays();
      case Mend::kRaiseTokens:
        return audit_.RaiseTokens(static_cast<uint64_t>(finding.number));
      case Mend::kCloseTasks:
        return audit_.CloseTasks(finding.id);
      case Mend::kRemoveVolume:
        return UnlessGone(audit_.RemoveVolume(finding.id));
      case Mend::kResizeFile:
        return Resize(finding);
      case Mend::kDropBoxes:
        if (finding.kind != "count-wrong") RETURN_IF_ERROR(Unshare(finding.id));
        return UnlessGone(audit_.DropBoxes(finding.id, finding.boxes));
      case Mend::kRedoTasks:
        return Redo(finding);
      case Mend::kFailJob:
        return FailJob(finding);
    }
    return absl::OkStatus();
  }

 private:
  // What takes bytes again is not to write into a complete volume that shares its file.
  absl::Status Unshare(const std::string& id) {
    const fs::path path = VolumesFolder(options_) / (id + ".raw"), own = VolumesFolder(options_) / (id + ".own.raw");
    std::error_code error;
    const auto names = fs::hard_link_count(path, error);
    if (error || names < 2) return absl::OkStatus();
    fs::copy_file(path, own, fs::copy_options::overwrite_existing, error);
    absl::Status done = error ? NoCopy(path, error) : Sync(own);
    if (done.ok()) fs::rename(own, path, error);
    if (done.ok() && error) done = NoCopy(path, error);
    if (done.ok()) return files_.SyncDirectory(VolumesFolder(options_));
    fs::remove(own, error);
    return done;
  }

  absl::Status Sync(const fs::path& path) {
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(path, true));
    return file->Sync();
  }

  static absl::Status NoCopy(const fs::path& path, const std::error_code& error) {
    const bool full = error == std::errc::no_space_on_device || error.value() == EDQUOT;
    return MakeError({.reason = full ? v1::DISK_FULL : v1::STORAGE_FAILURE,
                      .remedy = full ? "Make room for one more copy of it, and repair again."
                                     : "Delete the volumes that share it, and repair again.",
                      .metadata = {{"path", path.string()}}},
                     fmt::format("{}: cannot get a file of its own: {}", path.string(), error.message()));
  }

  // A file of no volume, or a folder full of scratch files.
  absl::Status RemoveLeftovers(const Finding& finding) {
    if (finding.path.extension() == ".raw") return files_.Remove(finding.path);
    ASSIGN_OR_RETURN(const std::vector<fs::path> paths, files_.List(finding.path));
    for (const fs::path& path : paths) RETURN_IF_ERROR(files_.Remove(path));
    return absl::OkStatus();
  }

  absl::Status Resize(const Finding& finding) {
    std::error_code error;
    fs::resize_file(finding.path, static_cast<uintmax_t>(finding.number), error);
    if (error) {
      return MakeError({.reason = v1::STORAGE_FAILURE, .metadata = {{"path", finding.path.string()}}},
                       fmt::format("{}: cannot change the length: {}", finding.path.string(), error.message()));
    }
    ASSIGN_OR_RETURN(const std::unique_ptr<File> file, files_.Open(finding.path, true));
    RETURN_IF_ERROR(file->Reserve(finding.number));
    return file->Sync();
  }

  absl::StatusOr<std::unique_ptr<LiveJob>> Load(const std::string& job_id) {
    ASSIGN_OR_RETURN(const std::vector<std::string> volumes, audit_.VolumesOf(job_id));
    return LoadJob(store_, job_id, volumes);
  }

  // All that the tasks wrote is forgotten first: another worker may compute other last bits.
  absl::Status Redo(const Finding& finding) {
    ASSIGN_OR_RETURN(const std::unique_ptr<LiveJob> job, Load(finding.id));
    std::map<std::string, std::vector<FrameBox>> written;
    for (const int64_t number : finding.tasks) {
      for (const v1::OutputPiece& piece : OutputsOf(*job, number)) {
        ASSIGN_OR_RETURN(const std::string volume, VolumeId(piece.volume(), "outputs"));
        written[volume].push_back(ToFrameBox(piece.box()));
      }
    }
    for (const auto& [volume, boxes] : written) RETURN_IF_ERROR(audit_.DropBoxes(volume, boxes));
    return RedoTasks(store_, *job, finding.tasks, Lost(finding), now_);
  }

  absl::Status FailJob(const Finding& finding) {
    ASSIGN_OR_RETURN(const std::unique_ptr<LiveJob> job, Load(finding.id));
    return FailForGood(store_, *job, Lost(finding), now_);
  }

  static absl::Status Lost(const Finding& finding) {
    return MakeError({.reason = v1::STORAGE_FAILURE, .remedy = "Submit the job again, with volumes that are whole."},
                     fmt::format("after a loss of data on the server's disk: {}", finding.problem));
  }

  const InspectorOptions& options_;
  FileSystem& files_;
  StoreAudit& audit_;
  Store& store_;
  const absl::Time now_;
};

// Jobs before the volumes that they lack: while a volume is not mended, its jobs are found again.
constexpr Mend kOrder[] = {Mend::kRemoveStrays, Mend::kRaiseTokens, Mend::kCloseTasks,
                           Mend::kFailJob,      Mend::kRedoTasks,   Mend::kRemoveVolume,
                           Mend::kResizeFile,   Mend::kDropBoxes,   Mend::kNextStart};

}  // namespace

absl::StatusOr<Inspection> Inspect(const InspectorOptions& options, FileSystem& files) {
  std::error_code ignored;
  if (!fs::exists(options.database, ignored)) return WithoutDatabase(options, files);
  Inspection inspection;
  const absl::StatusOr<std::unique_ptr<StoreAudit>> opened = StoreAudit::Open(options.database);
  if (ReasonOf(opened.status()) == v1::STORAGE_FAILURE) {
    inspection.findings.push_back({.kind = "database-damaged",
                                   .subject = "store",
                                   .path = options.database,
                                   .problem = std::string(opened.status().message()),
                                   .remedy = "Restore the database from a backup."});
    return inspection;
  }
  RETURN_IF_ERROR(opened.status());
  StoreAudit* const audit = opened->get();
  RETURN_IF_ERROR(CheckDatabase(options.database, *audit, inspection));
  const bool damaged = std::any_of(inspection.findings.begin(), inspection.findings.end(),
                                   [](const Finding& finding) { return finding.mend == Mend::kReindex; });
  if (damaged) return inspection;
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(options.database));
  RETURN_IF_ERROR(CheckSpool(options.spool, *store, files, inspection));
  RETURN_IF_ERROR(CheckJobs(options.database, *audit, *store, inspection));
  return inspection;
}

absl::Status Repair(const InspectorOptions& options, FileSystem& files, const Inspection& inspection, absl::Time now) {
  std::error_code ignored;
  if (!fs::exists(options.database, ignored)) return absl::OkStatus();
  const absl::StatusOr<std::unique_ptr<StoreAudit>> opened = StoreAudit::Open(options.database);
  if (ReasonOf(opened.status()) == v1::STORAGE_FAILURE) return absl::OkStatus();  // a finding without a cure
  RETURN_IF_ERROR(opened.status());
  StoreAudit* const audit = opened->get();
  const auto is = [](Mend mend) { return [mend](const Finding& finding) { return finding.mend == mend; }; };
  const std::vector<Finding>& findings = inspection.findings;
  if (std::any_of(findings.begin(), findings.end(), is(Mend::kReindex))) {
    audit->Reindex().IgnoreError();  // what it cannot mend, the next look finds again
    return absl::OkStatus();
  }
  ASSIGN_OR_RETURN(const std::unique_ptr<Store> store, Store::Open(options.database));
  Mender mender(options, files, *audit, *store, now);
  for (const Mend mend : kOrder) {
    for (const Finding& finding : findings) {
      if (finding.mend == mend) RETURN_IF_ERROR(mender.Apply(finding));
    }
  }
  return absl::OkStatus();
}

}  // namespace deconvoy::server
