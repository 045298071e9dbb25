// The parser's verbs and options as plain data, for what is generated from them: completion scripts and documentation.
#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace deconvoy::client {

struct OptionModel {
  std::vector<std::string> names;  // `-o`, `--output`; the bare name of a positional argument
  std::string meaning;
  std::string value;                 // `FILE`, `Z,Y,X`; empty for a flag
  std::vector<std::string> choices;  // the values there are, where they are few
  bool repeated = false;             // takes several values
  std::string fallback;              // the default, empty if none
  std::string group;
  bool positional = false;
  bool required = false;

  bool takes_file() const { return value == "FILE" || value == "DIR" || value.ends_with("|FILE"); }
};

// A group of verbs.
struct GroupModel {
  std::string name;
  std::string about;
};

struct VerbModel {
  std::string name;                     // `run`; those of its groups come first: `admin user add`
  std::vector<GroupModel> groups = {};  // that it is in, the outermost first
  std::string about;
  std::string examples;
  std::vector<OptionModel> options;
};

OptionModel ModelOf(const CLI::Option& option);

// Every verb that the help shows, in its order, with those of groups in the place of these.
std::vector<VerbModel> ModelOf(const CLI::App& root);

// A script that completes commands, options and values in `shell`: bash, zsh or fish.
std::string CompletionScript(const std::vector<VerbModel>& verbs, const std::string& shell);

// The reference page of the command line.
std::string MarkdownPage(const std::vector<VerbModel>& verbs);

}  // namespace deconvoy::client
