// deconvoy submit: leave a job with a server.
#include <absl/time/clock.h>

#include "client/cli/deconvolve_inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/class_option.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/own_quota.h"
#include "client/cli/server_files.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct SubmitOptions {
  InputOptions inputs;
  bool wait = false;
  bool residual = false;
  bool spread = false;
  DeconvolutionOptions deconvolution;
  ServerOptions server;
  std::string job_class = "auto";
};

constexpr char kExamples[] = R"(  deconvoy submit raw.tif --psf psf.tif --server localhost:7450
      prints the job's name, and how to follow it, fetch its result and stop it; where the server runs on another
      machine, first: ssh -fNL 7450:localhost:7450 facility
  deconvoy submit raw.tif --psf psf.tif --iterations 50
      the same stack again: it is on the server already, and not sent twice
  deconvoy submit server:data/day1/raw.tif --psf psf.tif
      a stack that lies on storage of the server: not sent at all, see deconvoy volumes roots
  job=$(deconvoy submit raw.tif --psf psf.tif --quiet) && deconvoy watch $job && deconvoy fetch $job -o out.tif
      in a script)";

// The name alone goes to standard output, for scripts.
void PrintSubmitted(const v1::Job& job, const SubmitOptions& options, const Console& console) {
  if (console.json) return console.Json({{"event", "submitted"}, {"job", ToJson(job)}});
  console.out << Printable(job.name()) << std::endl;
  if (options.wait) return;
  const std::string& activity = job.progress().activity();
  if (activity.starts_with("waiting for")) console.Remark("it is " + Printable(activity));
  console.Remark("follow it:      " + JobCommand("watch", job.name(), options.server));
  console.Remark("get the result: " + JobCommand("fetch", job.name(), options.server, "-o out.tif"));
  console.Remark("stop it:        " + JobCommand("cancel", job.name(), options.server));
}

// What the server makes of a file that it sees itself: the image, without a reader, and its volume.
absl::StatusOr<InputImage> ImportImage(const Session& session, const InputOptions& options, std::string& volume,
                                       Progress& progress, const std::stop_token& stop) {
  v1::ImportVolumeRequest request;
  request.set_file(options.input);
  if (options.voxel_um) *request.mutable_voxel_size() = *options.voxel_um;
  ASSIGN_OR_RETURN(const v1::Job job, ImportFile(session.client(), request, progress, stop));
  ASSIGN_OR_RETURN(volume, OutputVolume(job, "volume"));
  ASSIGN_OR_RETURN(v1::Volume there, session.client().GetVolume(volume));
  return InputImage{nullptr, std::move(*there.mutable_spec())};
}

// `imported`: the image's volume where the server has it already; else empty.
absl::StatusOr<v1::JobSpec> BringInputs(Session& session, DeconvolveInputs& inputs, const std::string& imported,
                                        const v1::DeconvolveSpec& deconvolve, Leftovers& leftovers, Progress& progress,
                                        const std::stop_token& stop) {
  if (imported.empty()) return UploadInputs(session, inputs, deconvolve, leftovers, progress, stop);
  ASSIGN_OR_RETURN(v1::JobSpec spec, UploadCompanions(session, inputs, deconvolve, leftovers, progress, stop));
  spec.mutable_deconvolve()->set_input_volume(imported);
  return spec;
}

absl::Status Submit(const SubmitOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  RETURN_IF_ERROR(RequireServer(options.server).status());
  ASSIGN_OR_RETURN(v1::DeconvolveSpec deconvolve, ToSpec(options.deconvolution));
  deconvolve.set_residual(options.residual);
  if (options.spread) RETURN_IF_ERROR(AskForSpread(deconvolve));
  ASSIGN_OR_RETURN(std::vector<GivenModel> models, OpenGivenModels(options.deconvolution.models));
  std::unique_ptr<Session> session;
  std::string imported;  // volume of a file that the server sees
  DeconvolveInputs inputs;
  if (IsServerFile(options.inputs.input)) {
    ASSIGN_OR_RETURN(session, Session::Open(options.server, *progress, stop));
    ASSIGN_OR_RETURN(InputImage image, ImportImage(*session, options.inputs, imported, *progress, stop));
    ASSIGN_OR_RETURN(inputs, OpenInputsOf(std::move(image), {}, options.inputs, deconvolve, *progress));
  } else {
    ASSIGN_OR_RETURN(inputs, OpenInputs(options.inputs, deconvolve, *progress));
  }
  RETURN_IF_ERROR(SetRegion(options.deconvolution.region, inputs.image.spec, deconvolve));
  inputs.models = std::move(models);
  inputs.kept_volumes = true;
  if (session == nullptr) {
    ASSIGN_OR_RETURN(session, Session::Open(options.server, *progress, stop));
  }
  session->set_job_class(JobClassOf(options.job_class, inputs.image.spec, deconvolve));
  Leftovers volumes;
  const auto submitted = [&]() -> absl::StatusOr<v1::Job> {
    RETURN_IF_ERROR(CheckWithServer(*session, deconvolve, stop, inputs));
    RETURN_IF_ERROR(CheckOwnQuota(session->client(), ResultSpec(inputs, deconvolve),
                                  imported.empty() ? &inputs.image.spec : nullptr, stop));
    for (bool again = true;; again = false) {
      ASSIGN_OR_RETURN(const v1::JobSpec spec,
                       BringInputs(*session, inputs, imported, deconvolve, volumes, *progress, stop));
      auto job = session->Submit(spec, *progress, stop);
      // A volume that was found may be removed before a job is there to keep it.
      if (!again || !absl::IsNotFound(job.status())) return job;
    }
  }();
  progress->Clear();
  if (!submitted.ok()) {
    if (!IsRetryable(submitted.status())) volumes.Remove(session->client(), *progress);
    return submitted.status();
  }
  PrintSubmitted(*submitted, options, console);
  if (!options.wait) return absl::OkStatus();
  return FollowToTheEnd(session->client(), submitted->name(), options.server, console, *progress, stop);
}

}  // namespace

void AddSubmit(CLI::App& root, Program& program) {
  AddVerb<SubmitOptions>(
      root, program, "submit", "Upload a stack and leave the job with a server.", kExamples,
      [&program](CLI::App& verb, SubmitOptions& options) {
        AddInputOptions(verb, options.inputs);
        verb.add_flag(
            "--residual", options.residual,
            "Compute what the result leaves unexplained, too; get it with: deconvoy fetch JOB --role residual");
        verb.add_flag("--spread", options.spread,
                      "With models: compute how sure they are of each voxel, too; get it with: deconvoy fetch JOB "
                      "--role spread");
        AddDeconvolutionOptions(verb, options.deconvolution);
        AddServerOption(verb, options.server);
        AddClassOption(verb, options.job_class);
        AddCompressOption(verb, options.server);
        verb.add_flag("--wait", options.wait, "Wait until the job has ended; Ctrl-C stops the waiting, not the job");
        AddProgressOptions(verb, program.console);
      },
      [&program](const SubmitOptions& options) { return Submit(options, program.console); });
}

}  // namespace deconvoy::client
