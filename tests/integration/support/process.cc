#include "tests/integration/support/process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "tests/support/test_support.h"

namespace deconvoy::testing {
namespace fs = std::filesystem;

namespace {

Exit ToExit(int status, const rusage& used) {
  const int64_t peak = int64_t{used.ru_maxrss} * 1024;
  if (WIFEXITED(status)) return {WEXITSTATUS(status), 0, peak};
  return {-1, WTERMSIG(status), peak};
}

void Redirect(const fs::path& path, int flags, int target) {
  const int fd = open(path.c_str(), flags, 0600);
  if (fd < 0 || dup2(fd, target) < 0) _exit(126);
  close(fd);
}

}  // namespace

bool Sanitized() {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  return true;
#else
  return false;
#endif
}

int Slowness() {
  const char* text = std::getenv("DECONVOY_TEST_SLOWNESS");
  if (text != nullptr) return std::max(1, std::atoi(text));
  return Sanitized() ? 20 : 1;
}

std::string ReadText(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

Process::Process(const std::string& program, const std::vector<std::string>& arguments, const Options& options)
    : out_(options.folder / (options.label + ".out")), err_(options.folder / (options.label + ".err")) {
  const std::string path = program.starts_with('/') ? program : (ProgramDir() / program).string();
  std::vector<std::string> words = {path};
  words.insert(words.end(), arguments.begin(), arguments.end());
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ != 0) return;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setpgid(0, 0);
  for (const auto& [name, value] : options.environment) setenv(name.c_str(), value.c_str(), 1);
  constexpr int kAppend = O_WRONLY | O_CREAT | O_APPEND;
  Redirect(options.input, O_RDONLY, STDIN_FILENO);
  Redirect(out_, kAppend, STDOUT_FILENO);
  Redirect(err_, kAppend, STDERR_FILENO);
  execv(path.c_str(), argv.data());
  _exit(127);
}

Process::~Process() {
  Kill();
}

bool Process::Running() {
  return !Wait(std::chrono::seconds(0)).has_value();
}

void Process::Signal(int number) const {
  if (!exit_) kill(pid_, number);
}

std::optional<Exit> Process::Wait(std::chrono::seconds limit) {
  Eventually(
      [this] {
        if (exit_) return true;
        int status = 0;
        rusage used{};
        if (wait4(pid_, &status, WNOHANG, &used) == pid_) exit_ = ToExit(status, used);
        return exit_.has_value();
      },
      limit);
  return exit_;
}

void Process::Kill() {
  if (exit_ || pid_ <= 0) return;
  kill(pid_, SIGKILL);
  int status = 0;
  rusage used{};
  wait4(pid_, &status, 0, &used);
  exit_ = ToExit(status, used);
}

std::string Process::Output() const {
  return ReadText(out_);
}
std::string Process::Errors() const {
  return ReadText(err_);
}

const fs::path& PlanCache() {
  static const TemporaryFolder folder;
  static const fs::path cache = folder.path() / "deconvoy";
  return cache;
}

CliResult RunCli(const std::vector<std::string>& arguments, const fs::path& folder,
                 const std::map<std::string, std::string>& environment, std::chrono::seconds limit) {
  static std::atomic<int> count = 0;
  Process::Options options{environment, folder, "cli-" + std::to_string(getpid()) + "-" + std::to_string(count++)};
  options.environment.try_emplace("XDG_CONFIG_HOME", (folder / "no-config").string());
  options.environment.try_emplace("XDG_CACHE_HOME", PlanCache().parent_path().string());
  Process process("deconvoy", arguments, options);
  const auto exit = process.Wait(limit);
  process.Kill();
  return {exit.value_or(Exit{-1, SIGKILL, 0}), process.Output(), process.Errors()};
}

nlohmann::json LastJson(const std::string& text) {
  const size_t end = text.find_last_not_of('\n');
  const size_t start = text.rfind('\n', end);
  return nlohmann::json::parse(text.substr(start == std::string::npos ? 0 : start + 1), nullptr, false);
}

std::vector<pid_t> ProcessesNaming(const std::string& text) {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    if (!std::isdigit(static_cast<unsigned char>(name[0]))) continue;
    if (ReadText(entry.path() / "cmdline").find(text) == std::string::npos) continue;
    if (ReadText(entry.path() / "status").find("State:\tZ") != std::string::npos) continue;
    if (const pid_t pid = std::stoi(name); pid != getpid()) found.push_back(pid);
  }
  return found;
}

int64_t PeakResidentBytes(pid_t pid) {
  const std::string status = ReadText("/proc/" + std::to_string(pid) + "/status");
  const auto at = status.find("VmHWM:");
  return at == std::string::npos ? 0 : std::atoll(status.c_str() + at + 6) * 1024;
}

}  // namespace deconvoy::testing
