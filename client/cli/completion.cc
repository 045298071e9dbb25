// Completion scripts, made from the parser.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>

#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

// A word that may come next, and what it is about.
struct Word {
  std::string text;
  std::string about;
};

// What may follow each group's name, as it stands on the command line; what may follow the program's name under "".
std::map<std::string, std::vector<Word>> WordsAfter(const std::vector<VerbModel>& verbs) {
  std::map<std::string, std::vector<Word>> words;
  for (const VerbModel& verb : verbs) {
    std::string before;
    for (const GroupModel& group : verb.groups) {
      std::vector<Word>& known = words[before];
      if (known.empty() || known.back().text != group.name) known.push_back({group.name, group.about});
      before += (before.empty() ? "" : " ") + group.name;
    }
    words[before].push_back({verb.name.substr(before.empty() ? 0 : before.size() + 1), verb.about});
  }
  return words;
}

std::vector<Word> FirstWords(const std::vector<VerbModel>& verbs) {
  return WordsAfter(verbs)[""];
}

// What may follow each group's name, outer groups before inner ones.
std::vector<std::pair<std::string, std::vector<Word>>> Groups(const std::vector<VerbModel>& verbs) {
  std::vector<std::pair<std::string, std::vector<Word>>> groups;
  for (auto& [group, words] : WordsAfter(verbs))
    if (!group.empty()) groups.emplace_back(group, words);
  return groups;
}

// How many words a group's name has.
int64_t DepthOf(const std::string& group) {
  return 1 + std::count(group.begin(), group.end(), ' ');
}

std::string Texts(const std::vector<Word>& words) {
  std::vector<std::string> texts;
  for (const Word& word : words) texts.push_back(word.text);
  return fmt::format("{}", fmt::join(texts, " "));
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

// Prints the names of jobs, newest first, of PSFs or of models; nothing without a server that answers soon.
constexpr char kJobs[] = "timeout 2 deconvoy jobs --all --limit 50 2>/dev/null | grep -o '^jobs/[^ ]*'";
constexpr char kPsfs[] = "timeout 2 deconvoy psf list 2>/dev/null | grep -o '^psfs/[^ ]*'";
constexpr char kModels[] = "timeout 2 deconvoy models list 2>/dev/null | grep -o '^models/[^ ]*'";

// The command that prints what the server knows of this kind; null for others.
const char* NamesOf(const std::string& value) {
  const bool model = value == "MODEL" || value.starts_with("MODEL|");
  return value == "JOB" ? kJobs : value == "PSF" ? kPsfs : model ? kModels : nullptr;
}

// What may stand in the place of a value, as words for the shell's `compgen`; nothing where only the user knows.
std::string BashSource(const std::vector<VerbModel>& verbs, const OptionModel& option) {
  if (!option.choices.empty()) return fmt::format("-W '{}'", fmt::join(option.choices, " "));
  if (const char* names = NamesOf(option.value))
    return fmt::format("{}-W \"$({})\"", option.takes_file() ? "-f " : "", names);
  if (option.takes_file()) return "-f";
  if (option.value == "COMMAND") return fmt::format("-W '{}'", Texts(FirstWords(verbs)));
  return "-W ''";
}

// Lines of a `case "$verb $previous"`: what comes after an option that takes a value.
std::string BashValues(const std::vector<VerbModel>& verbs) {
  std::string lines;
  for (const VerbModel& verb : verbs)
    for (const OptionModel& option : verb.options)
      for (const std::string& name : option.names)
        if (!option.positional && !option.value.empty())
          lines += fmt::format("    '{} {}') COMPREPLY=($(compgen {} -- \"$current\")); return ;;\n", verb.name, name,
                               BashSource(verbs, option));
  return lines;
}

// A pattern of `verb option` for all options that take a value, which is no positional argument.
std::string BashValued(const std::vector<VerbModel>& verbs) {
  std::vector<std::string> patterns;
  for (const VerbModel& verb : verbs)
    for (const OptionModel& option : verb.options)
      for (const std::string& name : option.names)
        if (!option.positional && !option.value.empty()) patterns.push_back(fmt::format("'{} {}'", verb.name, name));
  return fmt::format("{}", fmt::join(patterns, "|"));
}

// Lines of a `case "$verb"`: its options, and what the positional argument at `place` may be.
std::string BashVerbs(const std::vector<VerbModel>& verbs) {
  std::string lines;
  for (const VerbModel& verb : verbs) {
    lines += fmt::format("    '{}')\n      words='{}'\n", verb.name, OptionNames(verb));
    int place = 0;
    for (const OptionModel& option : verb.options)
      if (option.positional)
        lines += fmt::format("      [[ $place -{} {} ]] && reply=($(compgen {} -- \"$current\"))\n",
                             option.repeated ? "ge" : "eq", place++, BashSource(verbs, option));
    lines += "      ;;\n";
  }
  return lines;
}

// For each group a step that makes the word after its name part of the verb.
std::string BashGroups(const std::vector<VerbModel>& verbs) {
  std::string lines;
  for (const auto& [group, members] : Groups(verbs))
    lines += fmt::format(R"(  if [[ $verb == '{0}' ]]; then
    if [[ $COMP_CWORD -eq {2} ]]; then
      COMPREPLY=($(compgen -W '{1} --help' -- "$current"))
      return
    fi
    verb="{0} ${{COMP_WORDS[{2}]}}" first={3}
  fi
)",
                         group, Texts(members), DepthOf(group) + 1, DepthOf(group) + 2);
  return lines;
}

std::string Bash(const std::vector<VerbModel>& verbs) {
  return fmt::format(R"(# bash completion of deconvoy; put it into ~/.local/share/bash-completion/completions/deconvoy
_deconvoy() {{
  local current=${{COMP_WORDS[COMP_CWORD]}} previous=${{COMP_WORDS[COMP_CWORD-1]}} verb=${{COMP_WORDS[1]}}
  local words='' first=2 place=0 i
  local -a reply=()
  [[ $previous == = ]] && previous=${{COMP_WORDS[COMP_CWORD-2]}}
  [[ $current == = ]] && current=''
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W '{} --help --version' -- "$current"))
    return
  fi
{}  case "$verb $previous" in
{}  esac
  _deconvoy_place "$verb" $first
  case "$verb" in
{}  esac
  if [[ $current == -* ]]; then
    COMPREPLY=($(compgen -W "$words" -- "$current"))
  else
    COMPREPLY=("${{reply[@]}}")
  fi
}}
# Sets `place` to the number of positional arguments from word $2 to the cursor. The shell cuts words at =, : and @.
_deconvoy_place() {{
  for ((i = $2; i < COMP_CWORD; i++)); do
    case "$1 ${{COMP_WORDS[i]}}" in
      {}) ((i++)); [[ ${{COMP_WORDS[i]}} == = ]] && ((i++)) ;;
      "$1 "[=:@]) ((i++)) ;;
      "$1 "-*) ;;
      *) ((place++)) ;;
    esac
  done
}}
complete -o filenames -F _deconvoy deconvoy
)",
                     Texts(FirstWords(verbs)), BashGroups(verbs), BashValues(verbs), BashVerbs(verbs),
                     BashValued(verbs));
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
    action = NamesOf(option.value) != nullptr ? fmt::format(":name:{{compadd $({}){}}}", Quoted(NamesOf(option.value)),
                                                            option.takes_file() ? "; _files" : "")
             : option.takes_file()            ? ":file:_files"
                                              : fmt::format(":{}:", ZshText(option.value));
  if (option.positional) return fmt::format("'{}{}'", option.repeated ? "*" : "", action);
  return fmt::format("'*{}[{}]{}'", name, ZshText(option.meaning), action);
}

// Lines of an array of words and what they are about.
std::string ZshWords(const std::vector<Word>& words) {
  std::string lines;
  for (const Word& word : words) lines += fmt::format("    '{}:{}'\n", word.text, ZshText(word.about));
  return lines;
}

// For each group a step that makes the word after its name part of the verb.
std::string ZshGroups(const std::vector<VerbModel>& verbs) {
  std::string lines;
  for (const auto& [group, members] : Groups(verbs))
    lines += fmt::format(R"(  if [[ $verb == '{0}' ]]; then
    verbs=(
{1}    )
    if (( CURRENT == 2 )); then
      _describe 'command' verbs
      return
    fi
    verb="{0} $words[2]"
    shift words
    (( CURRENT-- ))
  fi
)",
                         group, ZshWords(members));
  return lines;
}

std::string Zsh(const std::vector<VerbModel>& verbs) {
  std::string cases;
  for (const VerbModel& verb : verbs) {
    std::string arguments;
    for (const OptionModel& option : verb.options)
      for (const std::string& name : option.names) arguments += " \\\n        " + ZshArgument(option, name);
    cases += fmt::format("    '{}')\n      _arguments{} ;;\n", verb.name, arguments);
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
{}  case $verb in
{}  esac
}}
compdef _deconvoy deconvoy
)",
                     ZshWords(FirstWords(verbs)), ZshGroups(verbs), cases);
}

// Whether all words of a verb or group are on the command line.
std::string FishSeen(const std::string& name) {
  std::string condition;
  for (size_t begin = 0; begin < name.size();) {
    const size_t end = std::min(name.find(' ', begin), name.size());
    condition +=
        fmt::format("{}__fish_seen_subcommand_from {}", begin == 0 ? "" : "; and ", name.substr(begin, end - begin));
    begin = end + 1;
  }
  return condition;
}

std::string FishOption(const VerbModel& verb, const OptionModel& option) {
  std::string line = fmt::format("complete -c deconvoy -n '{}'", FishSeen(verb.name));
  for (const std::string& name : option.names)
    line += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
  if (!option.choices.empty())
    line += fmt::format(" -x -a '{}'", fmt::join(option.choices, " "));
  else if (!option.value.empty())
    line += option.takes_file() ? " -r -F" : " -x";
  if (option.takes_file() && NamesOf(option.value) != nullptr)
    line += fmt::format(" -a '({})'", Quoted(NamesOf(option.value)));
  return line + fmt::format(" -d '{}'\n", Quoted(option.meaning));
}

// What the positional arguments of a verb may be; files are the shell's own default.
std::string FishPositionals(const std::vector<VerbModel>& verbs, const VerbModel& verb) {
  std::string line = fmt::format("complete -c deconvoy -n '{}' -f", FishSeen(verb.name));
  for (const OptionModel& option : verb.options) {
    if (!option.positional) continue;
    if (option.takes_file()) return "";
    if (!option.choices.empty()) line += fmt::format(" -a '{}'", fmt::join(option.choices, " "));
    if (const char* names = NamesOf(option.value)) line += fmt::format(" -a '({})'", Quoted(names));
    if (option.value == "COMMAND") line += fmt::format(" -a '{}'", Texts(FirstWords(verbs)));
  }
  return line + "\n";
}

std::string Fish(const std::vector<VerbModel>& verbs) {
  std::string text = "# fish completion of deconvoy; put it into ~/.config/fish/completions/deconvoy.fish\n";
  for (const Word& word : FirstWords(verbs))
    text +=
        fmt::format("complete -c deconvoy -n __fish_use_subcommand -f -a {} -d '{}'\n", word.text, Quoted(word.about));
  for (const auto& [group, members] : Groups(verbs))
    for (const Word& word : members)
      text += fmt::format("complete -c deconvoy -n '{}; and not __fish_seen_subcommand_from {}' -f -a {} -d '{}'\n",
                          FishSeen(group), Texts(members), word.text, Quoted(word.about));
  for (const VerbModel& verb : verbs) {
    text += FishPositionals(verbs, verb);
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
