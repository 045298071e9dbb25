// A service on a disk whose power can be cut and whose operations can fail, what clients and workers do with it, and
// what must hold whatever happened: what was acknowledged is there, those who ask again get on, and the result is
// right.
#pragma once

#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/inspect/inspector.h"
#include "server/inspect/report.h"
#include "server/observe/crash_hook.h"
#include "tests/support/faulty_sqlite.h"
#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {

using testing::Fault;

inline constexpr Shape5 kImage{1, 1, 4, 8, 8};

// What the outside has been told.
struct Model {
  std::string image;           // id of the volume; empty before it was acknowledged
  std::set<uint32_t> durable;  // its planes
  bool finished = false;
  std::string job;          // id
  std::set<int64_t> tasks;  // of it, whose delivery was acknowledged
  std::string deleted;      // id of a volume whose deletion was acknowledged
  std::string twin;         // id of a second upload of the same bytes that was finished
  // Names in the libraries; empty before they were acknowledged.
  std::string psf, doomed_psf;
  std::string network, doomed_network;
  bool psf_gone = false, network_gone = false;  // the deletion of the doomed ones was acknowledged
};

// A service whose spool and database lose what they have not synced together.
struct Machine {
  static RetryRules Rules() {
    RetryRules rules;
    rules.input_pause = absl::Milliseconds(1);
    return rules;
  }

  // Nothing of it works any more.
  void Halt() {
    service.files().Halt();
    database.Halt();
  }
  // As after `kill -9`: what was written is there, synced or not.
  void Kill() {
    Halt();
    service.Close();
    service.files().Resume();
    database.Resume();
    service.Open();
  }
  // As after a power cut.
  void LosePower() {
    Halt();
    service.Close();
    service.files().DropUnsynced();
    database.DropUnsynced();
    service.Open();
  }

  const std::unique_ptr<FileSystem> real_files = MakePosixFileSystem();
  testing::FaultyFileSystem database{*real_files};
  testing::FaultySqlite sqlite{database};
  JobService service{JobService::DefaultOptions(), Rules(), sqlite.name()};
};

class PowerLossTest : public ::testing::Test {
 protected:
  // Hundreds of restarts: in memory where possible, as what a power cut takes is played anyway.
  static void SetUpTestSuite() {
    if (access("/dev/shm", W_OK) == 0) setenv("TMPDIR", "/dev/shm", 1);
  }
  ~PowerLossTest() override { SetCrashHook(nullptr); }

  static v1::Chunk Plane(uint32_t z) {
    v1::Chunk chunk;
    *chunk.mutable_box() = ToProto(FrameBox{0, 0, {{z, 0, 0}, {1, kImage.y, kImage.x}}});
    chunk.set_data(std::string(static_cast<size_t>(kImage.y * kImage.x), static_cast<char>(z + 1)));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    return chunk;
  }

  absl::StatusOr<std::string> Create(const std::string& request_id, const v1::VolumeSpec& spec) {
    v1::CreateVolumeRequest request;
    request.set_request_id(request_id);
    *request.mutable_spec() = spec;
    ASSIGN_OR_RETURN(const v1::Volume volume, service_->volumes().Create(JobService::kOwner, request));
    return VolumeId(volume.name(), "");
  }

  // Sends all planes, two by two, unless the volume is complete; `meanwhile` after each two.
  absl::Status SendImage(Model& model, const std::function<absl::Status()>& meanwhile = absl::OkStatus) {
    ASSIGN_OR_RETURN(model.image, Create("image", MakeSpec(kImage)));
    ASSIGN_OR_RETURN(const v1::Volume volume, service_->volumes().Get(model.image, true));
    if (volume.state() == v1::COMPLETE) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::unique_ptr<VolumeWriter> writer, service_->volumes().Write(model.image));
    for (uint32_t z = 0; z < kImage.z; ++z) {
      RETURN_IF_ERROR(writer->Add(Plane(z)));
      if (z % 2 == 0) continue;
      RETURN_IF_ERROR(writer->Commit().status());
      model.durable.insert({z - 1, z});
      RETURN_IF_ERROR(meanwhile());
    }
    RETURN_IF_ERROR(service_->volumes().Finish(model.image, "").status());
    model.finished = true;
    return absl::OkStatus();
  }

  // The same planes once more, so that two volumes share one file.
  absl::Status SendTwin(Model& model) {
    ASSIGN_OR_RETURN(const std::string id, Create("twin", MakeSpec(kImage)));
    ASSIGN_OR_RETURN(const v1::Volume volume, service_->volumes().Get(id, false));
    if (volume.state() != v1::COMPLETE) {
      ASSIGN_OR_RETURN(const std::unique_ptr<VolumeWriter> writer, service_->volumes().Write(id));
      for (uint32_t z = 0; z < kImage.z; ++z) RETURN_IF_ERROR(writer->Add(Plane(z)));
      RETURN_IF_ERROR(writer->Commit().status());
      RETURN_IF_ERROR(service_->volumes().Finish(id, "").status());
    }
    model.twin = id;
    return absl::OkStatus();
  }

  // A volume of zeros that fit into one chunk; its id.
  absl::StatusOr<std::string> SendZeros(const std::string& request_id, const v1::VolumeSpec& spec) {
    ASSIGN_OR_RETURN(const std::string id, Create(request_id, spec));
    ASSIGN_OR_RETURN(const v1::Volume volume, service_->volumes().Get(id, false));
    if (volume.state() == v1::COMPLETE) return id;
    ASSIGN_OR_RETURN(const std::unique_ptr<VolumeWriter> writer, service_->volumes().Write(id));
    ASSIGN_OR_RETURN(const Shape5 shape, ToShape(spec.shape(), spec.type(), ""));
    v1::Chunk chunk;
    *chunk.mutable_box() = ToProto(FrameBox{0, 0, {{}, shape.frame()}});
    chunk.set_data(std::string(static_cast<size_t>(VolumeBytes(shape, spec.type())), '\0'));
    chunk.set_crc32c(Crc32c(std::as_bytes(std::span(chunk.data()))));
    RETURN_IF_ERROR(writer->Add(chunk));
    RETURN_IF_ERROR(writer->Commit().status());
    RETURN_IF_ERROR(service_->volumes().Finish(id, "").status());
    return id;
  }
  absl::StatusOr<std::string> SendPsf(const std::string& request_id) {
    return SendZeros(request_id, MakeSpec({1, 1, 1, 1, 1}, v1::F32));
  }

  // Keeps a PSF under `id`; the name of its version.
  absl::StatusOr<std::string> KeepPsf(const std::string& id) {
    ASSIGN_OR_RETURN(const std::string volume, SendPsf("psf-" + id));
    v1::CreatePsfRequest request;
    request.set_request_id("keep-psf-" + id);
    request.set_psf_id(id);
    request.set_volume(VolumeName(volume));
    ASSIGN_OR_RETURN(const v1::Psf psf, service_->psfs().Create(JobService::kOwner, request));
    return psf.name();
  }

  // Has a worker check the file of a model and keeps it under `id`; the name of its version.
  absl::StatusOr<std::string> KeepNetwork(const std::string& id) {
    ASSIGN_OR_RETURN(const std::string volume, SendZeros("file-" + id, ByteVolume(60'000)));
    v1::JobSpec spec;
    spec.mutable_check_model()->set_model_volume(VolumeName(volume));
    ASSIGN_OR_RETURN(const v1::Job job, service_->TrySubmit(spec, "check-" + id));
    ASSIGN_OR_RETURN(const std::string job_id, JobId(job.name(), ""));
    NetworkWorker worker(*service_, "n" + std::to_string(++workers_));
    while (const std::optional<v1::Task> task = worker.Take()) RETURN_IF_ERROR(worker.FinishCheck(*task));
    ASSIGN_OR_RETURN(const v1::Job checked, service_->jobs().Get(JobService::kOwner, job_id));
    if (checked.state() != v1::SUCCEEDED) return absl::UnavailableError("the check has not ended");
    v1::CreateModelRequest request;
    request.set_request_id("keep-model-" + id);
    request.set_model_id(id);
    request.set_job(job.name());
    ASSIGN_OR_RETURN(const v1::Model model, service_->models().Create(JobService::kOwner, request));
    return model.name();
  }

  // What a client makes of a deletion that it asks for again.
  static absl::Status UnlessGone(const absl::Status& status) {
    return ReasonOf(status) == v1::NOT_FOUND ? absl::OkStatus() : status;
  }

  // `growing`: before the image is complete.
  absl::Status SubmitJob(Model& model, const std::string& psf, bool growing = false) {
    v1::JobSpec spec;
    v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
    work.set_input_volume(VolumeName(model.image));
    work.set_psf_volume(VolumeName(psf));
    work.set_method("rl");
    work.set_output_type(v1::U8);
    *work.mutable_tile()->mutable_core() = ToProto(Shape3{growing ? 2 : 4, 8, 4});
    if (growing) work.set_first_planes(2);
    ASSIGN_OR_RETURN(const v1::Job job, service_->TrySubmit(spec, "job"));
    ASSIGN_OR_RETURN(model.job, JobId(job.name(), ""));
    return absl::OkStatus();
  }

  // Delivers what is given out.
  absl::Status WorkFor(TestWorker& worker, Model& model) {
    while (const std::optional<v1::Task> task = worker.Take()) {
      RETURN_IF_ERROR(worker.Deliver(*task));
      model.tasks.insert(ParseTaskName(task->name(), "")->number);
    }
    return absl::OkStatus();
  }
  absl::Status CheckEnded(const Model& model) {
    ASSIGN_OR_RETURN(const v1::Job job, service_->jobs().Get(JobService::kOwner, model.job));
    if (job.state() == v1::SUCCEEDED) return absl::OkStatus();
    return absl::UnavailableError("no more work, but the job has not ended");
  }

  absl::Status DeleteOne(Model& model) {
    if (!model.deleted.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string id, Create("deleted", MakeSpec(kImage)));
    RETURN_IF_ERROR(service_->volumes().Delete(id));
    model.deleted = id;
    return absl::OkStatus();
  }

  // All three: everything, as far as it gets. Called again, they go on as clients and workers do that repeat their
  // requests.
  absl::Status DriveJob(Model& model) {
    service_->Advance(absl::Minutes(2));  // leases and pauses of before are over
    RETURN_IF_ERROR(SendImage(model));
    ASSIGN_OR_RETURN(const std::string psf, SendPsf("psf"));
    RETURN_IF_ERROR(DeleteOne(model));
    RETURN_IF_ERROR(SubmitJob(model, psf));
    TestWorker worker(*service_, "w" + std::to_string(++workers_));
    RETURN_IF_ERROR(WorkFor(worker, model));
    return CheckEnded(model);
  }
  absl::Status DriveRecording(Model& model) {
    service_->Advance(absl::Minutes(2));
    ASSIGN_OR_RETURN(const std::string psf, SendPsf("psf"));
    ASSIGN_OR_RETURN(model.image, Create("image", MakeSpec(kImage)));
    RETURN_IF_ERROR(SubmitJob(model, psf, /*growing=*/true));
    TestWorker worker(*service_, "w" + std::to_string(++workers_));
    const auto work = [&] {
      service_->jobs().SettleInput();
      return WorkFor(worker, model);
    };
    RETURN_IF_ERROR(SendImage(model, work));
    RETURN_IF_ERROR(work());
    RETURN_IF_ERROR(SendTwin(model));
    return CheckEnded(model);
  }
  absl::Status DriveLibraries(Model& model) {
    service_->Advance(absl::Minutes(2));
    service_->capabilities().AddMethods({RlMethod(), NetworkMethod()});
    ASSIGN_OR_RETURN(model.psf, KeepPsf("kept"));
    if (model.doomed_psf.empty()) {
      ASSIGN_OR_RETURN(model.doomed_psf, KeepPsf("doomed"));
    }
    RETURN_IF_ERROR(UnlessGone(service_->psfs().Delete(JobService::kOwner, model.doomed_psf)));
    model.psf_gone = true;
    ASSIGN_OR_RETURN(model.network, KeepNetwork("kept"));
    if (model.doomed_network.empty()) {
      ASSIGN_OR_RETURN(model.doomed_network, KeepNetwork("doomed"));
    }
    RETURN_IF_ERROR(UnlessGone(service_->models().Delete(JobService::kOwner, model.doomed_network)));
    model.network_gone = true;
    return absl::OkStatus();
  }

  // That the volume has all its bytes, zeros.
  void CheckZeros(const std::string& volume_name) {
    ASSERT_OK_AND_ASSIGN(const std::string id, VolumeId(volume_name, ""));
    ASSERT_OK_AND_ASSIGN(const v1::Volume volume, service_->volumes().Get(id, false));
    EXPECT_EQ(volume.state(), v1::COMPLETE);
    const v1::Shape5& shape = volume.spec().shape();
    std::string bytes;
    const FrameBox whole{0, 0, {{}, {shape.z(), shape.y(), shape.x()}}};
    ASSERT_OK(service_->volumes().Read(id, ToProto(whole), [&](const v1::Chunk& chunk) {
      bytes += chunk.data();
      return true;
    }));
    EXPECT_EQ(bytes, std::string(volume.size_bytes(), '\0'));
  }

  void CheckLibraries(const Model& model) {
    const std::string owner = JobService::kOwner;
    if (!model.psf.empty()) {
      ASSERT_OK_AND_ASSIGN(const v1::Psf psf, service_->psfs().Get(owner, model.psf));
      CheckZeros(psf.volume());
    }
    if (!model.network.empty()) {
      ASSERT_OK_AND_ASSIGN(const v1::Model network, service_->models().Get(owner, model.network));
      CheckZeros(network.volume());
    }
    if (model.psf_gone) {
      EXPECT_EQ(ReasonOf(service_->psfs().Get(owner, model.doomed_psf).status()), v1::NOT_FOUND);
    }
    if (model.network_gone) {
      EXPECT_EQ(ReasonOf(service_->models().Get(owner, model.doomed_network).status()), v1::NOT_FOUND);
    }
  }

  // That the plane is there, as it was sent.
  void CheckPlane(const std::string& volume, uint32_t z) {
    std::string bytes;
    ASSERT_OK(service_->volumes().Read(volume, Plane(z).box(), [&](const v1::Chunk& chunk) {
      bytes += chunk.data();
      return true;
    }));
    EXPECT_EQ(bytes, Plane(z).data()) << "acknowledged plane " << z << " is lost";
  }

  void CheckModel(const Model& model) {
    for (const uint32_t z : model.durable) CheckPlane(model.image, z);
    if (!model.twin.empty()) {
      for (uint32_t z = 0; z < kImage.z; ++z) CheckPlane(model.twin, z);
    }
    if (model.finished) {
      ASSERT_OK_AND_ASSIGN(const v1::Volume volume, service_->volumes().Get(model.image, false));
      EXPECT_EQ(volume.state(), v1::COMPLETE);
    }
    if (!model.deleted.empty()) {
      EXPECT_EQ(ReasonOf(service_->volumes().Get(model.deleted, false).status()), v1::NOT_FOUND);
    }
    CheckLibraries(model);
    if (model.job.empty()) return;
    ASSERT_OK_AND_ASSIGN(const std::vector<TaskRecord> tasks, service_->store().GetTasks(model.job));
    for (const int64_t number : model.tasks) {
      EXPECT_EQ(tasks[static_cast<size_t>(number)].state, TaskState::kDone) << "acknowledged task " << number;
    }
  }

  using Drive = std::function<absl::Status(Model&)>;
  const Drive job_ = [this](Model& model) { return DriveJob(model); };
  const Drive libraries_ = [this](Model& model) { return DriveLibraries(model); };
  const Drive recording_ = [this](Model& model) { return DriveRecording(model); };

  // A new service without anything.
  void StartAnew() {
    machine_ = std::make_unique<Machine>();
    service_ = &machine_->service;
  }

  // Everything goes on to its end, the result is right, and nobody finds anything wrong afterwards.
  void CheckEnd(const Drive& drive, Model& model) {
    ASSERT_OK(drive(model));
    CheckModel(model);
    if (!model.job.empty()) service_->CheckResult(service_->Get(model.job));
    EXPECT_EQ(service_->CountScratchFiles(), 0U);
    service_->Close();
    const std::unique_ptr<FileSystem> files = MakePosixFileSystem();
    const InspectorOptions options{.database = service_->folder() / "store.sqlite",
                                   .spool = {.directory = service_->folder() / "spool"}};
    ASSERT_OK_AND_ASSIGN(const Inspection inspection, Inspect(options, *files));
    EXPECT_TRUE(inspection.findings.empty()) << ToText(inspection);
  }

  // That a call failed as it should where a disk has failed it.
  static void CheckError(const absl::Status& status) {
    const v1::ErrorReason reason = ReasonOf(status);
    EXPECT_TRUE(reason == v1::STORAGE_FAILURE || reason == v1::DISK_FULL) << status;
    EXPECT_TRUE(InfoOf(status).metadata().contains("path")) << status;
  }

  // What becomes of the service after a fault.
  enum class Then { kGoesOn, kIsKilled };

  // Lets one operation on `faulty` after the other fail; the service goes on without a restart, and a power cut after
  // that finds nothing half done; or it is killed, and what was refused may have happened. How many errors came of it.
  int FailEveryOperation(const std::function<testing::FaultyFileSystem&()>& faulty, Fault fault, const Drive& drive,
                         Then then = Then::kGoesOn) {
    int failures = 0;
    bool more = true;
    for (int64_t n = 1; more && !HasFailure(); ++n) {
      SCOPED_TRACE("operation " + std::to_string(n));
      StartAnew();
      faulty().FailAt(n, fault);
      Model model;
      const absl::Status status = drive(model);
      more = faulty().failed();
      faulty().FailAt(0, fault);
      if (!status.ok() && !absl::IsUnavailable(status)) {
        ++failures;
        CheckError(status);
      }
      EXPECT_TRUE(more || status.ok()) << status;
      if (then == Then::kIsKilled) {
        machine_->Kill();
      } else {
        EXPECT_OK(drive(model));
        machine_->LosePower();
      }
      CheckModel(model);
      CheckEnd(drive, model);
    }
    return failures;
  }

  std::unique_ptr<Machine> machine_ = std::make_unique<Machine>();
  JobService* service_ = &machine_->service;
  int workers_ = 0;
};

}  // namespace deconvoy::server
