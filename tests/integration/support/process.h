// Child processes for integration tests: the built programs, started as a user would.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace deconvoy::testing {

// How many times slower than usual programs run here: $DECONVOY_TEST_SLOWNESS, else 20 in a build with sanitizers, else
// 1. Every limit of time below is multiplied by it.
int Slowness();

// Whether this build has sanitizers, under which memory and time are not those of the programs.
bool Sanitized();

// How a process ended.
struct Exit {
  int code = -1;                    // exit code, or -1 when ended by a signal
  int signal = 0;                   // 0 when it exited
  int64_t peak_resident_bytes = 0;  // at most: what the test held when it started the program counts, too
};

// A running program. Its output goes to files in `folder`. Killed and reaped by the destructor.
class Process {
 public:
  struct Options {
    std::map<std::string, std::string> environment;  // added to the test's own
    std::filesystem::path folder;                    // for `<label>.out` and `<label>.err`; must exist
    std::string label = "process";
    std::filesystem::path input = "/dev/null";  // opened as its standard input; a FIFO once somebody writes to it
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

// Polls until `condition` holds or the limit passes; whether it came to hold.
template <typename Condition>
bool Eventually(Condition condition, std::chrono::seconds limit = std::chrono::seconds(30)) {
  const auto end = std::chrono::steady_clock::now() + limit * Slowness();
  while (!condition()) {
    if (std::chrono::steady_clock::now() > end) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

// The last line of `text` as JSON: with --json every line is an object, and the last one is the verb's answer.
// Discarded (is_discarded) when it is none.
nlohmann::json LastJson(const std::string& text);

// Pids of live processes (no zombies) whose command line contains `text`.
std::vector<pid_t> ProcessesNaming(const std::string& text);

// Peak resident memory of a live process in bytes (VmHWM).
int64_t PeakResidentBytes(pid_t pid);

std::string ReadText(const std::filesystem::path& path);

}  // namespace deconvoy::testing
