// deconvoy models keep: keeps what a training has found that nobody waited for.
#include <absl/time/clock.h>

#include <memory>
#include <string>

#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/job_run.h"
#include "client/cli/model_library.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/session.h"
#include "client/cli/verbs/models_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/psf_library.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct KeepOptions {
  std::string name;
  std::string job;
  std::string description;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy models keep rln-gfp jobs/3f2a
      the model that this job trains, when it has, as the next version of models/rln-gfp)";

absl::Status Keep(const KeepOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  ASSIGN_OR_RETURN(const std::string id, NewModelId(options.name));
  RETURN_IF_ERROR(WithExitCode(ValidateLibraryDescription(options.description), ExitCode::kUsage));
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Job job, AwaitSuccess(client, JobArgument(options.job), options.server, *progress, stop));
  Leftovers none;
  ASSIGN_OR_RETURN(const v1::Model model, KeepModel(client, id, options.description, job, none, stop));
  SayKept(model, console);
  return absl::OkStatus();
}

}  // namespace

void AddModelsKeep(CLI::App& group, Program& program) {
  AddVerb<KeepOptions>(
      group, program, "keep", "Keep what a training has found that nobody waited for.", kExamples,
      [&program](CLI::App& verb, KeepOptions& options) {
        verb.add_option("NAME", options.name, "Name; a model of this name gets one more version")
            ->type_name("MODEL")
            ->required();
        verb.add_option("JOB", options.job, "Name of the job, which is waited for; Ctrl-C stops the waiting alone")
            ->type_name("JOB")
            ->required();
        verb.add_option("--description", options.description, "What people should know of it")->type_name("TEXT");
        AddServerOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const KeepOptions& options) { return Keep(options, program.console); });
}

}  // namespace deconvoy::client
