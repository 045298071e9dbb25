// deconvoy watch: the progress of a job.
#include <absl/time/clock.h>

#include "client/cli/interrupt.h"
#include "client/cli/job_follow.h"
#include "client/cli/job_run.h"
#include "client/cli/options/output_options.h"
#include "client/cli/own_file.h"
#include "client/cli/preview.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct WatchOptions {
  std::string job;
  std::string preview;  // empty: none
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy watch jobs/3f2a
      a bar until the job has ended; Ctrl-C stops the watching, not the job
  deconvoy watch jobs/3f2a --json
      one JSON object per step
  deconvoy watch jobs/3f2a --preview preview.png
      and a small picture of the result that is drawn anew with every tile)";

absl::Status Watch(const WatchOptions& options, const Console& console) {
  const std::stop_token stop = TakeInterrupts();
  RETURN_IF_ERROR(CheckPicture(options.preview, "--preview", {}));
  ASSIGN_OR_RETURN(const std::string server, RequireServer(options.server));
  const auto progress = MakeProgress(console, [] { return absl::Now(); });
  ASSIGN_OR_RETURN(const Client client, ConnectTo(server, options.server, *progress, stop));
  const std::string job = JobArgument(options.job);
  PreviewKeeper preview(client, options.preview);
  RETURN_IF_ERROR(FollowToTheEnd(client, job, options.server, console, *progress, stop,
                                 [&](const v1::JobEvent& event) { preview.Hear(job, event); }));
  return preview.status();
}

}  // namespace

void AddWatch(CLI::App& root, Program& program) {
  AddVerb<WatchOptions>(
      root, program, "watch", "Follow a job to its end.", kExamples,
      [&program](CLI::App& verb, WatchOptions& options) {
        verb.add_option("JOB", options.job, "Name of the job")->type_name("JOB")->required();
        verb.add_option("--preview", options.preview,
                        std::string("Draw a small maximum projection of the result so far into this .png, anew with "
                                    "every tile") +
                            kReplaced)
            ->type_name("FILE");
        AddServerOption(verb, options.server);
        AddProgressOptions(verb, program.console);
      },
      [&program](const WatchOptions& options) { return Watch(options, program.console); });
}

}  // namespace deconvoy::client
