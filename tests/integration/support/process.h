// Child processes for integration tests: the built programs, started as a user would.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace deconvoy::testing {

// How a process ended.
struct Exit {
  int code = -1;   // exit code, or -1 when ended by a signal
  int signal = 0;  // 0 when it exited
};

// A running program. Its output goes to files in `folder`. Killed and reaped by the destructor.
class Process {
 public:
  struct Options {
    std::map<std::string, std::string> environment;  // added to the test's own
    std::filesystem::path folder;                    // for `<label>.out` and `<label>.err`; must exist
    std::string label = "process";
  };
  // Starts `program` (of ProgramDir() unless absolute) in a process group of its own.
  Process(const std::string& program, const std::vector<std::string>& arguments, const Options& options);
  ~Process();
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  pid_t pid() const { return pid_; }
  bool Running();
  void Signal(int number) const;
  // Waits for the end; nothing when it takes longer.
  std::optional<Exit> Wait(std::chrono::seconds limit);
  // SIGKILL and reap.
  void Kill();

  std::string Output() const;  // standard output so far
  std::string Errors() const;  // standard error so far

 private:
  pid_t pid_ = -1;
  std::optional<Exit> exit_;
  std::filesystem::path out_, err_;
};

// Where all programs of one test program keep transform plans, so that equal work gives equal bits.
const std::filesystem::path& PlanCache();

// Runs `deconvoy` with `arguments` to its end.
struct CliResult {
  Exit exit;
  std::string out, err;
};
CliResult RunCli(const std::vector<std::string>& arguments, const std::filesystem::path& folder,
                 const std::map<std::string, std::string>& environment = {},
                 std::chrono::seconds limit = std::chrono::seconds(240));

// Polls until `condition` holds or the limit passes; the condition's last value.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::seconds limit = std::chrono::seconds(30));

// Pids of live processes (no zombies) whose command line contains `text`.
std::vector<pid_t> ProcessesNaming(const std::string& text);

// Peak resident memory of a live process in bytes (VmHWM).
int64_t PeakResidentBytes(pid_t pid);

std::string ReadText(const std::filesystem::path& path);

}  // namespace deconvoy::testing

#include <thread>

template <typename Condition>
bool deconvoy::testing::Eventually(Condition condition, std::chrono::seconds limit) {
  const auto end = std::chrono::steady_clock::now() + limit;
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}
