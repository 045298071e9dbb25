// deconvoy submit: leave a job with a server.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "client/cli/deconvolve_inputs.h"
#include "client/cli/interrupt.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct SubmitOptions {
  InputOptions inputs;
  bool wait = false;
  DeconvolutionOptions deconvolution;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy submit raw.tif --psf psf.tif --server facility:7450
      prints the job's name; then deconvoy watch, deconvoy fetch
  job=$(deconvoy submit raw.tif --psf psf.tif --quiet) && deconvoy watch $job && deconvoy fetch $job -o out.tif
      the same in a script)";

void PrintSubmitted(const v1::Job& job, const Leftovers& volumes, const Console& console) {
  if (console.json) return console.Json({{"event", "submitted"}, {"job", ToJson(job)}});
  console.out << Printable(job.name()) << std::endl;
  for (const std::string& volume : volumes.volumes()) console.Say("input: " + Printable(volume));
  for (const v1::JobOutput& output : job.outputs())
    console.Say(fmt::format("output: {} in {}", Printable(output.role()), Printable(output.volume())));
}

absl::Status Wait(const Client& client, const std::string& job, const Console& console, Progress& progress,
                  const std::stop_token& stop) {
  const auto ended = FollowJob(client, job, progress, stop);
  progress.Clear();
  if (!ended.ok() && stop.stop_requested())
    return MakeError(
        {.reason = v1::CANCELLED_BY_USER, .remedy = fmt::format("Look again with: deconvoy watch {}", job)},
        fmt::format("stopped waiting; {} goes on", Printable(job)));
  if (!ended.ok()) return ended.status();
  RETURN_IF_ERROR(OutcomeOf(*ended));
  for (const std::string& line : JobReport(*ended)) console.Say(line);
  if (console.json) console.Json({{"event", "result"}, {"job", ToJson(*ended)}});
  return absl::OkStatus();
}

absl::Status Submit(const SubmitOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  RETURN_IF_ERROR(RequireServer(options.server).status());
  ASSIGN_OR_RETURN(const v1::DeconvolveSpec deconvolve, ToSpec(options.deconvolution));
  ASSIGN_OR_RETURN(DeconvolveInputs inputs, OpenInputs(options.inputs, *progress));
  ASSIGN_OR_RETURN(const auto session, Session::Open(options.server));
  Leftovers volumes;
  const auto submitted = [&]() -> absl::StatusOr<v1::Job> {
    ASSIGN_OR_RETURN(const v1::JobSpec spec, UploadInputs(*session, inputs, deconvolve, volumes, *progress, stop));
    return session->Submit(spec, *progress, stop);
  }();
  progress->Clear();
  if (!submitted.ok()) {
    if (!IsRetryable(submitted.status())) volumes.Remove(session->client(), *progress);
    return submitted.status();
  }
  PrintSubmitted(*submitted, volumes, console);
  if (!options.wait) return absl::OkStatus();
  return Wait(session->client(), submitted->name(), console, *progress, stop);
}

}  // namespace

void AddSubmit(CLI::App& root, Program& program) {
  AddVerb<SubmitOptions>(
      root, program, "submit", "Upload a stack and leave the job with a server.", kExamples,
      [&program](CLI::App& verb, SubmitOptions& options) {
        AddInputOptions(verb, options.inputs);
        AddDeconvolutionOptions(verb, options.deconvolution);
        AddServerOption(verb, options.server);
        verb.add_flag("--wait", options.wait, "Wait until the job has ended; Ctrl-C stops the waiting, not the job");
        AddProgressOptions(verb, program.console);
      },
      [&program](const SubmitOptions& options) { return Submit(options, program.console); });
}

}  // namespace deconvoy::client
