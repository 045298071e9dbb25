// What a session of the Deconvolution service works on: the volume that is recorded and the job on it, under request
// ids that follow from the session, so that the same header finds both again, after a restart, too.
#pragma once

#include <absl/status/statusor.h>

#include <string>

#include "deconvoy/v1/deconvolution.pb.h"
#include "server/api/call.h"
#include "server/jobs/job_manager.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

struct LiveSession {
  std::string input_id, job_id;
  std::string estimate_id;  // empty when the job has ended without a result
  v1::Volume input;         // with what it misses
  v1::Job job;
  bool resumed = false;  // it had been opened before
};

// Opens the session of a header, or takes it up again. A job without a class is INTERACTIVE. Errors: INVALID_FIELD;
// those of Volumes.Create and Jobs.Submit, after which nothing stays of a session that is new; REQUEST_ID_REUSED where
// the session was opened with another input or job; SHUTTING_DOWN.
absl::StatusOr<LiveSession> OpenLiveSession(const std::string& owner, const v1::DeconvolveHeader& header,
                                            const Door& door, Store& store, VolumeStore& volumes, JobManager& jobs);

}  // namespace deconvoy::server
