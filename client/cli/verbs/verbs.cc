#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {

const std::vector<void (*)(CLI::App&, Program&)>& AllVerbs() {
  static const std::vector<void (*)(CLI::App&, Program&)> verbs = {
      AddRun,      AddSubmit,  AddStream,  AddPreflight,  AddWatch,        AddFetch, AddJobs,
      AddJob,      AddCancel,  AddVolumes, AddWorkers,    AddMethods,      AddPsf,   AddModels,
      AddSimulate, AddCompare, AddPicture, AddProfile,    AddJoin,         AddLogin, AddLogout,
      AddAdmin,    AddVersion, AddHelp,    AddCompletion, AddHelpMarkdown,
  };
  return verbs;
}

void ShowHelpOfGroup(CLI::App& group, Program& program) {
  group.require_subcommand(0, 1);
  // Comes after the callback of the command that is chosen, if there is one.
  group.callback([&group, &program] {
    if (!group.get_subcommands().empty()) return;
    program.action = [&group, &program] {
      std::string before;
      for (const CLI::App* app = group.get_parent(); app != nullptr; app = app->get_parent())
        before = app->get_name() + (before.empty() ? "" : " ") + before;
      program.console.out << group.help(before);
      return absl::OkStatus();
    };
  });
}

}  // namespace deconvoy::client
