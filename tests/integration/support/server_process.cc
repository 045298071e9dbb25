#include "tests/integration/support/server_process.h"

#include <signal.h>

#include <fstream>

namespace deconvoy::testing {

ServerProcess::ServerProcess(std::filesystem::path folder, int workers, Door door)
    : folder_(std::move(folder)), workers_(workers), door_(door) {}

std::string ServerProcess::address() const {
  if (door_ == Door::kUnixSocket) return "unix:" + (folder_ / "s").string();
  std::string chosen;
  std::ifstream(state() / "address") >> chosen;
  return chosen;
}

bool ServerProcess::Start(const std::map<std::string, std::string>& environment, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {
      "--state",        state().string(),         "--listen",         door_ == Door::kPort ? "127.0.0.1:0" : address(),
      "--workers",      std::to_string(workers_), "--worker-threads", "1",
      "--worker-cache", PlanCache().string(),     "--lease-ms",       std::to_string(3000 * Slowness())};
  arguments.insert(arguments.end(), more.begin(), more.end());
  std::filesystem::remove(state() / "address");
  process_ = std::make_unique<Process>(
      environment.contains("DECONVOY_CRASH_POINT") ? "deconvoyd-crashing" : "deconvoyd", arguments,
      Process::Options{environment, folder_, "server-" + std::to_string(++starts_)});
  Eventually([this] { return !process_->Running() || std::filesystem::exists(state() / "address"); });
  return process_->Running() && std::filesystem::exists(state() / "address");
}

std::optional<Exit> ServerProcess::Stop() {
  process_->Signal(SIGTERM);
  return process_->Wait(std::chrono::seconds(60));
}

CliResult ServerProcess::Cli(std::vector<std::string> arguments, std::chrono::seconds limit) const {
  arguments.insert(arguments.end(), {"--server", address()});
  return RunCli(arguments, folder_, {}, limit);
}

std::unique_ptr<Process> ServerProcess::StartWorker(const std::string& label, bool same_host,
                                                    const std::map<std::string, std::string>& environment,
                                                    const std::vector<std::string>& more) const {
  std::vector<std::string> arguments = {
      "--server",  address(), "--credential-file", (state() / "worker.credential").string(),
      "--threads", "1",       "--state",           PlanCache().string()};
  if (same_host) arguments.insert(arguments.end(), {"--spool", (state() / "spool").string()});
  arguments.insert(arguments.end(), more.begin(), more.end());
  const bool crashes = environment.contains("DECONVOY_WORKER_CRASH_POINT");
  return std::make_unique<Process>(crashes ? "deconvoy-worker-crashing" : "deconvoy-worker", arguments,
                                   Process::Options{environment, folder_, label});
}

}  // namespace deconvoy::testing
