// deconvoy admin: who may use a server, and the server itself.
#include "client/cli/verbs/admin_verbs.h"
#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {
namespace {

constexpr char kExamples[] = R"(
Examples:
  deconvoy admin user add ada --server facility:7450
      somebody who may use the server
  deconvoy admin token new ada --days 90 -o ada.token
      what she logs in with
  deconvoy admin user set ada --disable
      nothing of hers is lost, but she comes in no more
  deconvoy admin group set imaging --weight 20
      how much a group of users gets beside others
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
  CLI::App* group =
      root.add_subcommand("admin", "Run a server: its users, groups and tokens, pauses, workers, shares, usage.");
  group->footer(kExamples);
  for (const auto add : {AddAdminUser, AddAdminGroup, AddAdminToken, AddAdminServer}) add(*group, program);
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
