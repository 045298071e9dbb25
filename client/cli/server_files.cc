#include "client/cli/server_files.h"

#include "client/cli/job_run.h"
#include "client/cli/outcome.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

constexpr std::string_view kPrefix = "server:";

std::string WithoutPrefix(const std::string& file) {
  return IsServerFile(file) ? file.substr(kPrefix.size()) : file;
}

// To its end; a job that nobody waits for any more is of no use.
absl::StatusOr<v1::Job> FollowOrCancel(const Client& client, const std::string& job, Progress& progress,
                                       const std::stop_token& stop) {
  absl::StatusOr<v1::Job> ended = FollowJob(client, job, progress, stop);
  progress.Clear();
  if (!ended.ok() && stop.stop_requested()) return CancelFollowed(client, job, progress);
  RETURN_IF_ERROR(ended.status());
  RETURN_IF_ERROR(OutcomeOf(*ended));
  return ended;
}

}  // namespace

bool IsServerFile(std::string_view text) {
  return text.starts_with(kPrefix);
}

absl::StatusOr<v1::Job> ImportFile(const Client& client, v1::ImportVolumeRequest request, Progress& progress,
                                   const std::stop_token& stop) {
  request.set_file(WithoutPrefix(request.file()));
  ASSIGN_OR_RETURN(const std::string job, client.Import(request, stop));
  return FollowOrCancel(client, job, progress, stop);
}

absl::StatusOr<v1::Job> ExportFile(const Client& client, v1::ExportVolumeRequest request, Progress& progress,
                                   const std::stop_token& stop) {
  request.set_file(WithoutPrefix(request.file()));
  ASSIGN_OR_RETURN(const std::string job, client.Export(request, stop));
  return FollowOrCancel(client, job, progress, stop);
}

}  // namespace deconvoy::client
