// deconvoy job: everything about one job.
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/report.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct JobOptions {
  std::string job;
  bool remove = false;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy job jobs/3f2a
      state, findings, PSF, background, counts, error and worker log
  deconvoy job jobs/3f2a --delete
      remove an ended job and its results from the server)";

absl::Status Delete(const Client& client, const v1::Job& job) {
  RETURN_IF_ERROR(client.DeleteJob(job.name()));
  for (const v1::JobOutput& output : job.outputs())
    if (absl::Status status = client.DeleteVolume(output.volume()); !status.ok() && !absl::IsNotFound(status))
      return status;
  return absl::OkStatus();
}

absl::Status Show(const JobOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options.server));
  ASSIGN_OR_RETURN(const Client client, Client::Connect(server));
  ASSIGN_OR_RETURN(const v1::Job job, client.GetJob(JobArgument(options.job)));
  if (options.remove) return Delete(client, job);
  if (console.json) console.Json(ToJson(job));
  for (const std::string& line : JobDetails(job)) console.Say(line);
  return absl::OkStatus();
}

}  // namespace

void AddJob(CLI::App& root, Program& program) {
  AddVerb<JobOptions>(
      root, program, "job", "Show one job with everything known about it.", kExamples,
      [&program](CLI::App& verb, JobOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("NAME")->required();
        verb.add_flag("--delete", options.remove, "Remove the ended job and its results from the server");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const JobOptions& options) { return Show(options, program.console); });
}

}  // namespace deconvoy::client
