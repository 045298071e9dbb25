// deconvoy workers: who computes.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>

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

// `0-3,8`: the processors to which threads are tied.
std::string ProcessorsText(const v1::WorkerRegistration& worker) {
  std::vector<uint32_t> all(worker.processors().begin(), worker.processors().end());
  std::sort(all.begin(), all.end());
  std::string text;
  for (size_t i = 0; i < all.size();) {
    size_t end = i + 1;
    while (end < all.size() && all[end] <= all[end - 1] + 1) ++end;
    text += fmt::format("{}{}", text.empty() ? "" : ",", all[i]);
    if (all[end - 1] > all[i]) text += fmt::format("-{}", all[end - 1]);
    i = end;
  }
  return text.empty() ? "any" : text;
}

// `cpu, 8 threads`, or the device beside the processors that it computes on.
std::string BackendText(const v1::WorkerRegistration& worker) {
  if (!worker.has_accelerator()) {
    return fmt::format("{}, {} {}", Printable(worker.backend()), worker.threads(),
                       worker.threads() == 1 ? "thread" : "threads");
  }
  const v1::Accelerator& device = worker.accelerator();
  constexpr size_t kTelling = 12;  // of a UUID: `GPU-8c1f02ab`
  return fmt::format("{}, {} {} ({}, {})", Printable(worker.backend()), Printable(device.name()),
                     Printable(device.uuid().substr(0, kTelling)),
                     BytesText(static_cast<double>(device.memory_bytes())), Printable(device.driver()));
}

std::vector<std::string> Row(const v1::Worker& worker) {
  const v1::WorkerRegistration& is = worker.registration();
  return {Printable(worker.name()),
          Lower(v1::WorkerState_Name(worker.state())),
          Printable(is.host()),
          BackendText(is),
          ProcessorsText(is),
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
  SayTable(console, {"WORKER", "STATE", "HOST", "BACKEND", "PROCESSORS", "MEMORY", "TASKS", "NOW"}, rows, "no workers");
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
