#include "client/cli/console.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <iostream>
#include <string>

namespace deconvoy::client {

void Console::Json(const nlohmann::json& line) const {
  out << line.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) << std::endl;
}

void Console::Say(std::string_view line) const {
  if (!json && !quiet) out << line << '\n';
}

void Console::Remark(std::string_view line) const {
  if (!json && !quiet) err << line << std::endl;
}

Console StandardConsole() {
  Console console{.out = std::cout, .err = std::cerr};
  const char* terminal = std::getenv("TERM");
  console.err_is_terminal = isatty(STDERR_FILENO) == 1 && (terminal == nullptr || std::string(terminal) != "dumb");
  winsize size{};
  if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) console.columns = size.ws_col;
  return console;
}

}  // namespace deconvoy::client
