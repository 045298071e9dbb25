// The verbs, one file each. Each function adds one to the parser.
#pragma once

#include <CLI/CLI.hpp>
#include <vector>

#include "client/cli/program.h"

namespace deconvoy::client {

void AddRun(CLI::App& root, Program& program);
void AddSubmit(CLI::App& root, Program& program);
void AddStream(CLI::App& root, Program& program);
void AddPreflight(CLI::App& root, Program& program);
void AddWatch(CLI::App& root, Program& program);
void AddFetch(CLI::App& root, Program& program);
void AddJobs(CLI::App& root, Program& program);
void AddVolumes(CLI::App& root, Program& program);
void AddJob(CLI::App& root, Program& program);
void AddCancel(CLI::App& root, Program& program);
void AddWorkers(CLI::App& root, Program& program);
void AddAdmin(CLI::App& root, Program& program);
void AddMethods(CLI::App& root, Program& program);
void AddSimulate(CLI::App& root, Program& program);
void AddPsf(CLI::App& root, Program& program);
void AddModels(CLI::App& root, Program& program);
void AddAdmin(CLI::App& root, Program& program);
void AddLogin(CLI::App& root, Program& program);
void AddLogout(CLI::App& root, Program& program);
void AddCompare(CLI::App& root, Program& program);
void AddPicture(CLI::App& root, Program& program);
void AddJoin(CLI::App& root, Program& program);
void AddProfile(CLI::App& root, Program& program);
void AddVersion(CLI::App& root, Program& program);
void AddHelp(CLI::App& root, Program& program);
void AddCompletion(CLI::App& root, Program& program);
void AddHelpMarkdown(CLI::App& root, Program& program);  // not shown in the help

// All of them, in the order of the help.
const std::vector<void (*)(CLI::App&, Program&)>& AllVerbs();

// Has a group of commands print its help where none of them is chosen. Call once the commands are added.
void ShowHelpOfGroup(CLI::App& group, Program& program);

// Adds a verb whose options live in an `Options` made for it: `setup(verb, options)` declares them, `run(options)` does
// the work when the verb is chosen.
template <class Options, class Setup, class Run>
void AddVerb(CLI::App& root, Program& program, const char* name, const char* about, const char* examples, Setup setup,
             Run run) {
  CLI::App* verb = root.add_subcommand(name, about);
  verb->footer(std::string("\nExamples:\n") + examples);
  const auto options = std::make_shared<Options>();
  setup(*verb, *options);
  verb->callback([&program, options, run] { program.action = [options, run] { return run(*options); }; });
}

}  // namespace deconvoy::client
