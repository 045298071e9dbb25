// The reference page of the command line, made from the parser.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

constexpr char kHead[] = R"(# Command line

Made by `deconvoy help-markdown`; do not edit.

Order is Z,Y,X everywhere, lengths are in micrometres, counts are what the camera gave. Errors go to standard error as
`deconvoy: what is wrong.` and a line on what to do. Options come after the command;
`deconvoy help COMMAND` and `deconvoy COMMAND --help` print its help, `deconvoy --version` the version.

| exit code | means |
|---|---|
| 0 | ok |
| 2 | wrong command line: an unknown command, option, method or parameter, or a value that it does not take |
| 3 | invalid input: a file, a stack or what is in it; a job that does not exist |
| 4 | server not reached |
| 5 | job failed |
| 6 | cancelled |
| 7 | refused: no room, no permission, or not in this state |

Commands that compute use the server of `--server`, else of `$DECONVOY_SERVER`, else of `server = "localhost:7450"` in
`~/.config/deconvoy/client.toml`, else (or with `--local`) a private one that lasts as long as the command. Its data
lie in a temporary folder under `$DECONVOY_SCRATCH`, else `$TMPDIR`, else `/var/tmp`. Calls to other machines are
encrypted always. A server that asks who you are is told by the token of `--token-file`, else of `$DECONVOY_TOKEN`,
else by the one that `deconvoy login` has kept for this address.

A file that is written replaces one of the same name at once when it is complete; until then, and after an error, the old
one stays as it was.
)";

std::string Cell(const std::string& text) {
  std::string cell;
  for (const char c : text) {
    if (c == '|') cell += '\\';
    cell += c;
  }
  return cell;
}

std::string NamesCell(const OptionModel& option) {
  std::string text;
  for (const std::string& name : option.names) text += (text.empty() ? "`" : ", `") + name + "`";
  if (!option.value.empty() && !option.positional) text += " " + option.value;
  return Cell(text);
}

std::string MeaningCell(const OptionModel& option) {
  std::string text = option.meaning;
  if (!option.choices.empty()) text += fmt::format(" ({})", fmt::join(option.choices, ", "));
  if (option.required) text += " (required)";
  return Cell(text);
}

std::string Usage(const VerbModel& verb) {
  std::string text = "deconvoy " + verb.name;
  for (const OptionModel& option : verb.options)
    if (option.positional) text += option.required ? " " + option.names.front() : " [" + option.names.front() + "]";
  return text + " [OPTIONS]";
}

std::string Section(const VerbModel& verb) {
  std::string text = fmt::format("\n## {}\n\n{}\n\n```\n{}\n```\n\n", verb.name, verb.about, Usage(verb));
  text += "| option | meaning | default |\n|---|---|---|\n";
  for (const OptionModel& option : verb.options)
    text += fmt::format("| {} | {} | {} |\n", NamesCell(option), MeaningCell(option),
                        option.fallback.empty() ? "" : "`" + option.fallback + "`");
  return text + fmt::format("\n```\n{}\n```\n", verb.examples);
}

}  // namespace

std::string MarkdownPage(const std::vector<VerbModel>& verbs) {
  std::string page = kHead;
  for (const VerbModel& verb : verbs) page += Section(verb);
  return page;
}

}  // namespace deconvoy::client
