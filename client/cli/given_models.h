// Models that a deconvolution names by their files: they go into the server's library before the job is submitted.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <stop_token>
#include <string>
#include <vector>

#include "client/cli/job_run.h"
#include "client/cli/model_library.h"
#include "client/cli/progress.h"
#include "client/cli/session.h"
#include "deconvoy/v1/jobs.pb.h"
#include "deconvoy/v1/methods.pb.h"

namespace deconvoy::client {

struct GivenModel {
  int place = 0;   // among the models of the job, from 0
  std::string id;  // that it gets in the library, unless that has it already
  ModelFile file;
};

// Reads those of the values of --network that are files (IsModelFile), and looks at how they begin. Errors: of usage;
// NOT_FOUND, BAD_MODEL (also for a program, which only an administrator may bring) and those of ReadModelFile.
absl::StatusOr<std::vector<GivenModel>> OpenGivenModels(const std::vector<std::string>& networks);

// Whether the models that the job names, but for those that are given, are in the library, of which a local server has
// none: NOT_FOUND, or an error of usage.
absl::Status CheckNamedModels(const Session& session, const v1::DeconvolveSpec& deconvolve,
                              const std::vector<GivenModel>& given, const std::stop_token& stop);

// Whether the job's method, one of those that are offered, takes models, and somebody can run them: an error of usage,
// or NO_WORKER.
absl::Status CheckTakesModels(const v1::DeconvolveSpec& deconvolve, const v1::Method& method,
                              const std::vector<v1::Method>& offered);

// Has each given model in the library, and names its version in the job: one that the library has already, whatever its
// name, or the next one of the file's name, after a check by a worker. What becomes of them is said unless the server
// is a local one. New ones are leftovers unless they are to `stay`. Errors: those of ImportModel, with the file's name.
absl::Status BringModels(Session& session, const std::vector<GivenModel>& given, bool stay,
                         v1::DeconvolveSpec& deconvolve, Leftovers& leftovers, Progress& progress,
                         const std::stop_token& stop);

}  // namespace deconvoy::client
