#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

// The parser keeps choices in the text of the value's type: `TEXT:{f32,u16}`.
std::vector<std::string> Choices(const std::string& type) {
  std::vector<std::string> choices;
  const size_t open = type.find('{'), close = type.rfind('}');
  if (open == std::string::npos || close == std::string::npos) return choices;
  std::string word;
  for (size_t i = open + 1; i <= close; ++i) {
    if (type[i] != ',' && i != close) {
      word += type[i];
      continue;
    }
    choices.push_back(word);
    word.clear();
  }
  return choices;
}

std::string Trimmed(const std::string& text) {
  const size_t first = text.find_first_not_of('\n');
  return first == std::string::npos ? "" : text.substr(first);
}

}  // namespace

OptionModel ModelOf(const CLI::Option& option) {
  OptionModel model;
  for (const std::string& name : option.get_snames()) model.names.push_back("-" + name);
  for (const std::string& name : option.get_lnames()) model.names.push_back("--" + name);
  model.positional = model.names.empty();
  if (model.positional) model.names.push_back(option.get_name());
  model.meaning = option.get_description();
  model.required = option.get_required();
  model.group = option.get_group();
  if (option.get_expected_max() == 0 || option.get_type_size_max() == 0) return model;
  const std::string type = option.get_type_name();
  model.choices = Choices(type);
  model.repeated = option.get_items_expected_max() > 1;
  model.value = model.choices.empty() ? type.substr(0, type.find(':')) : "NAME";
  model.fallback = option.get_default_str();
  return model;
}

std::vector<VerbModel> ModelOf(const CLI::App& root) {
  std::vector<VerbModel> verbs;
  for (const CLI::App* verb : root.get_subcommands({})) {
    if (verb->get_group().empty()) continue;
    std::vector<VerbModel> members = ModelOf(*verb);
    for (VerbModel& member : members) {
      member.name = verb->get_name() + " " + member.name;
      member.groups.insert(member.groups.begin(), {verb->get_name(), verb->get_description()});
      verbs.push_back(std::move(member));
    }
    if (!members.empty()) continue;
    VerbModel model{.name = verb->get_name(),
                    .about = verb->get_description(),
                    .examples = Trimmed(verb->get_footer()),
                    .options = {}};
    for (const CLI::Option* option : verb->get_options()) model.options.push_back(ModelOf(*option));
    verbs.push_back(std::move(model));
  }
  return verbs;
}

}  // namespace deconvoy::client
