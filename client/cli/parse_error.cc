#include "client/cli/parse_error.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <string_view>
#include <vector>

#include "client/cli/option_model.h"
#include "client/cli/outcome.h"
#include "proto/contract/error.h"

namespace deconvoy::client {
namespace {

// The verb on the command line, or the group that it is to be of, or the program itself.
const CLI::App& Chosen(const CLI::App& root) {
  const CLI::App* chosen = &root;
  while (!chosen->get_subcommands().empty()) chosen = chosen->get_subcommands().front();
  return *chosen;
}

// `psf generate`; empty for the program itself.
std::string PathOf(const CLI::App& app) {
  if (app.get_parent() == nullptr) return "";
  const std::string before = PathOf(*app.get_parent());
  return before.empty() ? app.get_name() : before + " " + app.get_name();
}

// With a blank behind it, unless it is empty.
std::string Before(const std::string& path) {
  return path.empty() ? path : path + " ";
}

std::vector<std::string> OptionNames(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options())
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  return names;
}

std::vector<std::string> VerbNames(const CLI::App& root) {
  std::vector<std::string> names;
  for (const CLI::App* verb : root.get_subcommands({}))
    if (!verb->get_group().empty()) names.push_back(verb->get_name());
  return names;
}

std::string SeeHelpOf(const CLI::App& app) {
  return fmt::format("See `deconvoy {}--help`.", Before(PathOf(app)));
}

std::string See(const CLI::App& root) {
  return SeeHelpOf(Chosen(root));
}

std::string NameOf(const std::string& argument) {
  return argument.substr(0, argument.find('='));
}

absl::Status Unknown(const CLI::App& root, const std::string& argument, const std::vector<std::string>& known,
                     std::string_view kind) {
  const std::string nearest = Nearest(NameOf(argument), known);
  return UsageError(fmt::format("unknown {} '{}'", kind, Printable(argument)),
                    nearest.empty() ? See(root) : fmt::format("Did you mean `{}`? {}", nearest, See(root)));
}

bool IsOption(const std::string& argument) {
  return argument.starts_with("-");
}

// `early` came after `app`, the program or a group, but before the verb, where no option is taken but --help and
// --version.
absl::Status BeforeTheVerb(const CLI::App& root, const CLI::App& app, const std::vector<std::string>& early) {
  const CLI::App& verb = Chosen(root);
  const std::string& first = early.front();
  if (!IsOption(first)) return UnknownCommand(app, first);
  const auto names = OptionNames(verb);
  if (std::find(names.begin(), names.end(), NameOf(first)) == names.end())
    return Unknown(root, first, names, fmt::format("option of `{}`", PathOf(verb)));
  return UsageError(fmt::format("the option '{}' stands before the command", Printable(first)),
                    fmt::format("Options come after it: deconvoy {} {}", PathOf(verb), NameOf(first)));
}

std::optional<absl::Status> AboutTheRest(const CLI::App& root) {
  const CLI::App& chosen = Chosen(root);
  const auto rest = chosen.remaining(false);
  const bool has_verbs = !chosen.get_subcommands({}).empty();
  if (has_verbs && !rest.empty())
    return IsOption(rest.front()) ? Unknown(root, rest.front(), OptionNames(chosen), "option")
                                  : UnknownCommand(chosen, rest.front());
  for (const CLI::App* app = chosen.get_parent(); app != nullptr; app = app->get_parent())
    if (const auto early = app->remaining(false); !early.empty()) return BeforeTheVerb(root, *app, early);
  for (const std::string& argument : rest)
    if (IsOption(argument)) return Unknown(root, argument, OptionNames(chosen), "option");
  if (!rest.empty()) return Unknown(root, rest.front(), {}, "argument");
  return std::nullopt;
}

// The option that the parser complains of: the one named first, which is the longest of those that start there.
const CLI::Option* Named(const CLI::App& verb, const std::string& complaint) {
  const CLI::Option* found = nullptr;
  size_t first = std::string::npos, length = 0;
  for (const CLI::Option* option : verb.get_options()) {
    const std::string name = option->get_name();
    const size_t at = complaint.find(name);
    if (at == std::string::npos || at > first || (at == first && name.size() < length)) continue;
    found = option;
    first = at;
    length = name.size();
  }
  return found;
}

std::string Form(const CLI::Option& option) {
  const OptionModel model = ModelOf(option);
  if (model.positional || model.value.empty()) return model.names.back();
  return model.names.back() + " " + model.value;
}

// "a number from 1 to 9" for the bounds that the parser's words end with, `... not in range 1 to 9`.
std::optional<std::string> Bounds(const CLI::Option& option, std::string_view complaint) {
  constexpr std::string_view kMark = " not in range ", kTo = " to ";
  const size_t mark = complaint.find(kMark);
  if (mark == std::string_view::npos) return std::nullopt;
  const std::string_view bounds = complaint.substr(mark + kMark.size());
  const size_t to = bounds.find(kTo);
  if (to == std::string_view::npos) return std::nullopt;
  if (option.get_type_name().find("POSITIVE") != std::string::npos) return "a number above 0";
  if (option.get_type_name().find("NONNEGATIVE") != std::string::npos) return "a number of at least 0";
  return fmt::format("a number from {} to {}", bounds.substr(0, to), bounds.substr(to + kTo.size()));
}

absl::Status BadValue(const CLI::App& root, const CLI::Option& option, const std::string& complaint) {
  const OptionModel model = ModelOf(option);
  const std::string value = Printable(option.results().empty() ? std::string() : option.results().back());
  const std::string what = fmt::format("{} '{}' is ", model.names.back(), value);
  if (!model.choices.empty()) {
    const std::string nearest = Nearest(value, model.choices);
    return UsageError(fmt::format("{}none of {}", what, fmt::join(model.choices, ", ")),
                      nearest.empty() ? See(root) : fmt::format("Did you mean `{}`? {}", nearest, See(root)));
  }
  if (const auto bounds = Bounds(option, complaint)) return UsageError(what + "not " + *bounds, See(root));
  // What our own checks said, after the name that the parser puts before it.
  if (const std::string head = option.get_name() + ": "; complaint.starts_with(head))
    return UsageError(fmt::format("{}: {}", model.names.back(), Printable(complaint.substr(head.size()))), See(root));
  return UsageError(fmt::format("{}not {}", what, model.value == "N" ? "a whole number" : "a number"), See(root));
}

absl::Status Missing(const CLI::App& root) {
  std::vector<std::string> missing;
  for (const CLI::Option* option : Chosen(root).get_options())
    if (option->get_required() && option->count() == 0) missing.push_back(Form(*option));
  return UsageError(fmt::format("{} {} missing", fmt::join(missing, " and "), missing.size() == 1 ? "is" : "are"),
                    See(root));
}

// Both options of an exclusion are on the command line.
absl::Status Exclusion(const CLI::App& root, const std::string& complaint) {
  constexpr std::string_view kMark = " excludes ";
  const size_t mark = complaint.find(kMark);
  return UsageError(
      fmt::format("{} and {} exclude each other", complaint.substr(0, mark), complaint.substr(mark + kMark.size())),
      fmt::format("Leave one out. {}", See(root)));
}

}  // namespace

absl::Status UnknownCommand(const CLI::App& app, const std::string& name) {
  const std::string nearest = Nearest(name, VerbNames(app)), before = Before(PathOf(app)), see = SeeHelpOf(app);
  return UsageError(fmt::format("unknown command '{}{}'", before, Printable(name)),
                    nearest.empty() ? see : fmt::format("Did you mean `{}{}`? {}", before, nearest, see));
}

absl::Status ToStatus(const CLI::App& root, const CLI::ParseError& error) {
  if (const auto status = AboutTheRest(root)) return *status;
  const CLI::App& chosen = Chosen(root);
  if (&chosen == &root) return UsageError("no command is given", See(root));
  const std::string complaint = error.what(), kind = error.get_name();
  if (kind == "RequiredError") return Missing(root);
  if (kind == "ExcludesError") return Exclusion(root, complaint);
  const CLI::Option* option = Named(chosen, complaint);
  if (option == nullptr) return UsageError("the command line is wrong: " + Printable(complaint), See(root));
  if (kind == "ArgumentMismatch") return UsageError(fmt::format("{} needs one value, once", Form(*option)), See(root));
  return BadValue(root, *option, complaint);
}

}  // namespace deconvoy::client
