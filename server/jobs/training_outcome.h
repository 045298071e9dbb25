// What follows from the tasks that train and check models.
#pragma once

#include <absl/status/status.h>

#include <cstdint>

#include "deconvoy/v1/workers.pb.h"
#include "server/jobs/job_step.h"

namespace deconvoy::server {

// After a part of a training: its point joins the curves, and the next part follows, or the end where it was the last
// one or nothing more is to be gained. INVALID_FIELD for a result that is not one of this part.
absl::Status TakeTrainedPart(JobStep& step, int64_t number, const v1::TrainResult& result);

// The model of a training, or what was found in a model's file. INVALID_FIELD for facts that cannot be those of a
// model.
absl::Status TakeTrainedModel(JobStep& step, const v1::FinishTrainingResult& result);
absl::Status TakeModelCheck(JobStep& step, const v1::CheckModelResult& result);

}  // namespace deconvoy::server
