// deconvoy admin: the server itself, for those who run it.
#include "client/cli/verbs/admin_verbs.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

constexpr char kExamples[] = R"(
Examples:
  deconvoy admin pause
      gives out no task until: deconvoy admin resume
  deconvoy admin drain w1
      lets a worker finish what it computes, for maintenance
  deconvoy admin usage --csv --from 2026-01 > usage.csv
      what users have spent, by month
  deconvoy admin usage --help
      options of one of these commands)";

}  // namespace

void AddAdmin(CLI::App& root, Program& program) {
  CLI::App* group = root.add_subcommand("admin", "Run a server: pause it, drain workers, share it out, see its usage.");
  group->footer(kExamples);
  group->require_subcommand(0, 1);
  for (const auto add : {AddAdminServer}) add(*group, program);
  // Comes after the callback of the command that is chosen, if there is one.
  group->callback([&root, group, &program] {
    if (!group->get_subcommands().empty()) return;
    program.action = [&root, group, &program] {
      program.console.out << group->help(root.get_name());
      return absl::OkStatus();
    };
  });
}

}  // namespace deconvoy::client
