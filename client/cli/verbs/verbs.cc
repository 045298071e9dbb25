#include "client/cli/verbs/verbs.h"

namespace deconvoy::client {

const std::vector<void (*)(CLI::App&, Program&)>& AllVerbs() {
  static const std::vector<void (*)(CLI::App&, Program&)> verbs = {
      AddRun,     AddSubmit,  AddPreflight, AddWatch,   AddFetch,      AddJobs,         AddJob,     AddCancel,
      AddVolumes, AddWorkers, AddAdmin,     AddMethods, AddPsf,        AddSimulate,     AddCompare, AddPicture,
      AddProfile, AddJoin,    AddVersion,   AddHelp,    AddCompletion, AddHelpMarkdown,
  };
  return verbs;
}

}  // namespace deconvoy::client
