#include "server/daemon.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <iterator>
#include <optional>
#include <thread>

#include "proto/contract/error.h"
#include "proto/contract/status_macros.h"
#include "server/api/api_server.h"
#include "server/auth/replace_file.h"
#include "server/auth/worker_credential.h"
#include "server/config/named_folder.h"
#include "server/fleet/devices.h"
#include "server/fleet/local_launcher.h"
#include "server/fleet/worker_command.h"
#include "server/schedule/server_core.h"
#include "server/store/state_folder.h"

namespace deconvoy::server {
namespace {

// How long workers and calls may take to end once nothing is computed any more.
constexpr std::chrono::seconds kEndOfWorkers{2};
constexpr std::chrono::seconds kEndOfCalls{1};

constexpr int64_t kThreadsBesideGpu = 8;
// Calls that administrators can make whatever users have open.
constexpr int64_t kAdminCalls = 16;

constexpr const char* kPrivateRoomRemedy =
    "Set TMPDIR to a folder with more room, or DECONVOY_SCRATCH, which `deconvoy` takes first where it is set.";

std::string HostName() {
  char name[256] = "";
  gethostname(name, sizeof name - 1);
  return name;
}

class WholeDaemon final : public Daemon {
 public:
  WholeDaemon(const ServerConfig& config, bool is_private) : config_(config), is_private_(is_private) {}

  ~WholeDaemon() override {
    if (state_) std::filesystem::remove(address_file());
  }

  absl::Status Start() {
    RETURN_IF_ERROR(Recover());
    RETURN_IF_ERROR(LearnMethods());
    RETURN_IF_ERROR(Listen());
    RETURN_IF_ERROR(StartWorkers());
    return Announce();
  }

  void Stop() override {
    spdlog::info("stopping: running tasks have {} ms to finish", config_.shutdown_grace_ms);
    api_->Drain();
    core_->dispatcher().Drain();
    if (!core_->dispatcher().WaitIdle(absl::Milliseconds(config_.shutdown_grace_ms))) {
      spdlog::warn("some tasks have not finished; they are done again after the next start");
    }
    core_->sweeper().Stop();
    core_->jobs().Stop();
    core_->volumes().StopFollowing();
    core_->dispatcher().Stop();
    if (launcher_) launcher_->Stop(kEndOfWorkers);
    api_->Stop(kEndOfCalls);
    spdlog::info("stopped");
  }

 private:
  std::filesystem::path address_file() const { return state_->path() / "address"; }
  // Where ports speak TLS, the server's own workers come through a socket of theirs, in a folder that others cannot
  // enter: no certificate need be good for the address that they would dial.
  std::filesystem::path worker_door() const { return state_->path() / "workers.socket"; }

  absl::Status Recover() {
    ASSIGN_OR_RETURN(StateFolder state, StateFolder::Open(config_.state_folder));
    state_.emplace(std::move(state));
    std::filesystem::remove(address_file());
    spdlog::info("deconvoyd {}, state folder {}", DECONVOY_VERSION, Printable(state_->path().string()));
    ServerCore::Options options = CoreOptions();
    ASSIGN_OR_RETURN(options.file_roots, RootFolders());
    ASSIGN_OR_RETURN(core_, ServerCore::Open(options, SystemClock(), RandomIds()));
    const JobManager::Counts tasks = core_->jobs().CountTasks();
    if (tasks.ready > 0) spdlog::info("{} tasks of unfinished jobs are waiting", tasks.ready);
    return absl::OkStatus();
  }

  // Where everybody is one user, that one has all that there is.
  Door::Limits ApiLimits() const {
    Door::Limits limits;
    limits.users.open_calls = config_.open_calls;
    limits.streams_per_connection = config_.streams_per_connection;
    limits.idle_stream = std::chrono::milliseconds(config_.idle_stream_ms);
    if (config_.auth_tokens != "required") return limits;
    limits.users.open_calls_each = config_.open_calls_per_user;
    limits.users.calls_per_second = config_.calls_per_second;
    limits.users.admin_calls = kAdminCalls;
    return limits;
  }

  v1::Quota ConfiguredQuota() const {
    v1::Quota quota;
    quota.set_bytes(static_cast<uint64_t>(config_.quota_bytes));
    quota.set_jobs(static_cast<uint32_t>(config_.quota_jobs));
    return quota;
  }

  absl::StatusOr<std::vector<RootFolder>> RootFolders() const {
    ASSIGN_OR_RETURN(const std::vector<NamedFolder> folders, FoldersForFiles(config_));
    std::vector<RootFolder> roots;
    for (const NamedFolder& folder : folders) {
      roots.push_back({.name = folder.name, .path = folder.path, .writable = folder.writable});
    }
    return roots;
  }

  ServerCore::Options CoreOptions() const {
    ServerCore::Options options;
    options.database = state_->database();
    options.spool.directory = state_->spool();
    options.spool.keep_free_bytes = config_.keep_free_bytes;
    options.tokens = config_.auth_tokens == "required" ? TokenRule::kRequired : TokenRule::kOff;
    if (is_private_) options.spool.room_remedy = kPrivateRoomRemedy;
    options.quota = ConfiguredQuota();
    options.spool.retention = {.result = absl::Hours(24 * config_.result_days),
                               .fetched = absl::Hours(24 * config_.fetched_days),
                               .upload = absl::Hours(24 * config_.upload_days),
                               .high_water_percent = config_.high_water};
    options.retry.failure_cap = static_cast<int32_t>(config_.attempts);
    options.dispatcher.lease = absl::Milliseconds(config_.lease_ms);
    options.dispatcher.busy_call = std::min(options.dispatcher.busy_call, options.dispatcher.lease / 4);
    options.dispatcher.host = HostName();
    options.dispatcher.half_life = absl::Minutes(config_.half_life_minutes);
    options.dispatcher.shares.running_cap = config_.running_tasks;
    options.dispatcher.shares.lower_class_share = 0.01 * static_cast<double>(config_.lower_class_percent);
    return options;
  }

  // Without workers of its own, what the worker program beside it can do lets jobs wait for those that dial in.
  absl::Status LearnMethods() {
    if (!HasWorkers()) {
      const absl::StatusOr<std::filesystem::path> program = FindWorkerProgram(config_.worker_command);
      if (!program.ok()) return absl::OkStatus();
      const absl::StatusOr<std::vector<v1::Method>> methods = DescribeMethods(*program);
      if (methods.ok()) core_->capabilities().AddMethods(*methods);
      return absl::OkStatus();
    }
    ASSIGN_OR_RETURN(worker_program_, FindWorkerProgram(config_.worker_command));
    ASSIGN_OR_RETURN(std::vector<v1::Method> methods, DescribeMethods(worker_program_));
    core_->capabilities().AddMethods(methods);
    if (config_.worker_count > 0) core_->capabilities().SetExpectedMemory(WorkerMemory());
    RETURN_IF_ERROR(FindGpus());
    if (gpus_.empty()) return absl::OkStatus();
    for (v1::Method& method : methods) {
      method.clear_backends();
      method.add_backends("cuda");
    }
    core_->capabilities().AddMethods(methods);
    return absl::OkStatus();
  }

  bool HasWorkers() const { return config_.worker_count > 0 || config_.worker_gpus != "none"; }

  absl::Status FindGpus() {
    ASSIGN_OR_RETURN(gpus_, ChooseDevices(config_.worker_gpus, ListerOf(worker_program_)));
    for (const v1::Accelerator& gpu : gpus_) {
      spdlog::info("GPU {}: {}, {} MiB, {}", Printable(gpu.uuid()), Printable(gpu.name()), gpu.memory_bytes() >> 20U,
                   Printable(gpu.driver()));
    }
    if (gpus_.empty() && config_.worker_gpus != "none") {
      spdlog::warn("the worker program sees no GPU, so that none gets a worker");
    }
    return absl::OkStatus();
  }

  absl::Status Listen() {
    std::vector<Address> addresses;
    for (const std::string& text : config_.listen) {
      ASSIGN_OR_RETURN(const Address address, ParseAddress(text));
      addresses.push_back(address);
    }
    std::optional<TlsFiles> tls;
    if (!config_.tls_certificate.empty()) {
      ASSIGN_OR_RETURN(tls, ReadTlsFiles(config_.tls_certificate, config_.tls_key, config_.tls_client_ca));
      if (HasWorkers()) {
        ASSIGN_OR_RETURN(const Address address, ParseAddress("unix:" + worker_door().string()));
        addresses.push_back(address);
      }
    }
    ASSIGN_OR_RETURN(WorkerCredential credential, WorkerCredential::Open(state_->worker_credential()));
    ASSIGN_OR_RETURN(api_, ApiServer::Start(addresses, ApiLimits(), std::move(credential), *core_, tls));
    return absl::OkStatus();
  }

  absl::Status StartWorkers() {
    if (!HasWorkers()) return absl::OkStatus();
    launcher_ = std::make_unique<LocalLauncher>(WorkerCommands(), [this](uint32_t process_id, bool by_signal) {
      core_->dispatcher().WorkerExited(process_id, by_signal);
    });
    return launcher_->Start();
  }

  absl::Status Announce() {
    std::string text;
    for (const Address& address : api_->addresses()) {
      if (address.path == worker_door()) continue;
      spdlog::info("listening on {}", Printable(address.Text()));
      text += address.Text() + "\n";
    }
    return ReplaceFile(address_file(), text, 0644);
  }

  int64_t WorkerMemory() const {
    if (config_.worker_memory_mib > 0) return config_.worker_memory_mib << 20;
    return ShareOfMachine(config_.worker_count).memory_bytes;
  }

  // Those on the processors, then one for each GPU.
  std::vector<Command> WorkerCommands() const {
    std::vector<Command> commands;
    for (int64_t i = 0; i < config_.worker_count; ++i) commands.push_back(ProcessorWorker(i));
    for (const v1::Accelerator& gpu : gpus_) commands.push_back(GpuWorker(gpu));
    return commands;
  }

  // The one of their own comes last.
  const Address& AddressForWorkers() const {
    return config_.tls_certificate.empty() ? api_->addresses().front() : api_->addresses().back();
  }

  // What every worker is told.
  Command AnyWorker(int64_t threads) const {
    const std::string cache =
        config_.worker_cache_folder.empty() ? (state_->path() / "cache").string() : config_.worker_cache_folder;
    return {.program = worker_program_,
            .arguments = {"--server", AddressForWorkers().Text(),                                   //
                          "--credential-file", state_->worker_credential().string(),                //
                          "--spool", state_->spool().string(),                                      //
                          "--state", cache,                                                         //
                          "--threads", fmt::format("{}", threads),                                  //
                          "--log-level", config_.log_level == "off" ? "error" : config_.log_level,  //
                          "--die-with-parent"}};
  }

  Command ProcessorWorker(int64_t index) const {
    const int64_t threads =
        config_.worker_threads > 0 ? config_.worker_threads : ShareOfMachine(config_.worker_count).threads;
    Command command = AnyWorker(threads);
    std::vector<std::string>& arguments = command.arguments;
    arguments.insert(arguments.end(), {"--memory-mib", fmt::format("{}", WorkerMemory() >> 20)});
    if (config_.worker_pinning == "cores") {
      arguments.insert(arguments.end(), {"--pin", fmt::format("{}/{}", index + 1, config_.worker_count)});
    }
    return command;
  }

  // It sees this one GPU only. Its threads do what is done beside the GPU: reading, converting and writing planes.
  Command GpuWorker(const v1::Accelerator& gpu) const {
    const int64_t share = std::min(ShareOfMachine(std::ssize(gpus_)).threads, kThreadsBesideGpu);
    Command command = AnyWorker(config_.worker_threads > 0 ? config_.worker_threads : share);
    command.arguments.insert(command.arguments.end(), {"--backend", "cuda"});
    if (config_.worker_gpu_memory_mib > 0) {
      command.arguments.insert(command.arguments.end(),
                               {"--memory-mib", fmt::format("{}", config_.worker_gpu_memory_mib)});
    }
    command.environment.emplace_back(kVisibleDevices, gpu.uuid());
    return command;
  }

  // Constant.
  const ServerConfig config_;
  const bool is_private_;
  std::filesystem::path worker_program_;
  std::vector<v1::Accelerator> gpus_;  // that get a worker; filled by LearnMethods

  // In the order in which they are made; each uses those before it.
  std::optional<StateFolder> state_;
  std::unique_ptr<ServerCore> core_;
  std::unique_ptr<ApiServer> api_;
  std::unique_ptr<Launcher> launcher_;
};

}  // namespace

absl::StatusOr<std::unique_ptr<Daemon>> Daemon::Start(const ServerConfig& config, bool is_private) {
  auto daemon = std::make_unique<WholeDaemon>(config, is_private);
  RETURN_IF_ERROR(daemon->Start());
  return daemon;
}

int ExitCodeOf(const absl::Status& status) {
  const std::string field = InfoOf(status).field();
  if (field == "listen") return 4;
  return field.starts_with("workers.") || field.starts_with("tls.") ? 2 : 3;
}

}  // namespace deconvoy::server
