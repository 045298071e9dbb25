// deconvoyd: the server of the deconvolution service.
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/status_macros.h"
#include "server/auth/permissions.h"
#include "server/auth/tls_files.h"
#include "server/config/command_line.h"
#include "server/config/named_folder.h"
#include "server/daemon.h"
#include "server/errand.h"
#include "server/first_admin.h"
#include "server/observe/audit.h"
#include "server/observe/logging.h"
#include "server/private_state.h"

namespace {

using namespace deconvoy;
using namespace deconvoy::server;

constexpr int kUsage = 2;
constexpr int kLeftAtOnce = 130;

int Fail(const absl::Status& status, int code) {
  const std::string remedy = InfoOf(status).remedy();
  std::fprintf(stderr, "deconvoyd: %s%s%s\n", Printable(std::string(status.message())).c_str(),
               remedy.empty() ? "" : "; ", remedy.c_str());
  return code;
}

// Memory of chunks that come and go is kept for the next ones, up to kKeptBytes in each of two pools that threads
// share; what is more goes back to the system.
void BoundMemory() {
  constexpr int kKeptBytes = 8 << 20;
  mallopt(M_ARENA_MAX, 2);
  mallopt(M_MMAP_THRESHOLD, 2 * static_cast<int>(limits::kChunkBytes));
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
  mallopt(M_TOP_PAD, kKeptBytes / 2);
}

sigset_t EndSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGINT);
  return signals;
}

// Before any thread starts, so that only WaitForSignal sees them.
void SetUpSignals() {
  const sigset_t signals = EndSignals();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGHUP, SIG_IGN);
}

int WaitForSignal() {
  const sigset_t signals = EndSignals();
  int number = 0;
  sigwait(&signals, &number);
  return number;
}

// Serves until the first signal; a second one during the stop leaves at once. `leave_nothing`, the state folder of a
// private server, is removed then too; it is empty for others.
int Serve(const ServerConfig& config, const std::filesystem::path& leave_nothing) {
  auto daemon = Daemon::Start(config, !leave_nothing.empty());
  if (!daemon.ok()) return Fail(daemon.status(), ExitCodeOf(daemon.status()));
  spdlog::info("{} received", sigabbrev_np(WaitForSignal()));
  std::thread([leave_nothing] {
    WaitForSignal();
    spdlog::warn("leaving at once");
    std::error_code ignored;
    if (!leave_nothing.empty()) std::filesystem::remove_all(leave_nothing, ignored);
    _exit(kLeftAtOnce);
  }).detach();
  (*daemon)->Stop();
  return 0;
}

int ServeOneCaller(ServerConfig config) {
  if (const absl::Status status = EndWithParent(); !status.ok()) return Fail(status, 3);
  const auto state = PrivateState::Claim(config.state_folder);
  if (!state.ok()) return Fail(state.status(), 3);
  config.state_folder = (*state)->folder();
  if (config.listen.empty()) config.listen = {"unix:" + ((*state)->folder() / "socket").string()};
  return Serve(config, (*state)->folder());
}

int Print(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

// What reading the configuration leaves open: whether certificate and key can be used. Of folders for files it is said
// only, as by a start, which serves without them.
absl::Status CheckFiles(const ServerConfig& config) {
  ASSIGN_OR_RETURN(const std::vector<NamedFolder> folders, FoldersForFiles(config));
  for (const NamedFolder& folder : folders) {
    const std::string why = WhyUnusable(folder);
    if (why.empty()) continue;
    std::fprintf(stderr, "deconvoyd: warning: %s, the folder for files \"%s\", cannot be used: %s\n",
                 Printable(folder.path.string()).c_str(), folder.name.c_str(), why.c_str());
  }
  if (config.tls_certificate.empty()) return absl::OkStatus();
  return ReadTlsFiles(config.tls_certificate, config.tls_key, config.tls_client_ca).status();
}

int Initialise(const Invocation& invocation) {
  const auto token = MakeFirstAdmin(invocation.config, invocation.token_file);
  if (!token.ok()) return Fail(token.status(), ExitCodeOf(token.status()));
  return invocation.token_file.empty() ? Print(*token + "\n") : 0;
}

}  // namespace

int main(int argc, char** argv) {
  BoundMemory();
  const auto invocation = ParseCommandLine(argc, argv);
  if (!invocation.ok()) return Fail(invocation.status(), kUsage);
  if (invocation->check_config) {
    if (const absl::Status status = CheckFiles(invocation->config); !status.ok()) return Fail(status, kUsage);
  }
  if (!invocation->answer.empty()) return Print(invocation->answer);
  if (invocation->print_permissions) return Print(PermissionsPage());
  if (invocation->errand != Errand::kServe) return RunErrand(*invocation);
  SetUpSignals();
  SetUpLogging(invocation->config.log_level);
  if (const std::string& file = invocation->config.audit_file; !file.empty()) {
    if (const absl::Status status = SetUpAudit(file); !status.ok()) return Fail(status, kUsage);
  }
  if (invocation->init) return Initialise(*invocation);
  return invocation->local ? ServeOneCaller(invocation->config) : Serve(invocation->config, {});
}
