// A session against a server inside the test process, with an executor that copies its input.
#pragma once

#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <atomic>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <thread>

#include "tests/support/test_support.h"
#include "tests/unit/worker/session/fake_server.h"
#include "worker/pipeline/piece_writer.h"
#include "worker/session/session.h"

namespace deconvoy::worker {

using testing::FakeServer;
using testing::FakeWorkers;
using namespace std::chrono_literals;

inline std::vector<std::byte> Numbers(size_t count) {
  std::vector<std::byte> bytes(count);
  for (size_t i = 0; i < count; ++i) bytes[i] = static_cast<std::byte>(i * 31 + i / 251);
  return bytes;
}

// Copies the 4 x 4 x 4 input to the output; waits where a test wants it busy.
class CopyExecutor : public TaskExecutor {
 public:
  absl::StatusOr<v1::TaskResult> Execute(const v1::Task& task, TaskContext& context) override {
    ++started;
    for (int i = 1; hold && !context.cancelled(); ++i) {
      v1::ObjectiveValue told;
      told.set_iteration(static_cast<uint32_t>(i));
      told.set_residual_squares(4);
      context.Objective(told);
      if (absl::Status status = context.Progress(i, 1000); !status.ok()) return status;
      std::this_thread::sleep_for(5ms);
    }
    if (context.cancelled()) return absl::CancelledError("stopped");
    if (!failure.ok()) {
      spdlog::warn("about to fail");
      return failure;
    }
    std::vector<std::byte> bytes = extra;
    if (task.inputs_size() > 0) {
      bytes.resize(64);
      if (absl::Status s = context.source().Read(task.inputs(0), {0, 0, {{}, {4, 4, 4}}}, bytes); !s.ok()) return s;
    }
    PieceWriter writer(task, context.sink());
    if (absl::Status status = writer.Append(bytes); !status.ok()) return status;
    v1::TaskResult result;
    result.mutable_tile()->set_compute_seconds(1.5);
    if (absl::Status status = writer.Finish(result); !status.ok()) return status;
    return result;
  }

  std::atomic<bool> hold{false};
  std::atomic<int> started{0};
  absl::Status failure;
  std::vector<std::byte> extra;
};

// What the server was told last of the tasks held.
inline std::map<std::string, v1::TaskStatus> Held(const v1::SynchronizeRequest& request) {
  std::map<std::string, v1::TaskStatus> held;
  for (const v1::TaskStatus& status : request.tasks()) {
    if (!status.has_error()) held[status.task()] = status;
  }
  return held;
}

class Sessions : public ::testing::Test {
 protected:
  Sessions() {
    std::ofstream(folder_.path() / "credential") << "secret\n";
    before_ = spdlog::default_logger();
    spdlog::set_default_logger(std::make_shared<spdlog::logger>("test", log_.sink()));
    registration_.set_contract_version(1);
    registration_.set_backend("cpu");
    workers_.SetVolume("volumes/in", Numbers(64));
  }
  ~Sessions() override {
    executor_.hold = false;
    if (session_) session_->Leave();
    if (thread_.joinable()) thread_.join();
    spdlog::set_default_logger(before_);
  }

  std::string Address() const { return "unix:" + (folder_.path() / "socket").string(); }
  void StartServer() { server_.emplace(workers_, Address()); }

  void StartSession() {
    SessionOptions options;
    options.server = Address();
    options.credential_file = folder_.path() / "credential";
    options.worker = "workers/w1";
    options.spool = spool_;
    options.first_backoff = 10ms;
    options.last_backoff = 100ms;
    options.farewell = 500ms;
    options.busy_timeout = 1s;
    options.at_once = at_once_;
    session_.emplace(options, registration_, *used_executor_, log_);
    thread_ = std::thread([this] { ended_ = session_->Run(); });
  }
  void Start() {
    StartServer();
    StartSession();
  }
  // With a task that goes on until `executor_.hold` is false.
  void StartBusy(const v1::Task& task) {
    executor_.hold = true;
    Start();
    workers_.Give(task);
    ASSERT_TRUE(workers_.WaitFor([&] { return executor_.started == 1; }));
  }
  absl::Status Join() {
    thread_.join();
    return ended_;
  }
  // For sessions that would otherwise wait as long as the server is away.
  absl::Status JoinSoon() {
    const auto start = std::chrono::steady_clock::now();
    absl::Status status = Join();
    EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
    return status;
  }

  // A tile that covers its volume.
  v1::Task Task(bool same_host = false, int number = 1) {
    v1::Task task;
    task.set_name("jobs/j/tasks/" + std::to_string(number));
    task.set_token(static_cast<uint64_t>(16 + number));
    v1::VolumeAccess& input = *task.add_inputs();
    input.set_volume("volumes/in");
    input.mutable_spec()->set_type(v1::U8);
    *input.mutable_spec()->mutable_shape() = ToProto(Shape5{1, 1, 4, 4, 4});
    v1::OutputPiece& output = *task.add_outputs();
    output.set_type(v1::U8);
    *output.mutable_box() = ToProto(FrameBox{0, 0, {{}, {4, 4, 4}}});
    task.mutable_tile()->mutable_spec()->set_input_volume("volumes/in");
    *task.mutable_tile()->mutable_loaded() = output.box();
    if (!same_host) return task;
    const std::string suffix = number == 1 ? "" : std::to_string(number);
    const std::string volume = (folder_.path() / ("volume" + suffix)).string();
    const std::string scratch = (folder_.path() / ("scratch" + suffix)).string();
    const std::vector<std::byte> bytes = Numbers(64);
    std::ofstream(volume, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), 64);
    std::ofstream(scratch, std::ios::binary) << std::string(64, ' ');
    input.set_spool_path(volume);
    task.set_scratch_path(scratch);
    return task;
  }

  // Waits until the server has been told that these are the stages.
  bool Told(const std::map<std::string, v1::TaskStage>& stages) {
    return workers_.WaitFor([&] {
      std::map<std::string, v1::TaskStage> told;
      if (workers_.requests.empty()) return false;
      for (const auto& [task, status] : Held(workers_.requests.back())) told[task] = status.stage();
      return told == stages;
    });
  }
  bool Delivered(size_t count) {
    return workers_.WaitFor([&] { return workers_.deliveries.size() >= count; });
  }
  // The statuses of tasks given up that have come in these requests.
  static std::vector<v1::TaskStatus> GivenUp(const std::vector<v1::SynchronizeRequest>& requests) {
    std::vector<v1::TaskStatus> found;
    for (const v1::SynchronizeRequest& request : requests) {
      std::copy_if(request.tasks().begin(), request.tasks().end(), std::back_inserter(found),
                   [](const v1::TaskStatus& status) { return status.has_error(); });
    }
    return found;
  }
  // Waits for one, and for the request after it.
  v1::TaskStatus WaitForGivenUp() {
    EXPECT_TRUE(workers_.WaitFor(
        [&] { return !GivenUp(workers_.requests).empty() && GivenUp({workers_.requests.back()}).empty(); }));
    const std::vector<v1::TaskStatus> found = GivenUp(workers_.Requests());
    EXPECT_EQ(found.size(), 1U);
    return found.empty() ? v1::TaskStatus() : found[0];
  }

  deconvoy::testing::TemporaryFolder folder_;
  const LogExcerpt log_;
  std::shared_ptr<spdlog::logger> before_;
  v1::WorkerRegistration registration_;
  std::filesystem::path spool_;
  CopyExecutor executor_;
  TaskExecutor* used_executor_ = &executor_;
  int at_once_ = 1;
  FakeWorkers workers_;
  std::optional<FakeServer> server_;
  std::optional<Session> session_;
  std::thread thread_;
  absl::Status ended_ = absl::UnknownError("not ended");
};

}  // namespace deconvoy::worker
