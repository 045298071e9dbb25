// deconvoy-bench queue: how long a worker's Synchronize takes at a server on which very many tasks wait. Store and
// spool are real, gRPC is left out.
#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "server/schedule/server_core.h"
#include "tests/bench/commands.h"
#include "tests/bench/measure.h"
#include "tests/bench/scratch_folder.h"

namespace deconvoy::bench {
namespace {

struct Options {
  int jobs = 1000;
  int tasks_per_job = 100;
  int users = 50;
  int calls = 300;
};

// A complete volume of so many time points of one voxel; its name.
std::string AddVolume(server::ServerCore& core, const std::string& owner, int time_points) {
  v1::CreateVolumeRequest request;
  request.set_request_id("volume");
  v1::VolumeSpec& spec = *request.mutable_spec();
  spec.set_type(v1::U8);
  v1::Shape5& shape = *spec.mutable_shape();
  shape.set_t(static_cast<uint32_t>(time_points));
  shape.set_c(1);
  shape.set_z(1);
  shape.set_y(1);
  shape.set_x(1);
  const v1::Volume volume = Value(core.volumes().Create(owner, request));
  const std::string id = Value(VolumeId(volume.name(), "volume"));
  const auto writer = Value(core.volumes().Write(id));
  for (uint32_t t = 0; t < shape.t(); ++t) {
    v1::Chunk chunk;
    chunk.mutable_box()->set_t(t);
    chunk.mutable_box()->set_size_z(1);
    chunk.mutable_box()->set_size_y(1);
    chunk.mutable_box()->set_size_x(1);
    chunk.set_data("x");
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    Check(writer->Add(chunk));
  }
  Check(writer->Commit().status());
  Check(core.volumes().Finish(id, "").status());
  return volume.name();
}

// Projections, which are one task for each time point.
void SubmitJobs(server::ServerCore& core, const Options& options) {
  std::vector<std::string> volumes;
  for (int i = 0; i < options.jobs; ++i) {
    const std::string owner = fmt::format("user{}", i % options.users);
    if (i < options.users) volumes.push_back(AddVolume(core, owner, options.tasks_per_job));
    v1::SubmitJobRequest request;
    request.set_request_id(fmt::format("job{}", i));
    request.mutable_spec()->mutable_project()->set_input_volume(volumes[static_cast<size_t>(i % options.users)]);
    request.mutable_spec()->mutable_project()->set_axis(v1::ProjectSpec::Z);
    Check(core.jobs().Submit(owner, request).status());
  }
}

v1::SynchronizeRequest Registration() {
  v1::SynchronizeRequest request;
  request.set_worker("workers/w");
  v1::WorkerRegistration& worker = *request.mutable_registration();
  worker.set_contract_version(limits::kContractVersion);
  worker.set_backend("cpu");
  worker.set_memory_budget_bytes(int64_t{1} << 30);
  worker.mutable_self_test()->set_passed(true);
  worker.add_methods()->set_name("rl");
  return request;
}

nlohmann::json Measure(const Options& options) {
  spdlog::set_level(spdlog::level::off);
  const ScratchFolder folder;
  server::ServerCore::Options core_options;
  core_options.database = folder.path() / "store.sqlite";
  core_options.spool = {.directory = folder.path() / "spool", .keep_free_bytes = 0};
  core_options.dispatcher.lease = absl::Hours(1);
  const auto core = Value(server::ServerCore::Open(core_options, server::SystemClock(), server::RandomIds()));
  const auto nobody_left = [] { return false; };
  Check(core->dispatcher().Synchronize(Registration(), "node", nobody_left).status());
  SubmitJobs(*core, options);

  std::vector<double> seconds;
  v1::SynchronizeRequest request;
  request.set_worker("workers/w");
  request.set_free_slots(1);
  for (int i = 0; i < options.calls; ++i) {
    const auto start = Clock::now();
    const v1::SynchronizeResponse response = Value(core->dispatcher().Synchronize(request, "node", nobody_left));
    seconds.push_back(SecondsSince(start));
    if (response.assigned_size() != 1) throw std::runtime_error("no task was given out");
  }
  return {{"jobs", options.jobs},
          {"tasks", options.jobs * options.tasks_per_job},
          {"users", options.users},
          {"synchronize_seconds", seconds}};
}

void Report(const nlohmann::json& r) {
  fmt::print("{} tasks of {} jobs of {} users\n", r["tasks"].get<int>(), r["jobs"].get<int>(), r["users"].get<int>());
  fmt::print("  Synchronize        {:9.3f} ms, median\n",
             1e3 * Median(r["synchronize_seconds"].get<std::vector<double>>()));
}

}  // namespace

Command AddQueue(CLI::App& root) {
  auto* app = root.add_subcommand("queue", "a worker's call while very many tasks wait");
  const auto options = std::make_shared<Options>();
  app->add_option("--jobs", options->jobs)->check(CLI::Range(1, 100'000))->capture_default_str();
  app->add_option("--tasks-per-job", options->tasks_per_job)->check(CLI::Range(1, 100'000))->capture_default_str();
  app->add_option("--users", options->users)->check(CLI::Range(1, 10'000))->capture_default_str();
  app->add_option("--calls", options->calls, "each takes a task")->check(CLI::Range(1, 100'000))->capture_default_str();
  return {app, [options] { return Measure(*options); }, Report};
}

}  // namespace deconvoy::bench
