// deconvoy admin group: what groups of users get of the fair share.
#include <fmt/format.h>

#include <cmath>
#include <string>
#include <vector>

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

struct GroupOptions {
  std::string group;
  double weight = 1;
  ServerOptions server;
};

constexpr char kSetExamples[] = R"(  deconvoy admin group set imaging --weight 20
      as much as 20 users without a group, or groups of weight 1; deconvoy admin user set puts users into it)";
constexpr char kListExamples[] = R"(  deconvoy admin group list
  deconvoy admin group list --json)";

void SayGroups(const Console& console, const std::vector<v1::Group>& groups) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::Group& group : groups) {
    rows.push_back({Printable(group.name()), fmt::format("{:g}", group.weight()), fmt::format("{}", group.users())});
    if (console.json) console.Json(ToJson(group));
  }
  SayTable(console, {"GROUP", "WEIGHT", "USERS"}, rows,
           "no groups (deconvoy admin user set USER --group GROUP makes one)");
}

absl::Status Set(const GroupOptions& options, const Console& console) {
  if (!std::isfinite(options.weight)) return UsageError("the weight is not a number", "Give one above 0, such as 2.");
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::Group group, client.SetGroupWeight(options.group, options.weight));
  SayGroups(console, {group});
  return absl::OkStatus();
}

absl::Status List(const GroupOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const std::vector<v1::Group> groups, client.ListGroups());
  SayGroups(console, groups);
  return absl::OkStatus();
}

}  // namespace

void AddAdminGroup(CLI::App& parent, Program& program) {
  CLI::App* group = parent.add_subcommand("group", "Weigh and list groups of users.");
  const auto common = [&program](CLI::App& verb, GroupOptions& options) {
    AddServerOption(verb, options.server);
    AddJsonOption(verb, program.console);
  };
  AddVerb<GroupOptions>(
      *group, program, "set", "Set how much of the fair share a group gets.", kSetExamples,
      [common](CLI::App& verb, GroupOptions& options) {
        verb.add_option("GROUP", options.group, "A group that users are in")->type_name("GROUP")->required();
        verb.add_option("--weight", options.weight, "Weight among groups, above 0; 1 at first")
            ->check(CLI::Range(1e-3, 1e3))
            ->type_name("W")
            ->required();
        common(verb, options);
      },
      [&program](const GroupOptions& options) { return Set(options, program.console); });
  AddVerb<GroupOptions>(
      *group, program, "list", "List all groups, with their weights.", kListExamples,
      [common](CLI::App& verb, GroupOptions& options) { common(verb, options); },
      [&program](const GroupOptions& options) { return List(options, program.console); });
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
