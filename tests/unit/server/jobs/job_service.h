// A server without its doors: store, spool, jobs and dispatcher on a temporary folder and a clock that tests move, and
// workers that compute nothing but answer as real ones do.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <spdlog/spdlog.h>

#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "proto/contract/checksum.h"
#include "proto/contract/error.h"
#include "proto/contract/limits.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/status_macros.h"
#include "proto/contract/volume_layout.h"
#include "server/jobs/job_manager.h"
#include "server/schedule/server_core.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"
#include "tests/support/fake_environment.h"
#include "tests/support/faulty_file_system.h"
#include "tests/support/test_support.h"

namespace deconvoy::server {

inline constexpr auto kNobodyLeft = [] { return false; };

inline v1::Parameter MakeParameter(const std::string& name, v1::ParameterType type, const std::string& value) {
  v1::Parameter parameter;
  parameter.set_name(name);
  parameter.set_type(type);
  parameter.set_minimum(1);
  parameter.set_maximum(1000);
  parameter.set_default_value(value);
  return parameter;
}

// A method like `rl`: 20 bytes per padded voxel, four transforms per iteration.
inline v1::Method RlMethod(const std::string& backend = "cpu") {
  v1::Method method;
  method.set_name("rl");
  *method.add_parameters() = MakeParameter("iterations", v1::INTEGER, "10");
  method.mutable_parameters(0)->set_automatic(true);
  v1::Parameter initial = MakeParameter("initial", v1::CHOICE, "mean");
  initial.add_choices()->set_name("mean");
  initial.add_choices()->set_name("previous");
  *method.add_parameters() = initial;
  method.add_boundaries(v1::EXTEND);
  method.add_boundaries(v1::PERIODIC);
  method.set_transforms_per_iteration(4);
  method.set_bytes_per_padded_voxel(20);
  method.add_backends(backend);
  return method;
}

inline v1::VolumeSpec MakeSpec(const Shape5& shape, v1::VoxelType type = v1::U8) {
  v1::VolumeSpec spec;
  spec.set_display_name("test");
  *spec.mutable_shape() = ToProto(shape);
  spec.set_type(type);
  return spec;
}

// The value that every worker of these tests computes for a voxel.
inline std::byte ResultByte(int64_t t, int64_t c, int64_t z, int64_t y, int64_t x) {
  return static_cast<std::byte>((t * 131 + c * 71 + z * 31 + y * 7 + x + 1) & 0xFF);
}

class JobService {
 public:
  static constexpr const char* kOwner = "local";

  // `database_vfs` as for ServerCore; `real` is what lies below files().
  explicit JobService(Dispatcher::Options options = DefaultOptions(), RetryRules rules = {},
                      std::string database_vfs = "", std::unique_ptr<FileSystem> real = MakePosixFileSystem())
      : options_(std::move(options)),
        rules_(rules),
        database_vfs_(std::move(database_vfs)),
        real_files_(std::move(real)) {
    spdlog::set_level(spdlog::level::off);
    Open();
  }
  ~JobService() { Close(); }

  // Leases of 10 seconds, no waiting, and checked only when the test says so.
  static Dispatcher::Options DefaultOptions() {
    Dispatcher::Options options;
    options.lease = absl::Seconds(10);
    options.poll = absl::ZeroDuration();
    options.tick = absl::ZeroDuration();
    options.host = "here";
    return options;
  }

  void Open() {
    files_.FailAt(0, testing::Fault::kIoError);
    files_.SetFreeBytes(std::nullopt);
    ASSERT_OK(TryOpen());
  }
  // Open with the faults that are set. REQUIRES: it is closed, and stays so unless OK.
  absl::Status TryOpen() {
    ServerCore::Options options;
    options.database = folder_.path() / "store.sqlite";
    options.database_vfs = database_vfs_;
    options.spool = {.directory = folder_.path() / "spool", .keep_free_bytes = 0};
    options.retry = rules_;
    options.dispatcher = options_;
    options.file_roots = roots_;
    auto opened = ServerCore::Open(options, clock, ids_, std::make_unique<testing::BorrowedFileSystem>(files_));
    RETURN_IF_ERROR(opened.status());
    core_ = *std::move(opened);
    capabilities().AddMethods({RlMethod()});
    return absl::OkStatus();
  }
  void Close() {
    if (core_) jobs().Stop();
    core_.reset();
  }
  // Opens it anew, with these folders for files.
  void SetRoots(std::vector<RootFolder> roots) {
    roots_ = std::move(roots);
    Reopen();
  }
  // As after a crash: everything that was only in memory is gone.
  void Reopen() {
    Close();
    Open();
  }
  void Advance(absl::Duration by) {
    clock.Advance(absl::ToChronoNanoseconds(by));
    dispatcher().Tick();
  }

  // A complete volume of zeros.
  std::string AddVolume(const v1::VolumeSpec& spec, bool complete = true) {
    v1::CreateVolumeRequest request;
    request.set_request_id("v" + std::to_string(++requests_));
    *request.mutable_spec() = spec;
    auto volume = volumes().Create(kOwner, request);
    EXPECT_OK(volume);
    const std::string id = VolumeId(volume->name(), "").value();
    if (!complete) return volume->name();
    auto writer = volumes().Write(id);
    EXPECT_OK(writer);
    const Shape5 shape = ToShape(spec.shape(), spec.type(), "").value();
    for (int64_t frame = 0; frame < shape.frames(); ++frame) {
      const FrameBox whole{frame / shape.c, frame % shape.c, {{}, shape.frame()}};
      EXPECT_OK(ForEachPiece(whole, spec.type(), limits::kChunkBytes, [&](const FrameBox& box) -> absl::Status {
        v1::Chunk chunk;
        *chunk.mutable_box() = ToProto(box);
        chunk.set_data(std::string(static_cast<size_t>(box.box.shape.voxels() * BytesPerVoxel(spec.type())), '\0'));
        chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
        return (*writer)->Add(chunk);
      }));
    }
    EXPECT_OK((*writer)->Commit());
    EXPECT_OK(volumes().Finish(id, ""));
    return volume->name();
  }

  // A deconvolution of a volume of `shape`, with u8 output, cut into tiles with cores of `core` voxels.
  v1::JobSpec Deconvolve(const Shape5& shape, const Shape3& core, const std::string& initial = "mean") {
    v1::JobSpec spec;
    v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
    work.set_input_volume(AddVolume(MakeSpec(shape)));
    work.set_psf_volume(AddVolume(MakeSpec({1, 1, 1, 1, 1}, v1::F32)));
    work.set_method("rl");
    (*work.mutable_parameters())["initial"] = initial;
    work.set_output_type(v1::U8);
    *work.mutable_tile()->mutable_core() = ToProto(core);
    return spec;
  }
  v1::JobSpec Simulate(int32_t extent = 8) {
    v1::JobSpec spec;
    v1::SimulateSpec& work = *spec.mutable_simulate();
    work.set_kind(v1::BEADS);
    work.mutable_shape()->set_z(extent);
    work.mutable_shape()->set_y(extent);
    work.mutable_shape()->set_x(extent);
    work.set_peak_photons(100);
    for (v1::VoxelSize* size : {work.mutable_voxel_size(), work.mutable_psf_fwhm()}) {
      size->set_z_um(0.1);
      size->set_y_um(0.1);
      size->set_x_um(0.1);
    }
    return spec;
  }
  absl::StatusOr<v1::Job> TrySubmit(const v1::JobSpec& spec, const std::string& request_id = "") {
    v1::SubmitJobRequest request;
    request.set_request_id(request_id.empty() ? "j" + std::to_string(++requests_) : request_id);
    *request.mutable_spec() = spec;
    return jobs().Submit(kOwner, request);
  }
  // Returns the job's id.
  std::string Submit(const v1::JobSpec& spec) {
    auto job = TrySubmit(spec);
    EXPECT_OK(job);
    return job.ok() ? JobId(job->name(), "").value() : "";
  }
  v1::Job Get(const std::string& job_id) {
    auto job = jobs().Get(kOwner, job_id);
    EXPECT_OK(job);
    return job.ok() ? *std::move(job) : v1::Job();
  }

  // Everything that Watch sends until the job has ended or `limit` events were sent.
  std::vector<v1::JobEvent> WatchAll(const std::string& job_id, uint64_t after = 0, size_t limit = 1'000'000) {
    std::vector<v1::JobEvent> events;
    EXPECT_OK(jobs().Watch(
        kOwner, job_id, after,
        [&](const v1::JobEvent& event) {
          events.push_back(event);
          return events.size() < limit;
        },
        kNobodyLeft));
    return events;
  }

  // Whether the result of a deconvolution is what workers compute, everywhere.
  void CheckResult(const v1::Job& job) {
    ASSERT_EQ(job.state(), v1::SUCCEEDED) << job.ShortDebugString();
    const std::string id = VolumeId(job.outputs(0).volume(), "").value();
    auto volume = volumes().Get(id, false);
    ASSERT_OK(volume);
    EXPECT_EQ(volume->state(), v1::COMPLETE);
    const v1::Shape5& shape = volume->spec().shape();
    int64_t wrong = 0, seen = 0;
    for (uint32_t frame = 0; frame < shape.t() * shape.c(); ++frame) {
      const FrameBox whole{frame / shape.c(), frame % shape.c(), {{}, {shape.z(), shape.y(), shape.x()}}};
      ASSERT_OK(volumes().Read(id, ToProto(whole), [&](v1::Chunk chunk) {
        const FrameBox box = ToFrameBox(chunk.box());
        size_t i = 0;
        for (int64_t z = 0; z < box.box.shape.z; ++z)
          for (int64_t y = 0; y < box.box.shape.y; ++y)
            for (int64_t x = 0; x < box.box.shape.x; ++x, ++seen) {
              const Voxel at = box.box.origin + Voxel{z, y, x};
              wrong += static_cast<std::byte>(chunk.data()[i++]) != ResultByte(box.t, box.c, at.z, at.y, at.x);
            }
        return true;
      }));
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_EQ(seen, int64_t{shape.t()} * shape.c() * shape.z() * shape.y() * shape.x());
  }

  // Volumes that the owner has.
  size_t CountVolumes() {
    auto page = store().ListVolumes(kOwner, 1000, "");
    EXPECT_OK(page);
    return page->items.size();
  }
  // Scratch files that lie in the spool.
  size_t CountScratchFiles() {
    size_t count = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_.path() / "spool/scratch")) {
      ++count;
    }
    return count;
  }

  const std::filesystem::path& folder() const { return folder_.path(); }  // holds store.sqlite and spool
  testing::FaultyFileSystem& files() { return files_; }  // of the spool; Open lets it do its work again
  Store& store() { return core_->store(); }
  VolumeStore& volumes() { return core_->volumes(); }
  Capabilities& capabilities() { return core_->capabilities(); }
  JobManager& jobs() { return core_->jobs(); }
  PsfLibrary& psfs() { return core_->psfs(); }
  ModelLibrary& models() { return core_->models(); }
  Dispatcher& dispatcher() { return core_->dispatcher(); }

  testing::FakeClock clock;

 private:
  const Dispatcher::Options options_;
  const RetryRules rules_;
  const std::string database_vfs_;
  std::vector<RootFolder> roots_;
  testing::TemporaryFolder folder_;
  testing::CountingIds ids_;
  int requests_ = 0;
  const std::unique_ptr<FileSystem> real_files_;
  testing::FaultyFileSystem files_{*real_files_};
  std::unique_ptr<ServerCore> core_;
};

// The score of `iterations` 1 to 9: least at 4 plus the channel.
inline v1::CalibrateResult CalibrationOf(const v1::Task& task) {
  v1::CalibrateResult result;
  v1::Calibration& curve = *result.add_calibrations();
  const int best = 4 + static_cast<int>(task.calibrate().tile().core().c());
  curve.set_c(task.calibrate().tile().core().c());
  curve.set_parameter("iterations");
  curve.set_criterion("a test");
  for (int k = 1; k < 10; ++k) {
    v1::CalibrationCandidate& candidate = *curve.add_candidates();
    candidate.set_value(std::to_string(k));
    candidate.set_score((k - best) * (k - best));
  }
  return result;
}

// The PSF of channel `c` as these workers estimate it.
inline v1::PsfReport EstimateOf(uint32_t c) {
  v1::PsfReport psf;
  psf.set_c(c);
  *psf.mutable_crop_shape() = ToProto(Shape3{1, 1, 1});
  psf.set_sum(1);
  psf.set_spread_z(0.25 * (c + 1));
  return psf;
}

inline v1::EstimatePsfResult EstimationOf(const v1::Task& task) {
  v1::EstimatePsfResult result;
  const v1::Box& core = task.estimate_psf().tile().core();
  result.mutable_estimate()->set_c(core.c());
  result.mutable_estimate()->set_t(core.t());
  *result.mutable_estimate()->mutable_psf() = EstimateOf(core.c());
  for (uint32_t round = 1; round <= 3; ++round) {
    v1::ObjectiveValue& value = *result.mutable_estimate()->add_objective();
    value.set_iteration(round);
    value.set_value(10.0 / round);
  }
  result.add_findings()->set_message("estimated");
  return result;
}

// What a real worker would bring for the task.
inline v1::TaskResult ResultOf(const v1::Task& task, std::string* bytes, const Shape3& psf_crop = {1, 1, 1}) {
  v1::TaskResult result;
  if (task.has_analyse()) {
    const v1::Shape5& input = task.inputs(0).spec().shape();
    v1::AnalyseResult& analysis = *result.mutable_analyse();
    const v1::Shape5& stacks = task.inputs(1).spec().shape();
    for (uint32_t stack = 0; stack < stacks.t() * stacks.c(); ++stack) {
      v1::PsfReport& psf = *analysis.add_psfs();
      psf.set_t(stack / stacks.c());
      psf.set_c(stack % stacks.c());
      *psf.mutable_crop_shape() = ToProto(psf_crop);
    }
    for (uint32_t c = 0; c < input.c(); ++c) {
      v1::ChannelFacts& channel = *analysis.add_channels();
      channel.set_c(c);
      channel.set_gain_photons_per_count(1 + c);
      channel.set_flat_field_mean(1);
    }
    for (uint32_t frame = 0; frame < input.t() * input.c(); ++frame) {
      v1::FrameStatistics& statistics = *analysis.add_frames();
      statistics.set_t(frame / input.c());
      statistics.set_c(frame % input.c());
      statistics.set_mean(frame);
    }
  }
  if (task.has_tile()) {
    result.mutable_tile()->mutable_statistics()->set_sum(1);
    result.mutable_tile()->set_compute_seconds(0.5);
  }
  if (task.has_simulate()) result.mutable_simulate();
  if (task.has_calibrate()) *result.mutable_calibrate() = CalibrationOf(task);
  if (task.has_estimate_psf()) *result.mutable_estimate_psf() = EstimationOf(task);
  for (const v1::OutputPiece& piece : task.outputs()) {
    const FrameBox box = ToFrameBox(piece.box());
    std::string voxels;
    for (int64_t z = 0; z < box.box.shape.z; ++z)
      for (int64_t y = 0; y < box.box.shape.y; ++y)
        for (int64_t x = 0; x < box.box.shape.x; ++x) {
          const Voxel at = box.box.origin + Voxel{z, y, x};
          voxels.append(static_cast<size_t>(BytesPerVoxel(piece.type())),
                        static_cast<char>(ResultByte(box.t, box.c, at.z, at.y, at.x)));
        }
    result.add_piece_crc32c(Crc32c(std::as_bytes(std::span(voxels))));
    *bytes += voxels;
  }
  return result;
}

// A worker that does as it is told. Its calls go to the dispatcher directly.
class TestWorker {
 public:
  TestWorker(JobService& service, std::string id) : service_(service), id_(std::move(id)) {
    registration.set_contract_version(limits::kContractVersion);
    registration.set_host("here");
    registration.set_process_id(100);
    registration.set_backend("cpu");
    registration.set_memory_budget_bytes(1 << 30);
    *registration.add_methods() = RlMethod();
    registration.mutable_self_test()->set_passed(true);
    registration.mutable_self_test()->set_padded_voxel_iterations_per_second(1e6);
  }

  absl::StatusOr<v1::SynchronizeResponse> Call(v1::SynchronizeRequest request) {
    request.set_worker(WorkerName(id_));
    return service_.dispatcher().Synchronize(request, account, kNobodyLeft);
  }
  absl::Status Register() {
    v1::SynchronizeRequest request;
    *request.mutable_registration() = registration;
    return Call(request).status();
  }
  // Asks for one task; registers when told to.
  std::optional<v1::Task> Take() {
    v1::SynchronizeRequest request;
    request.set_free_slots(1);
    auto response = Call(request);
    if (response.ok() && response->register_()) {
      EXPECT_OK(Register());
      response = Call(request);
    }
    EXPECT_OK(response);
    if (!response.ok() || response->assigned().empty()) return std::nullopt;
    return response->assigned(0);
  }
  // Says that it goes on with the task. Whether it may.
  bool Continue(const v1::Task& task, uint32_t iteration = 1) {
    v1::SynchronizeRequest request;
    v1::TaskStatus& status = *request.add_tasks();
    status.set_task(task.name());
    status.set_token(task.token());
    status.set_iteration(iteration);
    status.set_iterations_total(10);
    auto response = Call(request);
    EXPECT_OK(response);
    return response->cancelled().empty();
  }
  // Tells in which stages it holds tasks, and asks for one more.
  absl::StatusOr<v1::SynchronizeResponse> AskForMore(const std::vector<std::pair<v1::Task, v1::TaskStage>>& held,
                                                     bool draining = false) {
    v1::SynchronizeRequest request;
    for (const auto& [task, stage] : held) {
      v1::TaskStatus& status = *request.add_tasks();
      status.set_task(task.name());
      status.set_token(task.token());
      status.set_stage(stage);
    }
    request.set_free_slots(draining ? 0 : 1);
    request.set_draining(draining);
    return Call(request);
  }
  void GiveUp(const v1::Task& task, const absl::Status& error, bool retry = true, const std::string& log = "") {
    v1::SynchronizeRequest request;
    v1::TaskStatus& status = *request.add_tasks();
    status.set_task(task.name());
    status.set_token(task.token());
    *status.mutable_error() = ToStored(error);
    status.set_retry_elsewhere(retry);
    status.set_log_excerpt(log);
    EXPECT_OK(Call(request));
  }
  v1::DeliveryHeader Header(const v1::Task& task) const {
    v1::DeliveryHeader header;
    header.set_worker(WorkerName(id_));
    header.set_task(task.name());
    header.set_token(task.token());
    return header;
  }
  absl::Status Deliver(const v1::Task& task) {
    std::string bytes;
    const v1::TaskResult result = ResultOf(task, &bytes);
    return Deliver(task, result, bytes);
  }
  absl::Status Deliver(const v1::Task& task, const v1::TaskResult& result, const std::string& bytes) {
    auto delivery = service_.dispatcher().BeginDelivery(Header(task), account);
    if (!delivery.ok()) return delivery.status();
    for (size_t at = 0; at < bytes.size(); at += limits::kChunkBytes) {
      v1::OutputChunk chunk;
      chunk.set_position(at);
      chunk.set_data(bytes.substr(at, limits::kChunkBytes));
      chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
      if (absl::Status status = (*delivery)->Write(chunk); !status.ok()) return status;
    }
    return (*delivery)->Commit(result);
  }
  // Works until there is nothing more to do. Returns the number of tasks done.
  int WorkOff() {
    int done = 0;
    while (const std::optional<v1::Task> task = Take()) {
      EXPECT_OK(Deliver(*task));
      ++done;
    }
    return done;
  }

  const std::string& id() const { return id_; }
  v1::WorkerRegistration registration;
  std::string account = "node";  // whose credential it shows

 private:
  JobService& service_;
  const std::string id_;
};

}  // namespace deconvoy::server
