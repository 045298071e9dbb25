// Whether a job can be accepted, what it would take, and what is worth knowing about it.
#pragma once

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include <map>
#include <string>
#include <vector>

#include "deconvoy/v1/jobs.pb.h"
#include "proto/contract/outputs.h"
#include "server/jobs/capabilities.h"
#include "server/jobs/file_roots.h"
#include "server/spool/volume_store.h"
#include "server/store/store.h"

namespace deconvoy::server {

// What the examination of a job found. The rest is complete only when the report says `accepted`.
struct Examination {
  v1::PreflightReport report;
  v1::JobSpec spec;                                         // with every default filled in
  std::vector<PlannedOutput> outputs;                       // to be made
  std::map<std::string, v1::VolumeSpec> inputs;             // by id
  google::protobuf::RepeatedPtrField<v1::ModelUse> models;  // of a deconvolution
  uint64_t training_bytes = 0;                              // memory of each part of a training
  double work = 0;                                          // padded voxel iterations of rl
};

// Examines jobs. Thread safe; reads the store, changes nothing.
class JobExaminer {
 public:
  // All must outlive it.
  JobExaminer(Store& store, VolumeStore& volumes, const Capabilities& capabilities, const FileRoots& roots)
      : store_(store), volumes_(volumes), capabilities_(capabilities), roots_(roots) {}

  // `queued_work` is that of all jobs before this one. Refusals are findings; errors are those of the store.
  absl::StatusOr<Examination> Examine(const std::string& owner, const v1::JobSpec& spec, double queued_work) const;

 private:
  Store& store_;
  VolumeStore& volumes_;
  const Capabilities& capabilities_;
  const FileRoots& roots_;
};

}  // namespace deconvoy::server
