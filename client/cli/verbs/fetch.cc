// deconvoy fetch: a result of a job that has ended, or of one that runs.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "client/cli/follow_output.h"
#include "client/cli/images.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_file.h"
#include "client/cli/prepared_psf.h"
#include "client/cli/session.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct FetchOptions {
  std::string job;
  std::string output;
  std::string role;
  std::string save_psf;           // empty: not asked for
  std::string save_prepared_psf;  // likewise
  bool follow = false;
  ImageOutputOptions image_output;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy fetch jobs/3f2a -o out.tif
      the result of a job that has succeeded, and beside it out.psf.tif where the method has estimated the PSF
  deconvoy fetch jobs/3f2a -o out.tif --save-psf psf.tif
      the PSF that it was given, too
  deconvoy fetch jobs/3f2a -o out.tif --save-prepared-psf used.tif
      the PSF as it was used, too
  deconvoy fetch jobs/3f2a -o out.tif --follow
      the result of a job that runs, as it comes)";

// The only output, unless a role is asked for.
std::string RoleOf(const v1::Job& job, const std::string& asked) {
  if (!asked.empty()) return asked;
  return job.outputs_size() == 1 ? job.outputs(0).role() : "estimate";
}

// The PSF that a deconvolution or simulation was given.
absl::Status SaveGivenPsf(const Client& client, const v1::Job& job, const FetchOptions& options, const Console& console,
                          Progress& progress, const std::stop_token& stop) {
  if (options.save_psf.empty()) return absl::OkStatus();
  const std::string& volume =
      job.spec().has_simulate() ? job.spec().simulate().psf_volume() : job.spec().deconvolve().psf_volume();
  if (volume.empty()) {
    return UsageError(fmt::format("{} was given no PSF", Printable(job.name())), "Leave out --save-psf.");
  }
  ASSIGN_OR_RETURN(const v1::VolumeSpec spec, DownloadImage(client, volume, options.save_psf,
                                                            ToWriteOptions(options.image_output), progress, stop));
  progress.Clear();
  console.Say(fmt::format("wrote {}: the PSF, {}", Printable(options.save_psf), ShapeText(spec)));
  if (console.json) console.Json({{"event", "result"}, {"saved_psf", options.save_psf}});
  return absl::OkStatus();
}

// The PSF as it was used, which a worker prepares once more.
absl::Status SaveUsedPsf(Session& session, const v1::Job& job, const FetchOptions& options, const Console& console,
                         Progress& progress, const std::stop_token& stop) {
  if (options.save_prepared_psf.empty()) return absl::OkStatus();
  ASSIGN_OR_RETURN(const v1::VolumeSpec spec, SavePreparedPsf(session, job, options.save_prepared_psf,
                                                              ToWriteOptions(options.image_output), progress, stop));
  progress.Clear();
  console.Say(
      fmt::format("wrote {}: the PSF as it was used, {}", Printable(options.save_prepared_psf), ShapeText(spec)));
  if (console.json) console.Json({{"event", "result"}, {"prepared_psf", options.save_prepared_psf}});
  return absl::OkStatus();
}

// The files of PSFs are none of `others`.
absl::Status CheckPsfFiles(const FetchOptions& options, std::vector<std::string> others) {
  RETURN_IF_ERROR(CheckOwnFile(options.save_psf, "--save-psf", others));
  others.push_back(options.save_psf);
  return CheckOwnFile(options.save_prepared_psf, "--save-prepared-psf", others);
}

absl::Status CheckFiles(const FetchOptions& options) {
  RETURN_IF_ERROR(imageio::CheckWritable(options.output));
  RETURN_IF_ERROR(CheckPsfFiles(options, {options.output}));
  for (const std::string& file : {options.save_psf, options.save_prepared_psf}) {
    if (!file.empty()) RETURN_IF_ERROR(imageio::CheckWritable(file));
  }
  return absl::OkStatus();
}

absl::Status Fetch(const FetchOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  RETURN_IF_ERROR(RequireServer(options.server).status());
  RETURN_IF_ERROR(CheckFiles(options));
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  ASSIGN_OR_RETURN(const auto session, Session::Open(options.server, *progress, stop));
  const Client& client = session->client();
  ASSIGN_OR_RETURN(v1::Job job, client.GetJob(JobArgument(options.job), stop));
  const absl::Status outcome = OutcomeOf(job);
  const bool follow = options.follow && ReasonOf(outcome) == v1::JOB_NOT_ENDED;
  if (!follow) RETURN_IF_ERROR(outcome);
  if (!options.save_prepared_psf.empty()) RETURN_IF_ERROR(PreparedPsfOf(job).status());
  const std::string role = RoleOf(job, options.role);
  const bool estimated = role == "estimate" && options.role.empty() && HasOutput(job, "psf");
  const std::string beside = PsfFileBeside(options.output).string();
  if (estimated) RETURN_IF_ERROR(CheckPsfFiles(options, {beside}));
  imageio::WriteOptions write = ToWriteOptions(options.image_output);
  write.display_range = DisplayRangeOf(job, role);
  if (follow) {
    ASSIGN_OR_RETURN(job, FollowOutput(client, job, role, options.output, write, console, *progress, stop));
  } else {
    RETURN_IF_ERROR(SaveOutput(client, job, role, options.output, write, console, *progress, stop));
  }
  RETURN_IF_ERROR(SaveGivenPsf(client, job, options, console, *progress, stop));
  if (estimated) {
    const imageio::WriteOptions plain = ToWriteOptions(options.image_output);
    RETURN_IF_ERROR(SaveOutput(client, job, "psf", beside, plain, console, *progress, stop));
  }
  return SaveUsedPsf(*session, job, options, console, *progress, stop);
}

}  // namespace

void AddFetch(CLI::App& root, Program& program) {
  AddVerb<FetchOptions>(
      root, program, "fetch", "Download a result of a job.", kExamples,
      [&program](CLI::App& verb, FetchOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("JOB")->required();
        verb.add_option("-o,--output", options.output, std::string("File to write: .ome.tif or .tif") + kReplaced)
            ->type_name("FILE")
            ->required();
        verb.add_option("--role", options.role, "Which result, where there are several: see deconvoy job [estimate]")
            ->type_name("ROLE");
        verb.add_flag("--follow", options.follow,
                      "Do not wait for the job's end: write the result as it comes; the file appears when it is whole");
        verb.add_option("--save-psf", options.save_psf,
                        std::string("Write the PSF, too, as the job was given it") + kReplaced)
            ->type_name("FILE");
        AddSavePreparedPsfOption(verb, options.save_prepared_psf);
        AddServerOption(verb, options.server);
        AddCompressOption(verb, options.server);
        AddImageOutputOptions(verb, options.image_output);
        AddProgressOptions(verb, program.console);
      },
      [&program](const FetchOptions& options) { return Fetch(options, program.console); });
}

}  // namespace deconvoy::client
