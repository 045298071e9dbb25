// Names of volumes, jobs, workers, tasks and PSFs: what is accepted is written back alike.
#include "proto/contract/error.h"
#include "proto/contract/resource_name.h"
#include "proto/contract/validation.h"
#include "tests/fuzz/input.h"

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  const std::string name = fuzz::Input(data, size).Rest();
  const auto volume = VolumeId(name, "volume"), job = JobId(name, "job"), worker = WorkerId(name, "worker");
  fuzz::Require(!volume.ok() || VolumeName(*volume) == name, "a volume has one name");
  fuzz::Require(!job.ok() || JobName(*job) == name, "a job has one name");
  fuzz::Require(!worker.ok() || WorkerName(*worker) == name, "a worker has one name");
  const auto psf = ParsePsfName(name, "psf");
  fuzz::Require(!psf.ok() || PsfName(*psf) == name, "a PSF has one name");
  fuzz::Require(!psf.ok() || IsOfPsf(name), "the name of a PSF looks like one");
  fuzz::Require(IsUtf8(std::string(psf.status().message())), "a refusal can be sent");
  fuzz::Require(volume.ok() + job.ok() + worker.ok() + psf.ok() <= 1, "a name is of one kind");
  const auto task = ParseTaskName(name, "task");
  fuzz::Require(!task.ok() || TaskName(task->job_id, task->number) == name, "a task has one name");
  fuzz::Require(IsUtf8(std::string(task.status().message())), "a refusal can be sent");
  fuzz::Require(!ValidateRequestId(name).ok() || name.size() <= 64, "request ids are short");
  return 0;
}
