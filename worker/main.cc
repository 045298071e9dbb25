// deconvoy-worker: one process per slice of processors, or per GPU. May die at any instant without harm.
//
// Exit codes: 0 ended as asked, 1 refused by the server or unfit to work, 2 wrong command line.
#include <fmt/format.h>
#include <signal.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <memory>
#include <optional>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/log_text.h"
#include "proto/contract/status_macros.h"
#include "worker/backends/cpu/cpu_backend.h"
#include "worker/backends/cpu/fft_costs.h"
#include "worker/backends/cpu/pinning.h"
#include "worker/backends/cuda/cuda_backend.h"
#include "worker/config/describe.h"
#include "worker/config/device_list.h"
#include "worker/config/flags.h"
#include "worker/executor/cancellable_executor.h"
#include "worker/executor/guarded_executor.h"
#include "worker/executor/halving_executor.h"
#include "worker/executor/logged_executor.h"
#include "worker/executor/lost_device_executor.h"
#include "worker/executor/neighbour_executor.h"
#include "worker/executor/self_test.h"
#include "worker/executor/timed_executor.h"
#include "worker/learned/script.h"
#include "worker/memory/allocator.h"
#include "worker/memory/budget.h"
#include "worker/session/registration.h"
#include "worker/session/session.h"

namespace deconvoy::worker {
namespace {

// False when the parent has ended already.
bool DieWithParent() {
  const pid_t parent = ::getppid();
  return ::prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && ::getppid() == parent;
}

void SetUpLog(const Flags& flags, const std::string& worker, const LogExcerpt& excerpt) {
  const auto sink = std::make_shared<spdlog::sinks::stderr_sink_mt>();
  const auto logger = std::make_shared<spdlog::logger>(worker, spdlog::sinks_init_list{sink, excerpt.sink()});
  logger->set_level(spdlog::level::from_str(flags.log_level));
  logger->set_pattern("%Y-%m-%dT%H:%M:%S.%e%z %l %v");
  spdlog::set_default_logger(logger);
}

std::unique_ptr<Backend> MakeProcessors(const Flags& flags) {
  // Without a number: this worker's share of the processors.
  const int64_t all = std::thread::hardware_concurrency() / std::max<int64_t>(flags.pinned_count, 1);
  return MakeCpuBackend({.threads = flags.threads > 0 ? flags.threads : static_cast<int>(std::max<int64_t>(all, 1)),
                         .wisdom_folder = flags.state,
                         .pinned = {.index = flags.pinned_index, .count = flags.pinned_count}});
}

// What one task may use: of the device's memory, where it computes on one.
absl::StatusOr<int64_t> BudgetBytes(const Flags& flags) {
  if (flags.memory_mib > 0) return flags.memory_mib << 20;
  return flags.backend == "cuda" ? CudaBudgetBytes(flags.device) : DefaultBudgetBytes();
}

absl::StatusOr<std::unique_ptr<Backend>> MakeBackend(const Flags& flags, int64_t budget_bytes) {
  if (flags.backend == "cpu") return MakeProcessors(flags);
  const int all = static_cast<int>(std::max(std::thread::hardware_concurrency(), 1U));
  return MakeCudaBackend({.device = flags.device,
                          .memory_budget_bytes = budget_bytes,
                          .threads = flags.threads > 0 ? flags.threads : all});
}

// On a thread of its own: one that computes is tied to a processor where workers are pinned, and the threads that it
// starts afterwards would be, too.
v1::SelfTestReport TestBackend(Backend& backend) {
  v1::SelfTestReport report;
  std::jthread([&] { report = RunSelfTest(backend); }).join();
  return report;
}

// Exit code after saying why something cannot be done.
int Refuse(const absl::Status& status) {
  const std::string remedy = InfoOf(status).remedy();
  fmt::print(stderr, "deconvoy-worker: {}{}{}\n", std::string(status.message()), remedy.empty() ? "" : ". ", remedy);
  return 1;
}

int SelfTest(const Flags& flags) {
  const absl::StatusOr<int64_t> budget = BudgetBytes(flags);
  if (!budget.ok()) return Refuse(budget.status());
  const absl::StatusOr<std::unique_ptr<Backend>> made = MakeBackend(flags, *budget);
  if (!made.ok()) return Refuse(made.status());
  const std::unique_ptr<Backend>& backend = *made;
  const v1::SelfTestReport report = TestBackend(*backend);
  fmt::print("{} on {}: {}\n", backend->name(), backend->device(),
             report.passed() ? fmt::format("passed, {:.1f} million padded voxel-iterations per second",
                                           report.padded_voxel_iterations_per_second() / 1e6)
                             : "FAILED: " + report.message());
  return report.passed() ? 0 : 1;
}

// Where the workers of a server look: in `cache` of its state folder, which may be given itself.
std::filesystem::path PlanFolder(const std::filesystem::path& given) {
  const std::filesystem::path cache = given / "cache";
  return std::filesystem::is_directory(cache) ? cache : given;
}

int Devices(const Flags& flags) {
  if (!flags.json) {
    fmt::print("{}", ListDevices(*MakeProcessors(flags)));
    return 0;
  }
  const absl::StatusOr<v1::DeviceReport> report = ReportDevices();
  if (!report.ok()) return Refuse(report.status());
  fmt::print("{}", ToJson(*report));
  return 0;
}

int Plan(const Flags& flags) {
  const std::filesystem::path folder = PlanFolder(flags.state);
  const bool bar = isatty(STDERR_FILENO) != 0;
  if (!bar) fmt::print(stderr, "measuring transforms up to {} voxels\n", flags.largest_extent);
  const auto progress = [bar](int64_t done, int64_t total) {
    if (bar) fmt::print(stderr, "\rplanning: {} of {} extents{}", done, total, done == total ? "\n" : "");
  };
  const absl::Status measured = cpu::MeasureFftCosts(flags.largest_extent, folder, progress);
  if (measured.ok()) {
    fmt::print("plans and costs of transforms up to {} voxels are kept in {}\n", flags.largest_extent,
               Printable(folder.string()));
    return 0;
  }
  return Refuse(measured);
}

// The first SIGTERM or SIGINT drains the session, the second makes it leave. They are blocked in all other threads.
class Signals {
 public:
  Signals() {
    sigemptyset(&set_);
    sigaddset(&set_, SIGTERM);
    sigaddset(&set_, SIGINT);
    pthread_sigmask(SIG_BLOCK, &set_, nullptr);
    ::signal(SIGPIPE, SIG_IGN);
    ::signal(SIGCHLD, SIG_DFL);  // ignored, as a parent may have left it, no process of a model could be waited for
  }

  std::jthread Watch(Session& session) const {
    return std::jthread([this, &session](const std::stop_token& stop) {
      const timespec interval{.tv_sec = 0, .tv_nsec = 200'000'000};
      for (int received = 0; !stop.stop_requested();) {
        if (sigtimedwait(&set_, nullptr, &interval) < 0) continue;
        spdlog::info(++received == 1 ? "ending after the task at hand" : "ending at once");
        received == 1 ? session.Drain() : session.Leave();
      }
    });
  }

 private:
  sigset_t set_{};
};

// Those that the backend has tied its threads to.
void AddProcessors(const Flags& flags, v1::WorkerRegistration& registration) {
  if (flags.pinned_count == 0) return;
  const auto pinning = cpu::Pinning::Make(static_cast<int>(registration.threads()),
                                          {.index = flags.pinned_index, .count = flags.pinned_count});
  if (!pinning.ok()) return;
  for (const int processor : (*pinning)->processors()) registration.add_processors(static_cast<uint32_t>(processor));
}

absl::Status Serve(const Flags& flags) {
  ReturnFreedMemory();
  const Signals signals;  // before any thread starts
  const std::string name = NewWorkerName();
  const LogExcerpt excerpt;
  SetUpLog(flags, name, excerpt);
  ASSIGN_OR_RETURN(const int64_t budget, BudgetBytes(flags));
  ASSIGN_OR_RETURN(const std::unique_ptr<Backend> backend, MakeBackend(flags, budget));
  if (!flags.spool.empty()) RETURN_IF_ERROR(ReadSpoolNonce(flags.spool).status());
  NeighbourExecutor pipelines(*backend, budget);
  v1::WorkerRegistration registration = MakeRegistration(*backend, budget, pipelines.share_bytes());
  AddProcessors(flags, registration);
  *registration.mutable_self_test() = TestBackend(*backend);
  if (!registration.self_test().passed()) {
    return MakeError({.reason = v1::WORKER_REFUSED}, registration.self_test().message());
  }
  spdlog::info("{} on {}, {} MiB for a task{}", backend->name(), backend->device(), budget >> 20,
               pipelines.at_once() > 1 ? ", or for two tiles" : "");

  CancellableExecutor cancellable(pipelines);
  LostDeviceExecutor device(cancellable, IsSticky);
  HalvingExecutor halving(device);
  GuardedExecutor guarded(halving, budget);
  TimedExecutor timed(guarded);
  LoggedExecutor logged(timed);
  SessionOptions options;
  options.server = flags.server;
  options.credential_file = flags.credential_file;
  ASSIGN_OR_RETURN(options.access, ReadAccess(flags.access));
  if (const char* token = std::getenv("DECONVOY_TOKEN");
      flags.credential_file.empty() && options.access.token.empty() && token != nullptr) {
    options.access.token = token;
  }
  options.worker = name;
  options.spool = flags.spool;
  options.at_once = pipelines.at_once();
  Session session(options, std::move(registration), logged, excerpt);
  device.OnLost([&session] { session.Drain(); });
  const std::jthread watching = signals.Watch(session);
  RETURN_IF_ERROR(session.Run());
  return device.lost();
}

int Main(int argc, const char* const* argv) {
  const ParsedFlags parsed = ParseFlags(argc, argv);
  if (parsed.exit_code) return *parsed.exit_code;
  if (parsed.flags.die_with_parent && !DieWithParent()) return 1;
  switch (parsed.flags.action) {
    case Flags::Action::kDescribe: {
      const v1::ListMethodsResponse methods = DescribeMethods();
      fmt::print("{}", parsed.flags.json ? ToJson(methods) : ToText(methods));
      return 0;
    }
    case Flags::Action::kSelfTest:
      return SelfTest(parsed.flags);
    case Flags::Action::kPlan:
      return Plan(parsed.flags);
    case Flags::Action::kDevices:
      return Devices(parsed.flags);
    default:
      break;
  }
  const absl::Status status = Serve(parsed.flags);
  if (status.ok()) return 0;
  const std::string remedy = InfoOf(status).remedy();
  spdlog::critical("{}{}{}", LogText(status), remedy.empty() ? "" : ". What to do: ", remedy);
  return 1;
}

}  // namespace
}  // namespace deconvoy::worker

int main(int argc, char** argv) {
  if (const std::optional<int> code = deconvoy::worker::learned::RunScriptProcess(argc, argv)) return *code;
  return deconvoy::worker::Main(argc, argv);
}
