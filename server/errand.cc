#include "server/errand.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/inspect/inspector.h"
#include "server/inspect/report.h"
#include "server/observe/environment.h"
#include "server/spool/file_system.h"
#include "server/store/backup.h"
#include "server/store/state_folder.h"

namespace deconvoy::server {
namespace {

constexpr int kWrong = 1;
constexpr int kFailed = 3;

// More threads read no faster from one disk.
constexpr unsigned kReaders = 4;
// A damaged database is looked into only once it is mended; what that lets go is seen after that.
constexpr int kRounds = 3;

int Fail(const absl::Status& status) {
  const std::string remedy = InfoOf(status).remedy();
  std::fprintf(stderr, "deconvoyd: %s%s%s\n", Printable(std::string(status.message())).c_str(),
               remedy.empty() ? "" : "; ", remedy.c_str());
  return kFailed;
}

// Opening a folder makes it where it is not there, which is not what somebody who checks it wants.
absl::StatusOr<StateFolder> OpenExisting(const std::filesystem::path& path) {
  std::error_code ignored;
  if (std::filesystem::exists(path / "format", ignored)) return StateFolder::Open(path);
  return MakeError({.reason = v1::STORAGE_FAILURE,
                    .remedy = "Name the folder that the server uses with --state or --config.",
                    .metadata = {{"path", path.string()}}},
                   fmt::format("{} is not the state folder of a deconvoyd", path.string()));
}

// Tells at most every second how far reading is, where somebody looks.
class Progress {
 public:
  void operator()(int64_t done, int64_t total) {
    const auto now = std::chrono::steady_clock::now();
    if (now - told_ < std::chrono::seconds(1)) return;
    told_ = now;
    std::fprintf(stderr, "read %.1f of %.1f GiB\n", static_cast<double>(done) / (1 << 30),
                 static_cast<double>(total) / (1 << 30));
  }

 private:
  std::chrono::steady_clock::time_point told_ = std::chrono::steady_clock::now();
};

InspectorOptions OptionsOf(const StateFolder& folder) {
  return {.database = folder.database(),
          .spool = {.directory = folder.spool(),
                    .threads = static_cast<int>(std::clamp(std::thread::hardware_concurrency(), 1U, kReaders)),
                    .progress = Progress()}};
}

int Tell(const Inspection& inspection, bool json) {
  std::fputs((json ? ToJson(inspection) : ToText(inspection)).c_str(), stdout);
  if (std::fflush(stdout) != 0) return kFailed;
  return inspection.sound() ? 0 : kWrong;
}

bool CanBeMended(const Inspection& inspection) {
  return std::any_of(inspection.findings.begin(), inspection.findings.end(),
                     [](const Finding& finding) { return finding.mend != Mend::kNothing; });
}

absl::StatusOr<int> Check(const Invocation& invocation) {
  ASSIGN_OR_RETURN(const StateFolder folder, OpenExisting(invocation.config.state_folder));
  const std::unique_ptr<FileSystem> files = MakePosixFileSystem();
  const InspectorOptions options = OptionsOf(folder);
  ASSIGN_OR_RETURN(Inspection inspection, Inspect(options, *files));
  if (invocation.errand == Errand::kCheck) return Tell(inspection, invocation.json);
  for (int round = 0; round < kRounds && CanBeMended(inspection); ++round) {
    // With --json, standard output is for what remains.
    std::fputs(ToText(inspection).c_str(), invocation.json ? stderr : stdout);
    RETURN_IF_ERROR(Repair(options, *files, inspection, SystemClock().Wall()));
    const std::string before = ToText(inspection);
    ASSIGN_OR_RETURN(inspection, Inspect(options, *files));
    if (ToText(inspection) == before) break;
  }
  return Tell(inspection, invocation.json);
}

absl::StatusOr<int> BackUp(const Invocation& invocation) {
  const std::filesystem::path state = invocation.config.state_folder;
  RETURN_IF_ERROR(BackUpDatabase(state / "deconvoy.sqlite", invocation.backup));
  std::printf("%s\n", Printable(invocation.backup).c_str());
  return std::fflush(stdout) == 0 ? 0 : kFailed;
}

}  // namespace

int RunErrand(const Invocation& invocation) {
  const absl::StatusOr<int> code = invocation.errand == Errand::kBackup ? BackUp(invocation) : Check(invocation);
  return code.ok() ? *code : Fail(code.status());
}

}  // namespace deconvoy::server
