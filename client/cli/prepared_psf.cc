#include "client/cli/prepared_psf.h"

#include <fmt/format.h>

#include <algorithm>

#include "client/cli/images.h"
#include "client/cli/job_run.h"
#include "client/cli/outcome.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// The PSF's volume, if there is one.
const std::string& GivenPsf(const v1::JobSpec& spec) {
  return spec.has_check_psf() ? spec.check_psf().psf_volume() : spec.deconvolve().psf_volume();
}

// Prepares and downloads; what that leaves on the server is added to `leftovers`.
absl::StatusOr<v1::VolumeSpec> Save(Session& session, const v1::JobSpec& spec, const std::filesystem::path& file,
                                    const imageio::WriteOptions& options, Leftovers& leftovers, Progress& progress,
                                    const std::stop_token& stop) {
  const auto job = RunJob(session, spec, leftovers, progress, stop);
  if (ReasonOf(job.status()) == v1::NOT_FOUND) {
    return MakeError(
        {.reason = v1::NOT_FOUND, .remedy = "Do the job again, and have the PSF written with its result."},
        fmt::format("the PSF in {} is not on the server any more", Printable(spec.prepare_psf().psf_volume())));
  }
  if (!job.ok()) return WithExitCode(AddContext(job.status(), "preparing the PSF"), ExitCodeOf(job.status()));
  ASSIGN_OR_RETURN(const std::string volume, OutputVolume(*job, "psf"));
  return DownloadImage(session.client(), volume, file, options, progress, stop);
}

}  // namespace

absl::StatusOr<v1::PreparePsfSpec> PreparedPsfOf(const v1::Job& job) {
  v1::PreparePsfSpec spec;
  if (!job.psf_estimates().empty()) {
    ASSIGN_OR_RETURN(*spec.mutable_psf_volume(), OutputVolume(job, "psf"));
    for (const v1::PsfEstimate& estimate : job.psf_estimates()) *spec.add_psfs() = estimate.psf();
    std::sort(spec.mutable_psfs()->begin(), spec.mutable_psfs()->end(),
              [](const v1::PsfReport& a, const v1::PsfReport& b) { return a.c() < b.c(); });
    return spec;
  }
  spec.set_psf_volume(GivenPsf(job.spec()));
  *spec.mutable_psfs() = job.psfs();
  if (!spec.psf_volume().empty() && !spec.psfs().empty()) return spec;
  return UsageError(fmt::format("{} has prepared no PSF", Printable(job.name())),
                    "Only deconvolutions and checks of PSFs do: leave the file of the prepared PSF out.");
}

absl::StatusOr<v1::VolumeSpec> SavePreparedPsf(Session& session, const v1::Job& job, const std::filesystem::path& file,
                                               const imageio::WriteOptions& options, Progress& progress,
                                               const std::stop_token& stop) {
  v1::JobSpec spec;
  spec.set_display_name("prepared PSF");
  ASSIGN_OR_RETURN(*spec.mutable_prepare_psf(), PreparedPsfOf(job));
  Leftovers leftovers;
  auto saved = Save(session, spec, file, options, leftovers, progress, stop);
  if (!session.local()) leftovers.Remove(session.client(), progress);
  return saved;
}

}  // namespace deconvoy::client
