#include "client/cli/interrupt.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <thread>

#include "client/cli/outcome.h"

namespace deconvoy::client {
namespace {

void WaitForSignals(const sigset_t& signals, std::stop_source stop) {
  int number = 0;
  sigwait(&signals, &number);
  stop.request_stop();
  sigwait(&signals, &number);
  _exit(static_cast<int>(ExitCode::kCancelled));
}

std::stop_token Start() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::stop_source stop;
  std::thread(WaitForSignals, signals, stop).detach();
  return stop.get_token();
}

}  // namespace

std::stop_token TakeInterrupts() {
  static const std::stop_token token = Start();
  return token;
}

}  // namespace deconvoy::client
