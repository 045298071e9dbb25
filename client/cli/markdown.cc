// The reference page of the command line, made from the parser.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

constexpr char kHead[] = R"(# Command line

Made by `deconvoy help-markdown`; do not edit.

Order is Z,Y,X everywhere, lengths are in micrometres, counts are what the camera gave. Errors go to standard error as
`deconvoy: what is wrong.` and a line on what to do. Exit codes: 0 ok, 2 wrong command line, 3 invalid input, 4 server not
reached, 5 job failed, 6 cancelled, 7 refused.

Commands that compute use the server of `--server`, else of `$DECONVOY_SERVER`, else of `server = "host:port"` in
`~/.config/deconvoy/client.toml`, else (or with `--local`) a private one that lasts as long as the command. Its data lie in
a temporary folder under `$DECONVOY_SCRATCH`, else `$TMPDIR`, else `/var/tmp`.
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
