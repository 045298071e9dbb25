// deconvoy admin user: who may use a server, and how much.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <optional>
#include <set>
#include <sstream>
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
#include "proto/contract/user_name.h"

namespace deconvoy::client {
namespace {

// What a user is to have; nothing of what is not given.
struct UserOptions {
  std::string user;
  std::optional<std::string> role;
  std::optional<std::string> group;
  std::optional<double> weight;
  std::optional<uint64_t> quota_bytes;
  std::optional<uint32_t> quota_jobs;
  std::optional<uint32_t> quota_running_tasks;
  std::optional<std::string> files;
  bool disable = false;
  bool enable = false;
  ServerOptions server;
};

constexpr char kAddExamples[] = R"(  deconvoy admin user add ada
  deconvoy admin user add node7 --role worker
      for worker programs on other machines)";
constexpr char kSetExamples[] = R"(  deconvoy admin user set ada --role admin
  deconvoy admin user set ada --group imaging --weight 2
      twice the share of others of this group
  deconvoy admin user set ada --files data,results
      lets her import and export files below these folders of the server; an empty list none, '*' all
  deconvoy admin user set ada --disable
      refuses all calls; what she has stays)";
constexpr char kShowExamples[] = R"(  deconvoy admin user show
      yourself
  deconvoy admin user show ada
      somebody, with what they have and use)";
constexpr char kListExamples[] = R"(  deconvoy admin user list
  deconvoy admin user list --json)";

v1::Role RoleOf(std::string name) {
  std::transform(name.begin(), name.end(), name.begin(), [](unsigned char c) { return std::toupper(c); });
  v1::Role role = v1::ROLE_UNSPECIFIED;
  v1::Role_Parse(name, &role);
  return role;
}

// The names of a list with commas, each once, rising; none of an empty text.
std::set<std::string> RootsIn(const std::string& list) {
  std::set<std::string> roots;
  std::istringstream names(list);
  for (std::string name; std::getline(names, name, ',');) roots.insert(name);
  return roots;
}

// A user as the options say, and which fields they give. A quota's fields that are not given come from `quota`.
v1::User ToUser(const UserOptions& options, const v1::Quota& quota, std::vector<std::string>& fields) {
  v1::User user;
  user.set_name(UserArgument(options.user));
  if (options.role) {
    fields.emplace_back("role");
    user.set_role(RoleOf(*options.role));
  }
  if (options.group) {
    fields.emplace_back("group");
    user.set_group(*options.group);
  }
  if (options.weight) {
    fields.emplace_back("weight");
    user.set_weight(*options.weight);
  }
  if (options.files) {
    fields.emplace_back("file_roots");
    for (const std::string& root : RootsIn(*options.files)) user.add_file_roots(root);
  }
  if (options.disable || options.enable) {
    fields.emplace_back("disabled");
    user.set_disabled(options.disable);
  }
  if (!options.quota_bytes && !options.quota_jobs && !options.quota_running_tasks) return user;
  fields.emplace_back("quota");
  user.mutable_quota()->set_bytes(options.quota_bytes.value_or(quota.bytes()));
  user.mutable_quota()->set_jobs(options.quota_jobs.value_or(quota.jobs()));
  user.mutable_quota()->set_running_tasks(options.quota_running_tasks.value_or(quota.running_tasks()));
  return user;
}

std::vector<std::string> Row(const v1::User& user) {
  return {Printable(user.name()),
          Lower(v1::Role_Name(user.role())) + (user.disabled() ? ", disabled" : ""),
          user.group().empty() ? "-" : Printable(user.group()),
          fmt::format("{:g}", user.weight()),
          BytesText(static_cast<double>(user.used_bytes())),
          fmt::format("{}", user.unfinished_jobs()),
          TimeText(user.create_time())};
}

void SayUsers(const Console& console, const std::vector<v1::User>& users) {
  std::vector<std::vector<std::string>> rows;
  for (const v1::User& user : users) {
    rows.push_back(Row(user));
    if (console.json) console.Json(ToJson(user));
  }
  SayTable(console, {"USER", "ROLE", "GROUP", "WEIGHT", "VOLUMES", "JOBS", "CREATED"}, rows,
           "no users (deconvoy admin user add adds one)");
}

absl::Status Add(const UserOptions& options, const Console& console) {
  std::vector<std::string> fields;
  v1::User user = ToUser(options, {}, fields);
  if (!options.role) user.set_role(v1::USER);
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(user, client.CreateUser(user));
  SayUsers(console, {user});
  console.Remark(fmt::format("deconvoy admin token new {} makes a token to log in with",
                             Printable(user.name().substr(user.name().find('/') + 1))));
  return absl::OkStatus();
}

absl::Status Set(const UserOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::User before, client.GetUser(UserArgument(options.user)));
  std::vector<std::string> fields;
  const v1::User change = ToUser(options, before.quota(), fields);
  if (fields.empty()) return UsageError("nothing is to be changed", "Give for instance --role, --group or --disable.");
  ASSIGN_OR_RETURN(const v1::User user, client.UpdateUser(change, fields));
  SayUsers(console, {user});
  return absl::OkStatus();
}

absl::Status Show(const UserOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const v1::User user, client.GetUser(options.user.empty() ? "" : UserArgument(options.user)));
  SayUsers(console, {user});
  const v1::Quota& quota = user.quota();
  const auto limit = [](uint64_t value) { return value == 0 ? "as configured" : fmt::format("{}", value); };
  console.Say(fmt::format("quota: bytes {}, jobs {}, running tasks {}", limit(quota.bytes()), limit(quota.jobs()),
                          limit(quota.running_tasks())));
  const auto& roots = user.file_roots();
  const std::string files = user.role() == v1::ADMIN ? "all" : fmt::format("{}", fmt::join(roots, ", "));
  console.Say("folders for files: " + (files.empty() ? "none" : Printable(files)));
  return absl::OkStatus();
}

absl::Status List(const UserOptions& options, const Console& console) {
  ASSIGN_OR_RETURN(const Client client, ConnectToServer(options.server));
  ASSIGN_OR_RETURN(const std::vector<v1::User> users, client.ListUsers());
  SayUsers(console, users);
  return absl::OkStatus();
}

void AddName(CLI::App& verb, UserOptions& options) {
  verb.add_option("USER", options.user, "Id of the user, 1 to 64 characters of [a-z0-9._-]")->type_name("USER");
}

void AddRights(CLI::App& verb, UserOptions& options) {
  verb.add_option("--role", options.role, "What they may do")->check(CLI::IsMember({"user", "worker", "admin"}));
  verb.add_option("--group", options.group, "Group that shares with other groups; empty for none")->type_name("TEXT");
  verb.add_option("--weight", options.weight, "Of their share within the group")
      ->check(CLI::PositiveNumber)
      ->type_name("NUMBER");
  verb.add_option("--files", options.files,
                  "Folders of the server that they may import from and export to, by the names of its configuration; "
                  "* for all, empty for none")
      ->type_name("ROOT,...");
  verb.add_option("--quota-bytes", options.quota_bytes, "Bytes of volumes they may have; 0: as configured")
      ->type_name("N");
  verb.add_option("--quota-jobs", options.quota_jobs, "Unfinished jobs they may have; 0: as configured")
      ->type_name("N");
  verb.add_option("--quota-running-tasks", options.quota_running_tasks,
                  "Tasks of theirs that workers may hold; 0: as configured")
      ->type_name("N");
}

// Adds one of the commands: `setup` declares what it takes besides server and output, `run` does it.
template <typename Setup, typename Run>
void AddUserVerb(CLI::App& group, Program& program, const char* name, const char* about, const char* examples,
                 Setup setup, Run run) {
  AddVerb<UserOptions>(
      group, program, name, about, examples,
      [&program, setup](CLI::App& verb, UserOptions& options) {
        setup(verb, options);
        AddServerOption(verb, options.server);
        AddJsonOption(verb, program.console);
      },
      [&program, run](const UserOptions& options) { return run(options, program.console); });
}

}  // namespace

std::string UserArgument(const std::string& text) {
  return text.starts_with("users/") ? text : UserName(text);
}

void AddAdminUser(CLI::App& parent, Program& program) {
  CLI::App* group = parent.add_subcommand("user", "Add, change and list users.");
  AddUserVerb(
      *group, program, "add", "Add a user.", kAddExamples,
      [](CLI::App& verb, UserOptions& options) {
        AddName(verb, options);
        verb.get_option("USER")->required();
        AddRights(verb, options);
      },
      Add);
  AddUserVerb(
      *group, program, "set", "Change what a user may do.", kSetExamples,
      [](CLI::App& verb, UserOptions& options) {
        AddName(verb, options);
        verb.get_option("USER")->required();
        AddRights(verb, options);
        CLI::Option* disable = verb.add_flag("--disable", options.disable, "Refuse all calls of theirs");
        verb.add_flag("--enable", options.enable, "Take that back")->excludes(disable);
      },
      Set);
  AddUserVerb(*group, program, "show", "Show a user, yourself by default.", kShowExamples, AddName, Show);
  AddUserVerb(
      *group, program, "list", "List all users.", kListExamples, [](CLI::App&, UserOptions&) {}, List);
  ShowHelpOfGroup(*group, program);
}

}  // namespace deconvoy::client
