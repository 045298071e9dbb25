// Where a command writes, and how much it says.
#pragma once

#include <nlohmann/json.hpp>
#include <ostream>
#include <string_view>

namespace deconvoy::client {

// Results go to `out`, progress, notes and errors to `err`. With `json` every line on `out` is one JSON object.
struct Console {
  std::ostream& out;
  std::ostream& err;
  bool err_is_terminal = false;
  int columns = 80;    // of the terminal
  bool json = false;   // for programs
  bool quiet = false;  // errors and what was asked for only

  void Json(const nlohmann::json& line) const;
  // A line for people on `out`; nothing with `json` or `quiet`.
  void Say(std::string_view line) const;
  // The same on `err`: what helps a person, but is no result.
  void Remark(std::string_view line) const;
};

// Standard output and error of this process.
Console StandardConsole();

}  // namespace deconvoy::client
