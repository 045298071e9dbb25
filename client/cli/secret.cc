#include "client/cli/secret.h"

#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "client/cli/outcome.h"

namespace deconvoy::client {
namespace {

// Turns the terminal's echo off until the end of a scope; does nothing to what is no terminal.
class Silence {
 public:
  Silence() : terminal_(isatty(STDIN_FILENO) == 1 && tcgetattr(STDIN_FILENO, &before_) == 0) {
    if (!terminal_) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent);
  }
  ~Silence() {
    if (terminal_) tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  }
  Silence(const Silence&) = delete;
  Silence& operator=(const Silence&) = delete;

  bool terminal() const { return terminal_; }

 private:
  termios before_{};
  const bool terminal_;
};

}  // namespace

absl::StatusOr<std::string> ReadSecret(const std::string& prompt) {
  const Silence silence;
  if (silence.terminal()) std::cerr << prompt << std::flush;
  std::string line;
  std::getline(std::cin, line);
  if (silence.terminal()) std::cerr << std::endl;
  while (!line.empty() && line.back() == '\r') line.pop_back();
  if (!line.empty()) return line;
  return UsageError("no token came on standard input", "Type it, give it with --token-file, or set $DECONVOY_TOKEN.");
}

}  // namespace deconvoy::client
