#include "client/cli/secret.h"

#include <poll.h>
#include <termios.h>
#include <unistd.h>

#include <iostream>

#include "client/cli/outcome.h"
#include "proto/contract/error.h"

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

// Waits until there is a line, or its end, to read; false when stop is requested before.
bool WaitForInput(const std::stop_token& stop) {
  constexpr int kLookAroundMs = 100;
  pollfd input{.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
  while (!stop.stop_requested()) {
    if (poll(&input, 1, kLookAroundMs) != 0) return true;
  }
  return false;
}

}  // namespace

absl::StatusOr<std::string> ReadSecret(const std::string& prompt, const std::stop_token& stop) {
  const Silence silence;
  if (silence.terminal()) std::cerr << prompt << std::flush;
  std::string line;
  const bool comes = WaitForInput(stop);
  if (comes) std::getline(std::cin, line);
  if (silence.terminal()) std::cerr << std::endl;
  if (!comes) return MakeError({.reason = v1::CANCELLED_BY_USER}, "stopped on request");
  while (!line.empty() && line.back() == '\r') line.pop_back();
  if (!line.empty()) return line;
  return UsageError("no token came on standard input", "Type it, give it with --token-file, or set $DECONVOY_TOKEN.");
}

}  // namespace deconvoy::client
