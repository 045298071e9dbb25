// deconvoy workers: who computes.
#include <fmt/format.h>

#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

struct WorkersOptions {
  ServerOptions server;
};

constexpr char kExamples[] = R"(  deconvoy workers
  deconvoy workers --json)";

std::vector<std::string> Row(const v1::Worker& worker) {
  const v1::WorkerRegistration& is = worker.registration();
  return {Printable(worker.name()),
          Lower(v1::WorkerState_Name(worker.state())),
          Printable(is.host()),
          fmt::format("{}, {} {}", Printable(is.backend()), is.threads(), is.threads() == 1 ? "thread" : "threads"),
          BytesText(static_cast<double>(is.memory_budget_bytes())),
          fmt::format("{} done, {} failed", worker.tasks_done(), worker.tasks_failed()),
          worker.tasks().empty() ? "" : Printable(worker.tasks(0).task())};
}

absl::Status List(const WorkersOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const auto workers, client.ListWorkers());
  std::vector<std::vector<std::string>> rows;
  for (const v1::Worker& worker : workers) {
    rows.push_back(Row(worker));
    if (console.json) console.Json(ToJson(worker));
  }
  SayTable(console, {"WORKER", "STATE", "HOST", "BACKEND", "MEMORY", "TASKS", "NOW"}, rows, "no workers");
  return absl::OkStatus();
}

}  // namespace

void AddWorkers(CLI::App& root, Program& program) {
  AddVerb<WorkersOptions>(
      root, program, "workers", "List the workers of a server.", kExamples,
      [&program](CLI::App& verb, WorkersOptions& options) {
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const WorkersOptions& options) { return List(options, program.console); });
}

}  // namespace deconvoy::client
