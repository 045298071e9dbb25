// A power cut at every crash point that an upload, a job and the libraries of PSFs and models pass, and every single
// operation on the spool failing once: what was acknowledged is there, clients that ask again get on, and the result is
// right.
//
// A cut takes every byte and every change of a name in the spool that was not synced. SQLite's files lie outside the
// file system that plays this: what it had committed stays, as synchronous=FULL promises.
#include <gmock/gmock.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "server/inspect/inspector.h"
#include "server/inspect/report.h"
#include "server/observe/crash_hook.h"
#include "tests/unit/server/jobs/model_service.h"

namespace deconvoy::server {
namespace {

using ::testing::ElementsAre;
using testing::Fault;

struct PowerCut {};

constexpr Shape5 kImage{1, 1, 4, 8, 8};

// What the outside has been told.
struct Model {
  std::string image;           // id of the volume; empty before it was acknowledged
  std::set<uint32_t> durable;  // its planes
  bool finished = false;
  std::string job;          // id
  std::set<int64_t> tasks;  // of it, whose delivery was acknowledged
  std::string deleted;      // id of a volume whose deletion was acknowledged
  // Names in the libraries; empty before they were acknowledged.
  std::string psf, doomed_psf;
  std::string network, doomed_network;
  bool psf_gone = false, network_gone = false;  // the deletion of the doomed ones was acknowledged
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

  // Sends what it has not heard of as durable; planes two by two.
  absl::Status SendImage(Model& model) {
    ASSIGN_OR_RETURN(model.image, Create("image", MakeSpec(kImage)));
    ASSIGN_OR_RETURN(const v1::Volume volume, service_->volumes().Get(model.image, true));
    if (volume.state() == v1::COMPLETE) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::unique_ptr<VolumeWriter> writer, service_->volumes().Write(model.image));
    for (uint32_t z = 0; z < kImage.z; ++z) {
      RETURN_IF_ERROR(writer->Add(Plane(z)));
      if (z % 2 == 0) continue;
      RETURN_IF_ERROR(writer->Commit().status());
      model.durable.insert({z - 1, z});
    }
    RETURN_IF_ERROR(service_->volumes().Finish(model.image, "").status());
    model.finished = true;
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
    if (service_->Get(job_id).state() != v1::SUCCEEDED) return absl::UnavailableError("the check has not ended");
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

  absl::Status SubmitJob(Model& model, const std::string& psf) {
    v1::JobSpec spec;
    v1::DeconvolveSpec& work = *spec.mutable_deconvolve();
    work.set_input_volume(VolumeName(model.image));
    work.set_psf_volume(VolumeName(psf));
    work.set_method("rl");
    work.set_output_type(v1::U8);
    *work.mutable_tile()->mutable_core() = ToProto(Shape3{4, 8, 4});
    ASSIGN_OR_RETURN(const v1::Job job, service_->TrySubmit(spec, "job"));
    ASSIGN_OR_RETURN(model.job, JobId(job.name(), ""));
    return absl::OkStatus();
  }

  absl::Status WorkOff(Model& model) {
    TestWorker worker(*service_, "w" + std::to_string(++workers_));
    while (const std::optional<v1::Task> task = worker.Take()) {
      RETURN_IF_ERROR(worker.Deliver(*task));
      model.tasks.insert(ParseTaskName(task->name(), "")->number);
    }
    if (service_->Get(model.job).state() == v1::SUCCEEDED) return absl::OkStatus();
    return absl::UnavailableError("no more work, but the job has not ended");
  }

  absl::Status DeleteOne(Model& model) {
    if (!model.deleted.empty()) return absl::OkStatus();
    ASSIGN_OR_RETURN(const std::string id, Create("deleted", MakeSpec(kImage)));
    RETURN_IF_ERROR(service_->volumes().Delete(id));
    model.deleted = id;
    return absl::OkStatus();
  }

  // Both: everything, as far as it gets. Called again, they go on as clients and workers do that repeat their requests.
  absl::Status DriveJob(Model& model) {
    service_->Advance(absl::Minutes(2));  // leases and pauses of before are over
    RETURN_IF_ERROR(SendImage(model));
    ASSIGN_OR_RETURN(const std::string psf, SendPsf("psf"));
    RETURN_IF_ERROR(DeleteOne(model));
    RETURN_IF_ERROR(SubmitJob(model, psf));
    return WorkOff(model);
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

  void CheckModel(const Model& model) {
    for (const uint32_t z : model.durable) {
      std::string bytes;
      ASSERT_OK(service_->volumes().Read(model.image, Plane(z).box(), [&](const v1::Chunk& chunk) {
        bytes += chunk.data();
        return true;
      }));
      EXPECT_EQ(bytes, Plane(z).data()) << "acknowledged plane " << z << " is lost";
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

  // How often an undisturbed drive passes each crash point.
  std::map<std::string, int> PassesOf(const Drive& drive) {
    std::map<std::string, int> passes;
    SetCrashHook([&](std::string_view name) { ++passes[std::string(name)]; });
    Model calm;
    EXPECT_OK(drive(calm));
    SetCrashHook(nullptr);
    return passes;
  }

  // Cuts the power at each of these passes, once for each.
  void CutAtEvery(const std::map<std::string, int>& passes, const Drive& drive) {
    for (const auto& [name, count] : passes) {
      for (int wanted = 1; wanted <= count && !HasFailure(); ++wanted) {
        SCOPED_TRACE(name + ":" + std::to_string(wanted));
        service_ = std::make_unique<JobService>();
        int passed = 0;
        SetCrashHook([&, point = name](std::string_view at) {
          if (at == point && ++passed == wanted) throw PowerCut();
        });
        Model model;
        EXPECT_THROW(drive(model).IgnoreError(), PowerCut);
        SetCrashHook(nullptr);
        service_->LosePower();
        CheckModel(model);
        CheckEnd(drive, model);
      }
    }
  }

  // Lets one operation on the spool after the other fail; the service goes on without a restart, and a power cut after
  // that finds nothing half done. How many errors came of it.
  int FailEveryOperation(Fault fault, const Drive& drive) {
    int failures = 0;
    bool more = true;
    for (int64_t n = 1; more && !HasFailure(); ++n) {
      SCOPED_TRACE("operation " + std::to_string(n));
      service_ = std::make_unique<JobService>();
      service_->files().FailAt(n, fault);
      Model model;
      const absl::Status status = drive(model);
      more = service_->files().failed();
      service_->files().FailAt(0, fault);
      if (!status.ok() && !absl::IsUnavailable(status)) {
        ++failures;
        const v1::ErrorReason reason = ReasonOf(status);
        EXPECT_TRUE(reason == v1::STORAGE_FAILURE || reason == v1::DISK_FULL) << status;
        EXPECT_TRUE(InfoOf(status).metadata().contains("path")) << status;
      }
      EXPECT_TRUE(more || status.ok()) << status;
      EXPECT_OK(drive(model));
      service_->LosePower();
      CheckModel(model);
      CheckEnd(drive, model);
    }
    return failures;
  }

  std::unique_ptr<JobService> service_ = std::make_unique<JobService>();
  int workers_ = 0;
};

// The names of `passes`.
std::vector<std::string> NamesOf(const std::map<std::string, int>& passes) {
  std::vector<std::string> names;
  for (const auto& [name, count] : passes) names.push_back(name);
  return names;
}

TEST_F(PowerLossTest, AtEveryCrashPointThatIsPassed) {
  const std::map<std::string, int> passes = PassesOf(job_);
  EXPECT_THAT(NamesOf(passes),
              ElementsAre("deliver-after-commit", "deliver-before-commit", "deliver-before-transfer",
                          "job-after-insert", "job-before-insert", "step-after-apply", "step-before-apply",
                          "transfer-after-sync", "transfer-before-sync", "upload-after-commit", "upload-before-commit",
                          "upload-before-sync", "volume-after-complete", "volume-after-insert",
                          "volume-before-complete", "volume-before-insert", "volume-delete-before-file"));
  CutAtEvery(passes, job_);
}

TEST_F(PowerLossTest, AtEveryCrashPointOfTheLibraries) {
  std::map<std::string, int> passes = PassesOf(libraries_);
  // The others are passed on the way as the other drive passes them.
  std::erase_if(passes, [](const auto& pass) {
    return !pass.first.starts_with("psf-") && !pass.first.starts_with("model-") && !pass.first.starts_with("volume-");
  });
  EXPECT_THAT(NamesOf(passes),
              ElementsAre("model-after-insert", "model-before-insert", "model-delete-before-file", "psf-after-insert",
                          "psf-before-insert", "psf-delete-before-file", "volume-after-complete", "volume-after-insert",
                          "volume-before-complete", "volume-before-insert"));
  CutAtEvery(passes, libraries_);
}

class SpoolFaultsTest : public PowerLossTest, public ::testing::WithParamInterface<Fault> {};

TEST_P(SpoolFaultsTest, OfEveryOperationLeaveTheServiceAliveAndWhole) {
  EXPECT_GT(FailEveryOperation(GetParam(), job_), 20) << "too few operations were seen to fail";
}

TEST_P(SpoolFaultsTest, OfEveryOperationLeaveTheLibrariesWhole) {
  EXPECT_GT(FailEveryOperation(GetParam(), libraries_), 20) << "too few operations were seen to fail";
}

INSTANTIATE_TEST_SUITE_P(Faults, SpoolFaultsTest,
                         ::testing::Values(Fault::kIoError, Fault::kNoSpace, Fault::kShortWrite),
                         [](const auto& instance) -> std::string {
                           return instance.param == Fault::kIoError   ? "IoError"
                                  : instance.param == Fault::kNoSpace ? "NoSpace"
                                                                      : "ShortWrite";
                         });

}  // namespace
}  // namespace deconvoy::server
