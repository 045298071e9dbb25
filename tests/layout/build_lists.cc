#include "tests/layout/build_lists.h"

#include <map>
#include <regex>
#include <sstream>

namespace deconvoy::layout {
namespace {

std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  for (size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string WithVariables(std::string text) {
  static const std::regex kSet(R"(\bset\(\s*(\w+)([^)]*)\))");
  std::map<std::string, std::string> values;
  for (auto at = std::sregex_iterator(text.begin(), text.end(), kSet); at != std::sregex_iterator(); ++at) {
    values[(*at)[1]] = (*at)[2];
  }
  for (const auto& [name, value] : values) text = Replaced(std::move(text), "${" + name + "}", value);
  return text;
}

std::string WithLoops(std::string text) {
  static const std::regex kLoop(R"(foreach\(\s*(\w+)\s+(?:IN\s+(?:ITEMS|LISTS)\s+)?([^)]*)\)([^]*?)endforeach\(\))");
  std::smatch loop;
  while (std::regex_search(text, loop, kLoop)) {
    std::istringstream items(loop[2].str());
    std::string body;
    for (std::string item; items >> item;) body += Replaced(loop[3], "${" + loop[1].str() + "}", item);
    text = loop.prefix().str() + body + loop.suffix().str();
  }
  return text;
}

}  // namespace

std::string Expand(std::string_view text) {
  static const std::regex kComment("#[^\n]*");
  return WithLoops(WithVariables(std::regex_replace(std::string(text), kComment, "")));
}

std::set<std::string> NamedIn(const std::string& expanded, const std::string& command) {
  std::set<std::string> names;
  const std::regex call(command.empty() ? R"(\w+\(([^)]*)\))" : R"(\b)" + command + R"(\(([^)]*)\))");
  for (auto at = std::sregex_iterator(expanded.begin(), expanded.end(), call); at != std::sregex_iterator(); ++at) {
    std::istringstream words((*at)[1].str());
    for (std::string word; words >> word;) names.insert(word);
  }
  return names;
}

}  // namespace deconvoy::layout
