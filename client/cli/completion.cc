// Completion scripts, made from the parser.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

std::string VerbNames(const std::vector<VerbModel>& verbs) {
  std::vector<std::string> names;
  for (const VerbModel& verb : verbs) names.push_back(verb.name);
  return fmt::format("{}", fmt::join(names, " "));
}

std::string OptionNames(const VerbModel& verb) {
  std::vector<std::string> names;
  for (const OptionModel& option : verb.options)
    if (!option.positional) names.insert(names.end(), option.names.begin(), option.names.end());
  return fmt::format("{}", fmt::join(names, " "));
}

// Text inside single quotes of a shell.
std::string Quoted(const std::string& text) {
  std::string quoted;
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted;
}

std::string Bash(const std::vector<VerbModel>& verbs) {
  std::string values, options;
  for (const VerbModel& verb : verbs) {
    options += fmt::format("    {}) words='{}' ;;\n", verb.name, OptionNames(verb));
    for (const OptionModel& option : verb.options)
      for (const std::string& name : option.names)
        if (!option.choices.empty())
          values += fmt::format("    '{} {}') COMPREPLY=($(compgen -W '{}' -- \"$current\")); return ;;\n", verb.name,
                                name, fmt::join(option.choices, " "));
  }
  return fmt::format(R"(# bash completion of deconvoy; put it into ~/.local/share/bash-completion/completions/deconvoy
_deconvoy() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} verb=${{COMP_WORDS[1]}} words=''
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '{} --help' -- "$current"))
    return
  fi
  case "$verb $previous" in
{}  esac
  case "$verb" in
{}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}}
complete -o filenames -F _deconvoy deconvoy
)",
                     VerbNames(verbs), values, options);
}

// Text inside a [description] of zsh's _arguments.
std::string ZshText(const std::string& text) {
  std::string escaped;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':') escaped += '\\';
    escaped += c;
  }
  return Quoted(escaped);
}

std::string ZshArgument(const OptionModel& option, const std::string& name) {
  std::string action;
  if (!option.choices.empty())
    action = fmt::format(":value:({})", fmt::join(option.choices, " "));
  else if (!option.value.empty())
    action = option.takes_file() ? ":file:_files" : fmt::format(":{}:", ZshText(option.value));
  if (option.positional) return fmt::format("'{}'", action.empty() ? "::" : action.substr(0));
  return fmt::format("'*{}[{}]{}'", name, ZshText(option.meaning), action);
}

std::string Zsh(const std::vector<VerbModel>& verbs) {
  std::string names, cases;
  for (const VerbModel& verb : verbs) {
    names += fmt::format("    '{}:{}'\n", verb.name, ZshText(verb.about));
    std::string arguments;
    for (const OptionModel& option : verb.options)
      for (const std::string& name : option.names) arguments += " \\\n        " + ZshArgument(option, name);
    cases += fmt::format("    {})\n      _arguments{} ;;\n", verb.name, arguments);
  }
  return fmt::format(R"(#compdef deconvoy
# zsh completion of deconvoy; put it into a folder of $fpath as _deconvoy
_deconvoy() {{
  local -a verbs
  verbs=(
{}  )
  if (( CURRENT == 2 )); then
    _describe 'command' verbs
    return
  fi
  local verb=$words[2]
  shift words
  (( CURRENT-- ))
  case $verb in
{}  esac
}}
compdef _deconvoy deconvoy
)",
                     names, cases);
}

std::string FishOption(const VerbModel& verb, const OptionModel& option) {
  std::string line = fmt::format("complete -c deconvoy -n '__fish_seen_subcommand_from {}'", verb.name);
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.choices.empty())
    line += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
  else if (!option.value.empty())
    line += option.takes_file() ? " -r -F" : " -x";
  return line + fmt::format(" -d '{}'\n", Quoted(option.meaning));
}

std::string Fish(const std::vector<VerbModel>& verbs) {
  std::string text = "# fish completion of deconvoy; put it into ~/.config/fish/completions/deconvoy.fish\n";
  for (const VerbModel& verb : verbs) {
    text +=
        fmt::format("complete -c deconvoy -n __fish_use_subcommand -f -a {} -d '{}'\n", verb.name, Quoted(verb.about));
    for (const OptionModel& option : verb.options)
      if (!option.positional) text += FishOption(verb, option);
  }
  return text;
}

}  // namespace

std::string CompletionScript(const std::vector<VerbModel>& verbs, const std::string& shell) {
  if (shell == "zsh") return Zsh(verbs);
  if (shell == "fish") return Fish(verbs);
  return Bash(verbs);
}

}  // namespace deconvoy::client
