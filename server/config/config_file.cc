#include <fmt/format.h>
#include <toml++/toml.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/config/server_config.h"

namespace deconvoy::server {
namespace {

absl::Status Refuse(std::string_view where, std::string_view key, std::string_view what, std::string_view remedy = {}) {
  return MakeError({.reason = v1::INVALID_FIELD, .field = std::string(key), .remedy = std::string(remedy)},
                   fmt::format("{}: {}", Printable(where), what));
}

// A scalar or list of the file, assigned to the member of the same type.
struct Assign {
  const toml::node& node;
  ServerConfig& config;

  bool operator()(int64_t ServerConfig::*member) const {
    const auto* value = node.as_integer();
    if (value != nullptr) config.*member = value->get();
    return value != nullptr;
  }
  bool operator()(std::string ServerConfig::*member) const {
    const auto* value = node.as_string();
    if (value != nullptr) config.*member = value->get();
    return value != nullptr;
  }
  bool operator()(std::vector<std::string> ServerConfig::*member) const {
    const auto* list = node.as_array();
    if (list == nullptr || (!list->empty() && !list->is_homogeneous(toml::node_type::string))) return false;
    (config.*member).clear();
    for (const auto& item : *list) (config.*member).push_back(item.ref<std::string>());
    return true;
  }
};

std::string_view TypeText(const Key& key) {
  constexpr std::string_view kTypes[] = {"a whole number", "a text in quotes", "a list of texts in quotes"};
  return kTypes[key.member.index()];
}

std::string_view TableOf(std::string_view key) {
  const size_t dot = key.find('.');
  return dot == std::string_view::npos ? std::string_view{} : key.substr(0, dot);
}

// How a flag would be spelled as a setting: `state` of `--state`.
std::string FlagAsSetting(const Key& key) {
  std::string name(key.flag.substr(2));
  std::ranges::replace(name, '-', '_');
  return name;
}

// What to do about a setting or table that there is not: names the nearest, of a setting also by what its flag is
// called.
std::string HintFor(const std::string& name, bool is_table) {
  std::vector<std::string> spellings;
  std::map<std::string, std::string> meant;  // by each spelling
  const auto add = [&](const std::string& spelling, std::string_view what) {
    if (meant.try_emplace(spelling, what).second) spellings.push_back(spelling);
  };
  for (const Key& key : Keys()) {
    const std::string table(TableOf(key.name));
    if (!is_table) add(std::string(key.name), key.name);
    if (is_table && !table.empty()) add(table, fmt::format("[{}]", table));
  }
  for (const Key& key : Keys()) {
    if (!is_table) add(FlagAsSetting(key), key.name);
  }
  const std::string nearest = Nearest(name, spellings);
  return nearest.empty() ? "`deconvoyd --print-config` lists all settings"
                         : fmt::format("did you mean `{}`?", meant.at(nearest));
}

// Reads one file's table into a configuration.
class Reader {
 public:
  Reader(std::string_view file, ServerConfig base) : file_(file), config_(std::move(base)) {}

  absl::Status Read(const toml::table& table, const std::string& prefix) {
    for (const auto& [name, node] : table) {
      const std::string key = prefix + std::string(name.str());
      const std::string where = fmt::format("{}:{}", file_, name.source().begin.line);
      if (prefix.empty() && node.is_table() && IsTable(key)) {
        RETURN_IF_ERROR(Read(*node.as_table(), key + "."));
      } else {
        RETURN_IF_ERROR(ReadKey(key, node, where));
      }
    }
    return absl::OkStatus();
  }

  const ServerConfig& config() const { return config_; }

 private:
  static bool IsTable(std::string_view name) {
    for (const Key& key : Keys()) {
      if (TableOf(key.name) == name) return true;
    }
    return false;
  }

  absl::Status ReadKey(const std::string& name, const toml::node& node, const std::string& where) {
    for (const Key& key : Keys()) {
      if (key.name != name) continue;
      if (!std::visit(Assign{node, config_}, key.member)) {
        return Refuse(where, name, fmt::format("{} must be {}", name, TypeText(key)), key.meaning);
      }
      return CheckValue(key, config_, where);
    }
    return Refuse(where, name, fmt::format("there is no setting `{}`", Printable(name)),
                  HintFor(name, node.is_table()));
  }

  const std::string file_;
  ServerConfig config_;
};

std::string Format(const toml::node& node) {
  std::ostringstream out;
  out << toml::toml_formatter{node, toml::toml_formatter::default_flags & ~toml::format_flags::allow_literal_strings};
  return out.str();
}

}  // namespace

absl::StatusOr<ServerConfig> ParseConfig(std::string_view text, std::string_view name, const ServerConfig& base) {
  Reader reader(name, base);
  try {
    RETURN_IF_ERROR(reader.Read(toml::parse(text, name), ""));
  } catch (const toml::parse_error& error) {
    return Refuse(fmt::format("{}:{}", name, error.source().begin.line), "",
                  fmt::format("not valid TOML: {}", Printable(error.description())));
  }
  return reader.config();
}

absl::StatusOr<ServerConfig> LoadConfig(const std::filesystem::path& file, const ServerConfig& base) {
  std::error_code ignored;
  std::ifstream in(file, std::ios::binary);
  if (!in || std::filesystem::is_directory(file, ignored)) {
    return Refuse(file.string(), "", "cannot read the configuration file", "give a file that exists and is readable");
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return ParseConfig(text, file.string(), base);
}

std::string ValueText(const Key& key, const ServerConfig& config) {
  if (const auto* number = std::get_if<int64_t ServerConfig::*>(&key.member)) return fmt::format("{}", config.**number);
  if (const auto* text = std::get_if<std::string ServerConfig::*>(&key.member)) {
    return Format(toml::value<std::string>(config.**text));
  }
  toml::array list;
  for (const auto& item : config.*std::get<std::vector<std::string> ServerConfig::*>(key.member)) list.push_back(item);
  return Format(list);
}

std::string ToToml(const ServerConfig& config) {
  std::string out = "# Settings of deconvoyd. Flags of the same meaning win over this file.\n";
  std::string_view table;
  for (const Key& key : Keys()) {
    if (TableOf(key.name) != table) {
      table = TableOf(key.name);
      out += fmt::format("\n[{}]\n", table);
    } else {
      out += "\n";
    }
    const std::string range = RangeText(key);
    out += fmt::format("# {}{}\n", key.meaning, range.empty() ? "" : fmt::format(" ({})", range));
    out +=
        fmt::format("{} = {}\n", table.empty() ? key.name : key.name.substr(table.size() + 1), ValueText(key, config));
  }
  return out;
}

}  // namespace deconvoy::server
