// Doing a job from a command: submit, follow, cancel, tidy up.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <filesystem>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "client/cli/console.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "client/cpp/client.h"
#include "client/imageio/image_file.h"

namespace deconvoy::client {

// How a job's progress is shown.
ProgressState ToProgress(const v1::JobProgress& progress);

// How a finding is shown.
Note ToNote(const v1::Finding& finding);

// Follows a job to its end with progress; findings and retries are said as they come, each once. Returns the ended job,
// whatever its end. `stop` ends the following with CANCELLED. `observer` hears the events, too.
absl::StatusOr<v1::Job> FollowJob(const Client& client, const std::string& job, Progress& progress,
                                  const std::stop_token& stop, const JobObserver& observer = {});

// For one who has stopped following a job, which is of no use then: cancels it and waits for its end for a few seconds.
// Never OK: CANCELLED; UNAVAILABLE, with the exit code for `cancelled`, where the server cannot be told so within a few
// seconds and the job goes on.
absl::Status CancelFollowed(const Client& client, const std::string& job, Progress& progress);

// Names of what a command left on a server.
class Leftovers {
 public:
  void AddVolume(const std::string& volume) { volumes_.push_back(volume); }
  void AddModel(const std::string& model) { models_.push_back(model); }  // a version, with its volume
  void AddJob(const v1::Job& job);
  void Spare(const std::string& volume) { std::erase(volumes_, volume); }  // it is to stay

  const std::vector<std::string>& volumes() const { return volumes_; }
  const std::vector<std::string>& jobs() const { return jobs_; }

  // Removes an ended job that only led to others, and the volumes that it has made where `volumes_too`; forgets what it
  // has removed.
  void RemoveStep(const Client& client, const v1::Job& job, bool volumes_too, Progress& progress);
  // Removes all of it, within a few seconds where the server does not answer; what stays is said.
  void Remove(const Client& client, Progress& progress);

 private:
  std::vector<std::string> jobs_;
  std::vector<std::string> volumes_;
  std::vector<std::string> models_;
};

// Submits a job and follows it; a failed or cancelled one is an error (OutcomeOf). Volumes and the job are added to
// `leftovers`. When `stop` is requested the job is cancelled, and its end awaited for a few seconds. Where the server
// cannot be told so within a few seconds, the error is UNAVAILABLE (with the exit code for `cancelled`): the job goes
// on.
absl::StatusOr<v1::Job> RunJob(Session& session, const v1::JobSpec& spec, Leftovers& leftovers, Progress& progress,
                               const std::stop_token& stop);

// The volume of the output called `role`. NOT_FOUND naming the roles there are.
absl::StatusOr<std::string> OutputVolume(const v1::Job& job, const std::string& role);

// Whether it has one.
bool HasOutput(const v1::Job& job, const std::string& role);

// The file beside a result for the PSF that its job has estimated: `out.psf.tif` beside `out.tif`, `out.psf.ome.tif`
// beside `out.ome.tif`.
std::filesystem::path PsfFileBeside(const std::filesystem::path& result);

// What a viewer is to show the output called `role` in, where the job tells: the whole range of an estimate, five
// deviations of a residual.
std::optional<imageio::DisplayRange> DisplayRangeOf(const v1::Job& job, std::string_view role);

// Downloads the output called `role` into `file` and says that it has been written. Errors: those of OutputVolume and
// DownloadImage.
absl::Status SaveOutput(const Client& client, const v1::Job& job, const std::string& role,
                        const std::filesystem::path& file, const imageio::WriteOptions& options, const Console& console,
                        Progress& progress, const std::stop_token& stop);

// `jobs/{id}` from what a user typed: the name, or the id alone.
std::string JobArgument(const std::string& text);

}  // namespace deconvoy::client
