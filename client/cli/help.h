// The help texts of the parser: options with meaning, choices and default, wrapped to the terminal.
#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace deconvoy::client {

class HelpFormatter : public CLI::Formatter {
 public:
  // Lines are at most `columns` wide, and at most 100.
  explicit HelpFormatter(int columns);

  std::string make_option(const CLI::Option* option, bool is_positional) const override;

 private:
  const size_t width_;
};

}  // namespace deconvoy::client
