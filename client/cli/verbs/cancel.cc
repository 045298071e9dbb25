// deconvoy cancel: stop a job.
#include <fmt/format.h>

#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct CancelOptions {
  std::string job;
  ServerOptions server;
};

constexpr char kExamples[] = "  deconvoy cancel jobs/3f2a";

absl::Status Cancel(const CancelOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Job job, client.CancelJob(JobArgument(options.job)));
  if (console.json) console.Json(ToJson(job));
  console.Say(job.state() == v1::CANCELLED ? Printable(job.name()) + " is cancelled"
                                           : Printable(job.name()) + " had ended before");
  return absl::OkStatus();
}

}  // namespace

void AddCancel(CLI::App& root, Program& program) {
  AddVerb<CancelOptions>(
      root, program, "cancel", "Stop a job.", kExamples,
      [&program](CLI::App& verb, CancelOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("JOB")->required();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const CancelOptions& options) { return Cancel(options, program.console); });
}

}  // namespace deconvoy::client
