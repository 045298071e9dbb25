#include "client/cli/help.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <sstream>
#include <vector>

#include "client/cli/option_model.h"

namespace deconvoy::client {
namespace {

constexpr size_t kMeaningColumn = 30;
constexpr size_t kWidest = 100;

std::string Head(const OptionModel& option) {
  std::string head = fmt::format("  {}", fmt::join(option.names, ", "));
  if (!option.positional && !option.value.empty()) head += " " + option.value;
  return head;
}

std::string Meaning(const OptionModel& option) {
  std::string text = option.meaning;
  if (!option.choices.empty()) text += fmt::format(" ({})", fmt::join(option.choices, ", "));
  if (!option.fallback.empty()) text += fmt::format(" [{}]", option.fallback);
  if (option.required) text += " (required)";
  return text;
}

std::vector<std::string> Wrap(const std::string& text, size_t width) {
  std::vector<std::string> lines(1);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
  }
  return lines;
}

}  // namespace

HelpFormatter::HelpFormatter(int columns)
    : width_(std::clamp(static_cast<size_t>(std::max(columns, 0)), kMeaningColumn + 34, kWidest)) {
  column_width(kMeaningColumn);
}

std::string HelpFormatter::make_option(const CLI::Option* option, bool /*is_positional*/) const {
  const OptionModel model = ModelOf(*option);
  std::string text = Head(model);
  const std::string indent(kMeaningColumn, ' ');
  bool beside = text.size() + 2 <= kMeaningColumn;
  for (const std::string& line : Wrap(Meaning(model), width_ - kMeaningColumn)) {
    text += beside ? indent.substr(text.size()) + line : "\n" + indent + line;
    beside = false;
  }
  return text + "\n";
}

}  // namespace deconvoy::client
