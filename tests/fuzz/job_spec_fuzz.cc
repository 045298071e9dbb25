// A job as it comes over the wire, with the volumes it would work on.
#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/outputs.h"
#include "proto/contract/validation.h"
#include "tests/fuzz/input.h"
#include "tests/fuzz/wire.h"

namespace deconvoy {
namespace {

void CheckOutputs(const v1::JobSpec& job, const v1::VolumeSpec& volume) {
  const auto outputs = PlanOutputs(job, &volume, &volume);
  if (!outputs.ok()) return fuzz::CheckRefusal(outputs.status());
  for (const PlannedOutput& output : *outputs) {
    fuzz::Require(ValidateVolumeSpec(output.spec).ok(), "an output of a valid job on a valid volume is a valid volume");
  }
}

}  // namespace
}  // namespace deconvoy

int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace deconvoy;
  fuzz::Input input(data, size);
  v1::VolumeSpec volume;
  v1::JobSpec job;
  if (!fuzz::ParseTwo(input, volume, job)) return 0;
  const absl::Status valid = ValidateJobSpec(job);
  if (!valid.ok()) {
    fuzz::CheckRefusal(valid);
  } else if (ValidateVolumeSpec(volume).ok()) {
    CheckOutputs(job, volume);
  }
  return 0;
}
