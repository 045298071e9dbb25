// deconvoy jobs: the jobs there are.
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct JobsOptions {
  bool all = false;
  size_t limit = 100;
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy jobs
      jobs that have not ended, newest first
  deconvoy jobs --all --json
      ended ones too, one JSON object per line)";

absl::Status List(const JobsOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const auto jobs, client.ListJobs(!options.all, options.limit));
  std::vector<std::vector<std::string>> rows;
  for (const v1::Job& job : jobs) {
    rows.push_back(JobRow(job));
    if (console.json) console.Json(ToJson(job));
  }
  SayTable(console, {"JOB", "STATE", "DONE", "CREATED", "WORK", "NAME"}, rows,
           options.all ? "no jobs" : "no jobs that have not ended (see --all)");
  return absl::OkStatus();
}

}  // namespace

void AddJobs(CLI::App& root, Program& program) {
  AddVerb<JobsOptions>(
      root, program, "jobs", "List jobs.", kExamples,
      [&program](CLI::App& verb, JobsOptions& options) {
        verb.add_flag("--all", options.all, "Ended jobs too");
        verb.add_option("--limit", options.limit, "At most so many")
            ->check(CLI::Range(1, 100000))
            ->type_name("N")
            ->capture_default_str();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const JobsOptions& options) { return List(options, program.console); });
}

}  // namespace deconvoy::client
