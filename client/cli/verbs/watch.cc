// deconvoy watch: the progress of a job.
#include <absl/time/clock.h>
#include <fmt/format.h>

#include "client/cli/interrupt.h"
#include "client/cli/job_run.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct WatchOptions {
  std::string job;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy watch jobs/3f2a
      a bar until the job has ended; Ctrl-C stops the watching, not the job
  deconvoy watch jobs/3f2a --json
      one JSON object per step)";

absl::Status Watch(const WatchOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options.server));
  ASSIGN_OR_RETURN(const Client client, Client::Connect(server));
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  const std::string name = JobArgument(options.job);
  const auto job = FollowJob(client, name, *progress, stop);
  progress->Clear();
  if (!job.ok() && stop.stop_requested())
    return MakeError({.reason = v1::CANCELLED_BY_USER}, fmt::format("stopped watching; {} goes on", Printable(name)));
  if (!job.ok()) return job.status();
  RETURN_IF_ERROR(OutcomeOf(*job));
  for (const std::string& line : JobReport(*job)) console.Say(line);
  if (console.json) console.Json({{"event", "result"}, {"job", ToJson(*job)}});
  return absl::OkStatus();
}

}  // namespace

void AddWatch(CLI::App& root, Program& program) {
  AddVerb<WatchOptions>(
      root, program, "watch", "Follow a job to its end.", kExamples,
      [&program](CLI::App& verb, WatchOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("NAME")->required();
        AddServerOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const WatchOptions& options) { return Watch(options, program.console); });
}

}  // namespace deconvoy::client
