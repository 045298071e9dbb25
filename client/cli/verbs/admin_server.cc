// deconvoy admin pause, resume, drain, undrain, weight and usage: what the server gives out, and to whom.
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

#include "client/cli/csv.h"
#include "client/cli/json.h"
#include "client/cli/options/output_options.h"
#include "client/cli/outcome.h"
#include "client/cli/report.h"
#include "client/cli/session.h"
#include "client/cli/values.h"
#include "client/cli/verbs/admin_verbs.h"
#include "client/cli/verbs/verbs.h"
#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"

namespace deconvoy::client {
namespace {

// `text` where it has a slash, else the resource of the collection with that id.
std::string NameIn(const std::string& collection, const std::string& text) {
  return text.find('/') == std::string::npos ? collection + "/" + text : text;
}

// --- pause, resume ---

struct PauseOptions {
  ServerOptions server;
};

absl::Status Pause(const PauseOptions& options, bool pause, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::ServerInfo info, client.PauseServer(pause));
  if (console.json) console.Json(ToJson(info));
  console.Say(fmt::format("the server {}; {} tasks wait, {} are with workers",
                          pause ? "gives out no task" : "gives out tasks", info.tasks_ready(), info.tasks_leased()));
  return absl::OkStatus();
}

void AddPause(CLI::App& group, Program& program, bool pause) {
  AddVerb<PauseOptions>(
      group, program, pause ? "pause" : "resume",
      pause ? "Give out no task of any job; what is computed goes on to its end." : "Give out tasks again.",
      pause ? "  deconvoy admin pause\n      lasts until `deconvoy admin resume`, also over a restart of the server"
            : "  deconvoy admin resume",
      [&program](CLI::App& verb, PauseOptions& options) {
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program, pause](const PauseOptions& options) { return Pause(options, pause, program.console); });
}

// --- drain, undrain ---

struct DrainOptions {
  std::string worker;
  ServerOptions server;
};

absl::Status Drain(const DrainOptions& options, bool drain, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Worker worker, client.DrainWorker(NameIn("workers", options.worker), drain));
  if (console.json) console.Json(ToJson(worker));
  const std::string name = Printable(worker.name());
  if (worker.state() == v1::LOST) {
    console.Say(
        fmt::format("{} is lost; where it comes back it {}", name, drain ? "gets no task" : "takes tasks again"));
  } else {
    console.Say(drain ? fmt::format("{} takes no further task; it holds {}", name, worker.tasks_size())
                      : name + " takes tasks again");
  }
  return absl::OkStatus();
}

void AddDrain(CLI::App& group, Program& program, bool drain) {
  AddVerb<DrainOptions>(
      group, program, drain ? "drain" : "undrain",
      drain ? "Let a worker finish what it computes, and give it nothing more." : "Give a worker tasks again.",
      drain ? "  deconvoy admin drain w1\n      `deconvoy workers` tells when it holds nothing any more"
            : "  deconvoy admin undrain w1",
      [&program](CLI::App& verb, DrainOptions& options) {
        verb.add_option("WORKER", options.worker, "Name of the worker, as `deconvoy workers` tells it")
            ->type_name("WORKER")
            ->required();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program, drain](const DrainOptions& options) { return Drain(options, drain, program.console); });
}

// --- weight ---

struct WeightOptions {
  std::string user;
  double weight = 1;
  ServerOptions server;
};

absl::Status SetWeight(const WeightOptions& options, const Console& console) {
  if (!std::isfinite(options.weight)) return UsageError("the weight is not a number", "Give one above 0, such as 2.");
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  v1::User user;
  user.set_name(NameIn("users", options.user));
  user.set_weight(options.weight);
  ASSIGN_OR_RETURN(const v1::User changed, client.UpdateUser(user, {"weight"}));
  if (console.json) console.Json(ToJson(changed));
  console.Say(fmt::format("{} weighs {:g}{}", Printable(changed.name()), changed.weight(),
                          changed.group().empty() ? "" : " in the group " + Printable(changed.group())));
  return absl::OkStatus();
}

void AddWeight(CLI::App& group, Program& program) {
  AddVerb<WeightOptions>(
      group, program, "weight", "Set how much of the fair share a user gets.",
      "  deconvoy admin weight alice 2\n      twice as much as those of weight 1",
      [&program](CLI::App& verb, WeightOptions& options) {
        verb.add_option("USER", options.user, "Name of the user")->type_name("USER")->required();
        verb.add_option("W", options.weight, "Weight within the group, above 0; 1 at first")
            ->check(CLI::Range(1e-3, 1e3))
            ->type_name("W")
            ->required();
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program](const WeightOptions& options) { return SetWeight(options, program.console); });
}

// --- usage ---

struct UsageOptions {
  std::string from, to;
  bool csv = false;
  ServerOptions server;
};

constexpr char kUsageExamples[] = R"(  deconvoy admin usage
      hours that workers have computed, tasks and bytes, by user and month
  deconvoy admin usage --csv --from 2026-01 --to 2026-06 > usage.csv
      half a year, for a spreadsheet)";

std::vector<std::string> CsvRow(const v1::Usage& usage) {
  return {usage.user(),
          usage.group(),
          usage.month(),
          fmt::format("{:.3f}", usage.worker_seconds()),
          fmt::to_string(usage.tasks()),
          fmt::to_string(usage.bytes_in()),
          fmt::to_string(usage.bytes_out())};
}

std::vector<std::string> Row(const v1::Usage& usage) {
  return {Printable(usage.user()),
          usage.group().empty() ? "-" : Printable(usage.group()),
          Printable(usage.month()),
          fmt::format("{:.2f}", usage.worker_seconds() / 3600),
          fmt::to_string(usage.tasks()),
          BytesText(static_cast<double>(usage.bytes_in())),
          BytesText(static_cast<double>(usage.bytes_out()))};
}

absl::Status ShowUsage(const UsageOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const std::vector<v1::Usage> all, client.ExportUsage(options.from, options.to));
  if (options.csv) {
    console.out << CsvLine({"user", "group", "month", "worker_seconds", "tasks", "bytes_in", "bytes_out"});
    for (const v1::Usage& usage : all) console.out << CsvLine(CsvRow(usage));
    return absl::OkStatus();
  }
  std::vector<std::vector<std::string>> rows;
  for (const v1::Usage& usage : all) {
    rows.push_back(Row(usage));
    if (console.json) console.Json(ToJson(usage));
  }
  SayTable(console, {"USER", "GROUP", "MONTH", "WORKER HOURS", "TASKS", "WRITTEN", "READ"}, rows,
           "nothing has been used");
  return absl::OkStatus();
}

void AddUsage(CLI::App& group, Program& program) {
  AddVerb<UsageOptions>(
      group, program, "usage", "Show what users have spent, by month.", kUsageExamples,
      [&program](CLI::App& verb, UsageOptions& options) {
        verb.add_option("--from", options.from, "First month, such as 2026-01 [the beginning]")->type_name("MONTH");
        verb.add_option("--to", options.to, "Last month, with all of it [now]")->type_name("MONTH");
        CLI::Option* csv =
            verb.add_flag("--csv", options.csv,
                          "Print CSV, a line per user and month under a heading; what a spreadsheet would take for a "
                          "formula stands behind an apostrophe");
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
        verb.get_option("--json")->excludes(csv);
      },
      [&program](const UsageOptions& options) { return ShowUsage(options, program.console); });
}

}  // namespace

void AddAdminServer(CLI::App& group, Program& program) {
  AddPause(group, program, true);
  AddPause(group, program, false);
  AddDrain(group, program, true);
  AddDrain(group, program, false);
  AddWeight(group, program);
  AddUsage(group, program);
}

}  // namespace deconvoy::client
