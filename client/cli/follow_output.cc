#include "client/cli/follow_output.h"

#include <fmt/format.h>

#include <memory>

#include "client/cli/images.h"
#include "client/cli/job_run.h"
#include "client/cli/outcome.h"
#include "client/cli/result_file.h"
#include "client/cli/values.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// The result of a job that fails is removed: then the job tells why.
absl::Status Reason(const Client& client, const std::string& job, const absl::Status& status,
                    const std::stop_token& stop) {
  if (ReasonOf(status) != v1::VOLUME_GONE && ReasonOf(status) != v1::NOT_FOUND) return status;
  const auto now = client.GetJob(job, stop);
  const absl::Status outcome = now.ok() ? OutcomeOf(*now) : absl::OkStatus();
  return outcome.ok() || ReasonOf(outcome) == v1::JOB_NOT_ENDED ? status : outcome;
}

}  // namespace

absl::StatusOr<v1::Job> FollowOutput(const Client& client, const v1::Job& job, const std::string& role,
                                     const std::filesystem::path& file, const imageio::WriteOptions& options,
                                     const Console& console, Progress& progress, const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(job, role));
  ASSIGN_OR_RETURN(const v1::Volume found, client.GetVolume(volume, stop));
  ASSIGN_OR_RETURN(const auto result, ResultFile::Create(file, found.spec(), options));
  const auto put = [&result](const FrameBox& box, std::span<const std::byte> voxels) {
    return result->Put(box, voxels);
  };
  const auto show = [&](const TransferProgress& at) {
    const auto done = static_cast<double>(at.bytes_done), total = static_cast<double>(at.bytes_total);
    progress.Show({.phase = "follow " + Printable(file.filename().string()),
                   .fraction = done / total,
                   .detail = fmt::format("{} of {}", BytesText(done), BytesText(total)),
                   .figures = {{"bytes_done", at.bytes_done}, {"bytes_total", at.bytes_total}}});
  };
  const absl::Status followed = client.Follow(volume, put, show, stop);
  if (!followed.ok()) return Reason(client, job.name(), followed, stop);
  ASSIGN_OR_RETURN(const v1::Job ended, client.Watch(job.name(), 0, {}, stop));
  RETURN_IF_ERROR(OutcomeOf(ended));
  RETURN_IF_ERROR(result->Finish());
  progress.Clear();
  console.Say(fmt::format("wrote {}: {}", Printable(file.string()), ShapeText(found.spec())));
  if (console.json) console.Json({{"event", "result"}, {"role", role}, {"output", file.string()}});
  return ended;
}

}  // namespace deconvoy::client
